// SPDX-License-Identifier: Apache-2.0
//
// A recording that a real JDK makes of a program with known hot functions, read by our decoder and by the JDK's own
// `jfr`: both must see the same events, stacks and values.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { decodeJfr } from '@hearthscope/profile/codecs/jfr/jfr-decode';
import { stableName } from '@hearthscope/profile/codecs/jfr/jfr-generated-names';
import { profileText } from '@hearthscope/profile/codecs/jfr/testing/profile-text';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { temporaryDirectory } from '../../harness/temporary-directory.ts';
import {
  compileJava,
  javaMissing,
  jfrPrint,
  jfrSummary,
  type PrintedEvent,
  recordJava,
} from './java-tools.ts';

const CPU_MILLIS = 1500;
const SAMPLE_RATE_HZ = 100;
const PERIOD_NANOS = 10_000_000;

/** How each event that the JDK has becomes the values of a sample. */
const EXPECTED: readonly {
  readonly event: string;
  readonly profile: string;
  readonly values: (event: PrintedEvent['values']) => readonly number[];
}[] = [
  { event: 'jdk.ExecutionSample', profile: 'cpu', values: () => [PERIOD_NANOS] },
  {
    event: 'jdk.ObjectAllocationInNewTLAB',
    profile: 'alloc_in_new_tlab_objects',
    values: ({ tlabSize }) => [1, tlabSize!],
  },
  {
    event: 'jdk.ObjectAllocationOutsideTLAB',
    profile: 'alloc_outside_tlab_objects',
    values: ({ allocationSize }) => [1, allocationSize!],
  },
  {
    event: 'jdk.ObjectAllocationSample',
    profile: 'alloc_sample_objects',
    values: ({ weight }) => [1, weight!],
  },
  { event: 'jdk.JavaMonitorEnter', profile: 'mutex', values: ({ duration }) => [1, nanosOf(duration!)] },
  { event: 'jdk.ThreadPark', profile: 'block', values: ({ duration }) => [1, nanosOf(duration!)] },
];

function nanosOf(iso: string): number {
  const [, minutes = '0', seconds] = /^PT(?:(\d+)M)?(?:([\d.]+)S)?$/.exec(iso)!;
  return Math.round((Number(minutes) * 60 + Number(seconds ?? 0)) * 1e9);
}

function decode(bytes: Uint8Array) {
  const report = new DecodeReport();
  const options = { timeUnixNanos: 0n, durationNanos: 0n, sampleRateHz: SAMPLE_RATE_HZ };
  const result = decodeJfr(bytes, options, report);
  /** By the type of its period for lock profiles, else of its first sample type. */
  const profiles = new Map(
    result.profiles.map(({ name, profile }) => [
      name === 'mutex' || name === 'block' ? name : profile.sampleTypes[0]!.type,
      profile,
    ]),
  );
  return { ...result, report, profiles };
}

/** Stack → sums. */
function sumsOf(lines: readonly string[]): Map<string, number[]> {
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [
        line.slice(0, space),
        line
          .slice(space + 1)
          .split(',')
          .map(Number),
      ];
    }),
  );
}

