// SPDX-License-Identifier: Apache-2.0
//
// Profiles the server's own main thread by V8's sampling profilers. CPU samples are taken while somebody waits for them;
// allocations are sampled from the first question on, as the heap can only be told from what was seen coming.

import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import { cpuProfile, heapProfile } from './v8-profile.ts';

const CPU_INTERVAL_MICROS = 10_000;
const HEAP_INTERVAL_BYTES = 524_288;

export class SelfProfiler {
  readonly #session = new Session();
  #isConnected = false;
  #isCpuBusy = false;
  #isHeapSampled = false;

  /** @throws HearthscopeError resource_exhausted while another one is taken, canceled when `signal` is aborted */
  async cpu(seconds: number, signal: AbortSignal): Promise<Profile> {
    if (this.#isCpuBusy) {
      throw new HearthscopeError('resource_exhausted', 'another CPU profile is being taken');
    }
    this.#isCpuBusy = true;
    try {
      this.#connect();
      const startedUnixNanos = unixNanos();
      await this.#session.post('Profiler.enable');
      await this.#session.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL_MICROS });
      await this.#session.post('Profiler.start');
      const isWhole = await sleep(seconds * 1000, true, { signal }).catch(() => false);
      const { profile } = await this.#session.post('Profiler.stop');
      await this.#session.post('Profiler.disable');
      if (!isWhole) throw new HearthscopeError('canceled', 'the CPU profile was given up');
      return cpuProfile(profile, CPU_INTERVAL_MICROS, startedUnixNanos);
    } finally {
      this.#isCpuBusy = false;
    }
  }

  async heap(): Promise<Profile> {
    this.#connect();
    if (!this.#isHeapSampled) {
      await this.#session.post('HeapProfiler.startSampling', { samplingInterval: HEAP_INTERVAL_BYTES });
      this.#isHeapSampled = true;
    }
    const { profile } = await this.#session.post('HeapProfiler.getSamplingProfile');
    return heapProfile(profile, HEAP_INTERVAL_BYTES, unixNanos());
  }

  close(): void {
    if (this.#isConnected) this.#session.disconnect();
    this.#isConnected = false;
  }

  #connect(): void {
    if (!this.#isConnected) this.#session.connect();
    this.#isConnected = true;
  }
}

function unixNanos(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
