// SPDX-License-Identifier: Apache-2.0
//
// Gathers what the name of a service can come from, and asks service-name.ts. Runs once per process image, at first
// sight, because a short-lived process takes its environment with it.

import type { AgentMetrics } from '../metrics.ts';
import type { CgroupPaths } from './cgroup.ts';
import type { ContainerName, ContainerNames } from './container.ts';
import { NO_ENVIRONMENT, parseServiceEnvironment, type ServiceEnvironment } from './environment.ts';
import type { Procfs } from './procfs.ts';
import {
  type CompiledServiceRules,
  containerOf,
  identifyService,
  type ServiceIdentity,
} from './service-name.ts';

/** What the first sight of a process tells without further reading. */
export interface ImageFacts {
  readonly pid: number;
  readonly comm: string;
  readonly exe: string;
  readonly kernelThread: boolean;
  readonly cgroups: CgroupPaths;
}

/** Reads under way at once: libuv has four threads, and one of them may hang on a stuck process. */
const MAX_CONCURRENT_READS = 8;
const MAX_WAITING_READS = 4096;

export class ServiceResolver {
  readonly #procfs: Procfs;
  readonly #rules: CompiledServiceRules;
  readonly #containerNames: ContainerNames;
  readonly #metrics: AgentMetrics;
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(
    procfs: Procfs,
    rules: CompiledServiceRules,
    containerNames: ContainerNames,
    metrics: AgentMetrics,
  ) {
    this.#procfs = procfs;
    this.#rules = rules;
    this.#containerNames = containerNames;
    this.#metrics = metrics;
  }

  /** The name as far as it is known without reading anything. */
  provisional(facts: ImageFacts): ServiceIdentity {
    const unread = { cmdline: '', environment: NO_ENVIRONMENT, containerName: undefined };
    return identifyService({ ...facts, ...unread }, this.#rules);
  }

  /**
   * @param checkSameProcess rejects when the pid has changed hands; asked after the reads, so that what was read is
   *   surely the process's own
   */
  async resolve(facts: ImageFacts, checkSameProcess: () => Promise<void>): Promise<ServiceIdentity> {
    if (facts.kernelThread) return this.provisional(facts);
    if (this.#reading >= MAX_CONCURRENT_READS) {
      if (this.#waiting.length >= MAX_WAITING_READS) {
        this.#metrics.discoveryFailures.inc({ reason: 'environment_overload' });
        return this.provisional(facts);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#reading++;
    try {
      const { environment, cmdline } = await this.#read(facts, checkSameProcess);
      const containerName = await this.#containerName(facts.cgroups);
      return identifyService({ ...facts, cmdline, environment, containerName }, this.#rules);
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }

  async #read(
    { pid }: ImageFacts,
    checkSameProcess: () => Promise<void>,
  ): Promise<{ environment: ServiceEnvironment; cmdline: string }> {
    try {
      const { bytes, truncated } = await this.#procfs.environ(pid);
      const cmdline = this.#rules.needCmdline ? await this.#procfs.cmdline(pid) : '';
      await checkSameProcess();
      if (truncated) this.#metrics.discoveryFailures.inc({ reason: 'environment_truncated' });
      const environment = parseServiceEnvironment(bytes);
      if (environment.malformed) this.#metrics.discoveryFailures.inc({ reason: 'environment_malformed' });
      return { environment, cmdline };
    } catch {
      this.#metrics.discoveryFailures.inc({ reason: 'environment_unreadable' });
      return { environment: NO_ENVIRONMENT, cmdline: '' };
    }
  }

  async #containerName(cgroups: CgroupPaths): Promise<ContainerName | undefined> {
    const container = containerOf(cgroups);
    if (container === undefined || container.id === '') return undefined;
    const name = await this.#containerNames.lookup(container.id);
    if (name === undefined) this.#metrics.discoveryFailures.inc({ reason: 'container_unnamed' });
    return name;
  }
}