describe('a recording of the JDK', { skip: javaMissing(), timeout: 300_000 }, () => {
  const directory = temporaryDirectory('jdk-recording');
  const recording = join(directory, 'hot.jfr');
  let bytes = new Uint8Array(0);

  before(async () => {
    const classes = await compileJava('HotSplit', directory);
    await recordJava(classes, 'HotSplit', recording, String(CPU_MILLIS));
    bytes = readFileSync(recording);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('has as many events of each type as `jfr summary` counts', async () => {
    const { chunks, events } = await jfrSummary(recording);
    events.delete('jdk.Metadata');
    events.delete('jdk.CheckPoint');
    const { eventCounts, ...decoded } = decode(bytes);
    assert.deepEqual(new Map([...eventCounts].sort()), new Map([...events].sort()));
    assert.equal(decoded.chunks, chunks);
    for (const { event } of EXPECTED) assert.ok(events.has(event), `the program made no ${event}`);
  });

  it('has the stacks, lines and values that `jfr print` prints, event by event', async () => {
    const { profiles, report } = decode(bytes);
    let withoutStack = 0;
    for (const { event, profile, values } of EXPECTED) {
      const expected = new Map<string, number[]>();
      const counts = new Map<string, number>();
      for (const printed of await jfrPrint(recording, [event])) {
        const { stackTrace } = printed.values;
        if (stackTrace === null) {
          withoutStack++;
          continue;
        }
        const stack = stackTrace.frames
          .map(({ method, lineNumber }) => {
            const name = `${stableName(method.type.name)}.${method.name}`;
            return lineNumber > 0 ? `${name}:${lineNumber}` : name;
          })
          .reverse()
          .join(';');
        const added = values(printed.values);
        const sums = expected.get(stack) ?? added.map(() => 0);
        expected.set(
          stack,
          sums.map((sum, i) => sum + added[i]!),
        );
        counts.set(stack, (counts.get(stack) ?? 0) + 1);
      }
      const actual = sumsOf(profileText(profiles.get(profile)!));
      assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort(), event);
      for (const [stack, sums] of expected) {
        const ours = actual.get(stack)!;
        sums.forEach((sum, i) => {
          // A duration is printed in whole nanoseconds; ours is rounded once for all events of a stack.
          const tolerance = i === 1 && event.match(/Monitor|Park/) ? counts.get(stack)! : 0;
          assert.ok(Math.abs(ours[i]! - sum) <= tolerance, `${event} ${stack}: ${ours} instead of ${sums}`);
        });
      }
    }
    const rejected = Object.fromEntries(report.rejected.map(({ reason, count }) => [reason, count]));
    assert.equal(rejected.jfr_stack_trace_not_found ?? 0, withoutStack);
    assert.deepEqual(report.repaired, []);
  });

  it('has the CPU time where the program spent it', () => {
    const sums = sumsOf(profileText(decode(bytes).profiles.get('cpu')!));
    const nanosIn = (method: string) =>
      [...sums]
        .filter(([stack]) => stack.includes(`HotSplit.${method}:`))
        .reduce((sum, [, values]) => sum + values[0]!, 0);
    const [hot, warm] = [nanosIn('hot'), nanosIn('warm')];
    const share = hot / (hot + warm);
    assert.ok(share > 0.6 && share < 0.9, `hot has ${share} of the time, not three quarters`);
  });

  it('has the lock that was fought for and the thread that was parked', () => {
    const { profiles } = decode(bytes);
    assert.ok(profileText(profiles.get('mutex')!).some((line) => line.includes('HotSplit.contend:')));
    assert.ok(
      profileText(profiles.get('block')!).some((line) => /HotSplit\.park:.*Unsafe\.park /.test(line)),
    );
  });

  it('adds up over chunks, and keeps the whole ones when it is cut off', async () => {
    const twice = join(directory, 'twice.jfr');
    writeFileSync(twice, Buffer.concat([bytes, bytes]));
    const { chunks, events } = await jfrSummary(twice);
    const both = readFileSync(twice);
    const decoded = decode(both);
    assert.equal(decoded.chunks, chunks);
    for (const { event } of EXPECTED) assert.equal(decoded.eventCounts.get(event), events.get(event), event);

    const cut = decode(both.subarray(0, Math.floor(bytes.length * 1.5)));
    assert.deepEqual(cut.report.repaired, [{ reason: 'jfr_chunk_lost', count: 1 }]);
    assert.deepEqual(profileText(cut.profiles.get('cpu')!), profileText(decode(bytes).profiles.get('cpu')!));
  });

  it('is refused or read when any of its bytes are wrong, and nothing else', () => {
    for (let at = 0; at < bytes.length; at += 997) {
      const changed = Uint8Array.from(bytes);
      for (let i = at; i < Math.min(at + 3, changed.length); i++) changed[i] = 0xff;
      try {
        decode(changed);
      } catch (error) {
        assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument', String(error));
      }
    }
  });
});
