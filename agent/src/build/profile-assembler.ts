// SPDX-License-Identifier: Apache-2.0
//
// Puts resolved rows into one profile. Values are counts of samples, and for recordings CPU time as well.

import { STOP_REASONS } from '@hearthscope/native';
import type { AttributeIndex, AttributeSetIndex, Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { executableName } from '../discovery/service-name.ts';
import { COMPLETE_STOP_REASONS } from '../unwind/stack-report.ts';
import type { ResolvedBatch } from './batch-resolver.ts';
import type { Frame } from './frame.ts';

const NANOS_PER_SECOND = 1_000_000_000n;

export interface ProfileTiming {
  readonly startUnixNanos: bigint;
  readonly durationNanos: bigint;
  readonly frequencyHz: number;
}

export class ProfileAssembler {
  readonly #builder: ProfileBuilder;
  readonly #period: bigint;
  readonly #cpuTime: boolean;
  readonly #locations = new Map<Frame, number>();
  readonly #attributeSets = new Map<string, AttributeSetIndex>();
  #rows = 0;

  /** @param options.cpuTime adds the sample type cpu:nanoseconds beside samples:count */
  constructor(timing: ProfileTiming, options: { cpuTime: boolean }) {
    this.#cpuTime = options.cpuTime;
    this.#period = NANOS_PER_SECOND / BigInt(timing.frequencyHz);
    const cpu = { type: 'cpu', unit: 'nanoseconds' };
    const samples = { type: 'samples', unit: 'count' };
    this.#builder = new ProfileBuilder({
      timeUnixNanos: timing.startUnixNanos,
      durationNanos: timing.durationNanos,
      sampleTypes: options.cpuTime ? [samples, cpu] : [samples],
      periodType: cpu,
      period: this.#period,
    });
  }

  get rows(): number {
    return this.#rows;
  }

  add(resolved: ResolvedBatch, row: number): void {
    const { batch, frames } = resolved;
    const locations: number[] = [];
    for (let i = batch.frameStart[row]!; i < batch.frameStart[row + 1]!; i++) {
      locations.push(this.#location(frames[i]!));
    }
    const count = BigInt(batch.count[row]!);
    this.#builder.addSample(
      this.#builder.stack(locations),
      this.#cpuTime ? [count, count * this.#period] : [count],
      { attributeSet: this.#attributeSet(resolved, row) },
    );
    this.#rows++;
  }

  build(): Profile {
    return this.#builder.build();
  }

  #location(frame: Frame): number {
    let location = this.#locations.get(frame);
    if (location === undefined) {
      const { address, type } = frame;
      location = this.#builder.location({
        mapping: this.#builder.mapping(frame.mapping),
        address,
        frameType: type,
        lines: frame.lines.map(({ name, systemName, file, startLine, line, column }) => ({
          function: this.#builder.function({ name, systemName, filename: file, startLine }),
          line,
          column,
        })),
      });
      this.#locations.set(frame, location);
    }
    return location;
  }

  #attributeSet({ batch, processes, images }: ResolvedBatch, row: number): AttributeSetIndex {
    const process = processes[row]!;
    const { exe, containerId } = images[row]!;
    const comm = batch.comms[batch.comm[row]!] ?? '';
    const stopReason = STOP_REASONS[batch.stopReason[row]!] ?? 'unknown';
    const key = `${process.pid} ${batch.tid[row]} ${batch.stopReason[row]} ${comm}\0${exe}`;
    let set = this.#attributeSets.get(key);
    if (set === undefined) {
      const attributes: AttributeIndex[] = [
        this.#builder.attribute({ key: 'process.pid', value: BigInt(process.pid), unit: '' }),
        this.#builder.attribute({ key: 'thread.id', value: BigInt(batch.tid[row]!), unit: '' }),
      ];
      const text = (name: string, value: string): void => {
        if (value !== '') attributes.push(this.#builder.attribute({ key: name, value, unit: '' }));
      };
      text('thread.name', comm);
      text('process.executable.name', executableName(exe));
      text('container.id', containerId);
      if (!COMPLETE_STOP_REASONS.has(stopReason)) text('hearthscope.stack.stop_reason', stopReason);
      set = this.#builder.attributeSet(attributes);
      this.#attributeSets.set(key, set);
    }
    return set;
  }
}
