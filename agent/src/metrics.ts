// SPDX-License-Identifier: Apache-2.0
//
// Every counter of the agent. Whatever is dropped, cut or guessed is counted here with its reason, and the first time
// that a reason occurs it is logged.

import { messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { StackReport } from './unwind/stack-report.ts';

type ReasonCounter = Counter<'reason'>;

export class AgentMetrics {
  /** Processes whose mappings, environment or names could not be had, by reason. */
  readonly discoveryFailures: ReasonCounter;
  /** Frames or binaries without names, by reason. */
  readonly namingFailures: ReasonCounter;
  readonly forgottenBinaries: Counter;
  readonly batches: Counter;
  /** Batches that were skipped or late, by reason. */
  readonly batchFailures: ReasonCounter;
  readonly batchSeconds: Histogram;
  readonly samplesByStopReason: Counter<'stop_reason'>;
  /** Files asked for their unwind table, by what came of it. */
  readonly unwindTables: Counter<'outcome'>;
  /** Unwind tables and mappings that could not be loaded or were given up, by reason. */
  readonly unwindTableLosses: ReasonCounter;
  /** Events of the worker that reads unwind information and of its disk cache. */
  readonly unwindEvents: Counter<'event'>;
  /** Requests by their end: accepted, refused, retried. */
  readonly exportRequests: Counter<'outcome'>;
  readonly exportRetries: ReasonCounter;
  /** Requests that were given up, by reason, and their bytes. */
  readonly exportDroppedRequests: ReasonCounter;
  readonly exportDroppedBytes: ReasonCounter;
  /** Profiles that a receiver rejected within an accepted request. */
  readonly exportRejectedProfiles: Counter;
  /** Parts of a profile that were left out so that the rest fits, by reason. */
  readonly exportOmissions: ReasonCounter;
  readonly exportedBytes: Counter;
  readonly hostFailures: ReasonCounter;
  readonly #registry: Registry;
  readonly #logger: Logger;
  readonly #logged = new Set<string>();

  constructor(registry: Registry, logger: Logger) {
    this.#registry = registry;
    this.#logger = logger;
    const reasons = (name: string, help: string): ReasonCounter =>
      new Counter({ name: `hearthscope_agent_${name}`, help, labelNames: ['reason'], registers: [registry] });
    const count = (name: string, help: string): Counter =>
      new Counter({ name: `hearthscope_agent_${name}`, help, registers: [registry] });
    this.discoveryFailures = reasons(
      'discovery_failures_total',
      'What could not be found out about a process.',
    );
    this.namingFailures = reasons('naming_failures_total', 'Frames or binaries that could not be named.');
    this.forgottenBinaries = count(
      'forgotten_binaries_total',
      'Binaries whose frames were forgotten to stay within the limit of the cache.',
    );
    this.batches = count('batches_total', 'Batches taken from the sampler and built.');
    this.batchFailures = reasons('batch_failures_total', 'Batches that were lost or late.');
    this.batchSeconds = new Histogram({
      name: 'hearthscope_agent_batch_seconds',
      help: 'Time from taking a batch to handing it to the exporter.',
      buckets: [0.005, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers: [registry],
    });
    this.samplesByStopReason = new Counter({
      name: 'hearthscope_agent_stacks_total',
      help: 'Samples by the reason why the walk of their user stack ended.',
      labelNames: ['stop_reason'],
      registers: [registry],
    });
    this.unwindTables = new Counter({
      name: 'hearthscope_agent_unwind_tables_total',
      help: 'Files asked for their unwind table: where it came from, or why there is none.',
      labelNames: ['outcome'],
      registers: [registry],
    });
    this.unwindTableLosses = reasons(
      'unwind_table_losses_total',
      'Unwind tables and mappings that could not be loaded or were given up.',
    );
    this.unwindEvents = new Counter({
      name: 'hearthscope_agent_unwind_events_total',
      help: 'Events of the worker that reads unwind information: disk cache, problems in files, lost workers.',
      labelNames: ['event'],
      registers: [registry],
    });
    this.exportRequests = new Counter({
      name: 'hearthscope_agent_export_requests_total',
      help: 'Attempts to export by outcome.',
      labelNames: ['outcome'],
      registers: [registry],
    });
    this.exportRetries = reasons('export_retries_total', 'Attempts that are to be made again, by cause.');
    this.exportDroppedRequests = reasons('export_dropped_requests_total', 'Requests that were given up.');
    this.exportDroppedBytes = reasons(
      'export_dropped_bytes_total',
      'Bytes of the requests that were given up.',
    );
    this.exportRejectedProfiles = count(
      'export_rejected_profiles_total',
      'Profiles that a receiver rejected within an accepted request.',
    );
    this.exportOmissions = reasons(
      'export_omissions_total',
      'Payloads, samples and profiles left out because a request would be too large.',
    );
    this.exportedBytes = count('exported_bytes_total', 'Bytes of accepted requests, as sent.');
    this.hostFailures = reasons('host_failures_total', 'Host attributes that could not be had.');
  }

  /** Publishes numbers that are kept elsewhere: read when the metrics are, never copied in between. */
  watch(name: string, help: string, read: () => number): void {
    this.#registry.registerMetric(
      new Gauge({
        name: `hearthscope_agent_${name}`,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  }

  /** As {@link watch}, for cumulative counts by reason. */
  watchCounters(name: string, help: string, read: () => Record<string, number>): void {
    this.#registry.registerMetric(
      new Counter({
        name: `hearthscope_agent_${name}`,
        help,
        labelNames: ['reason'],
        registers: [],
        collect() {
          this.reset();
          for (const [reason, value] of Object.entries(read())) this.inc({ reason }, value);
        },
      }),
    );
  }

  /** As {@link watch}, for several numbers of one thing. */
  watchUsage(name: string, help: string, read: () => Readonly<Record<string, number>>): void {
    this.#registry.registerMetric(
      new Gauge({
        name: `hearthscope_agent_${name}`,
        help,
        labelNames: ['what'],
        registers: [],
        collect() {
          for (const [what, value] of Object.entries(read())) this.set({ what }, value);
        },
      }),
    );
  }

  /** Publishes how whole the stacks are: the share of a binary is 1 - stopped / samples. */
  watchStacks(report: StackReport): void {
    this.#registry.registerMetric(
      new Counter({
        name: 'hearthscope_agent_binary_stacks_total',
        help: 'Samples whose user stack leads through the binary.',
        labelNames: ['binary'],
        registers: [],
        collect() {
          this.reset();
          for (const { binary, samples } of report.binaries()) this.inc({ binary }, samples);
        },
      }),
    );
    this.#registry.registerMetric(
      new Counter({
        name: 'hearthscope_agent_binary_stopped_stacks_total',
        help: "Samples whose user stack ends in the binary before the thread's start, by reason.",
        labelNames: ['binary', 'stop_reason'],
        registers: [],
        collect() {
          this.reset();
          for (const { binary, stoppedBy } of report.binaries()) {
            for (const [stop_reason, samples] of Object.entries(stoppedBy))
              this.inc({ binary, stop_reason }, samples);
          }
        },
      }),
    );
  }

  /** Counts, and logs the first time that this reason occurs. */
  countOnce(counter: ReasonCounter, reason: string, value: number, error: unknown): void {
    counter.inc({ reason }, value);
    this.logOnce(reason, messageOf(error));
  }

  /** Logs each message once; the number of different messages is bounded, since some come from the network. */
  logOnce(what: string, message: string): void {
    const key = `${what}: ${message}`;
    if (this.#logged.has(key) || this.#logged.size >= MAX_LOGGED_MESSAGES) return;
    this.#logged.add(key);
    this.#logger.warn({ what }, `${message} (counted from now on, not logged again)`);
  }
}

const MAX_LOGGED_MESSAGES = 256;
