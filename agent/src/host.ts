// SPDX-License-Identifier: Apache-2.0
//
// What is said of the host in every resource. Read once at start: systeminformation starts helper processes, which has
// no place in a loop. The name is known at once; the rest is added when it arrives.

import { once } from 'node:events';
import { arch, hostname, release, type } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Attribute } from '@hearthscope/profile/profile';
import type { HostFacts } from './host-worker.ts';
import type { AgentMetrics } from './metrics.ts';

/** Helpers that hang are left behind after this time, and the attributes stay out. */
const MAX_READ_MILLIS = 10_000;
const WORKER_LIMITS = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4 };

/** `host.arch` as OpenTelemetry's semantic conventions spell it. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Grows once, when the slow part has been read. */
export class HostAttributes {
  #attributes: readonly Attribute[];

  constructor() {
    this.#attributes = attributesOf({
      'host.name': hostname(),
      'host.arch': ARCHITECTURES[arch()] ?? arch(),
      'os.type': type().toLowerCase(),
      'os.kernel.release': release(),
    });
  }

  get current(): readonly Attribute[] {
    return this.#attributes;
  }

  /** Reads the rest. Never rejects; a failure is counted. */
  async load(metrics: AgentMetrics): Promise<void> {
    const worker = new Worker(new URL(`./host-worker${extname(import.meta.url)}`, import.meta.url), {
      resourceLimits: WORKER_LIMITS,
      name: 'host',
    });
    worker.unref();
    try {
      const { osName, osVersion, cpuModel } = await factsOf(worker);
      this.#attributes = [
        ...this.#attributes,
        ...attributesOf({ 'os.name': osName, 'os.version': osVersion, 'host.cpu.model.name': cpuModel }),
      ];
    } catch (error) {
      metrics.countOnce(metrics.hostFailures, 'host_attributes', 1, error);
    } finally {
      await worker.terminate();
    }
  }
}

/** Rejects with what made the worker fail, or when it takes too long. */
async function factsOf(worker: Worker): Promise<HostFacts> {
  const [facts] = await once(worker, 'message', { signal: AbortSignal.timeout(MAX_READ_MILLIS) });
  return facts as HostFacts;
}

function attributesOf(values: Readonly<Record<string, string>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]) => (value === '' ? [] : [{ key, value, unit: '' }]));
}
