// SPDX-License-Identifier: Apache-2.0
//
// What V8's profilers tell, as profiles. Both tell a tree of call frames; a sample is a node of it.

import type { HeapProfiler, Profiler, Runtime } from 'node:inspector';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder, type ProfileHeader } from '@hearthscope/profile/profile-builder';

interface CallNode {
  readonly callFrame: Runtime.CallFrame;
}

/** A frame with its callers above it. */
interface Frame extends CallNode {
  readonly parent: Frame | undefined;
}

/** Time in which the thread waits; it is not CPU time. */
const IDLE = '(idle)';
const ROOT = '(root)';
const NANOS_PER_MICRO = 1000n;

/** @param intervalMicros between two samples */
export function cpuProfile(v8: Profiler.Profile, intervalMicros: number, timeUnixNanos: bigint): Profile {
  const period = BigInt(intervalMicros) * NANOS_PER_MICRO;
  const builder = builderOf({
    timeUnixNanos,
    durationNanos: BigInt(Math.round(v8.endTime - v8.startTime)) * NANOS_PER_MICRO,
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period,
  });
  const byId = new Map(v8.nodes.map((node) => [node.id, node]));
  const frames = new Map<number, Frame>();
  const visit = (node: Profiler.ProfileNode, parent: Frame | undefined): void => {
    const frame = { callFrame: node.callFrame, parent };
    frames.set(node.id, frame);
    for (const child of node.children ?? []) visit(byId.get(child)!, frame);
  };
  if (v8.nodes.length > 0) visit(v8.nodes[0]!, undefined);
  const counts = new Map<number, bigint>();
  for (const id of v8.samples ?? []) counts.set(id, (counts.get(id) ?? 0n) + 1n);
  for (const [id, count] of counts) {
    const frame = frames.get(id);
    if (frame === undefined || [IDLE, ROOT].includes(frame.callFrame.functionName)) continue;
    builder.addSample(stackOf(builder, frame), [count, count * period]);
  }
  return builder.build();
}

/** What is alive of what was allocated since the sampling began. */
export function heapProfile(
  v8: HeapProfiler.SamplingHeapProfile,
  intervalBytes: number,
  timeUnixNanos: bigint,
): Profile {
  const builder = builderOf({
    timeUnixNanos,
    durationNanos: 0n,
    sampleTypes: [{ type: 'inuse_space', unit: 'bytes' }],
    periodType: { type: 'space', unit: 'bytes' },
    period: BigInt(intervalBytes),
  });
  const visit = (node: HeapProfiler.SamplingHeapProfileNode, parent: Frame | undefined): void => {
    const frame = { callFrame: node.callFrame, parent };
    if (node.selfSize > 0) builder.addSample(stackOf(builder, frame), [BigInt(Math.round(node.selfSize))]);
    for (const child of node.children) visit(child, frame);
  };
  visit(v8.head, undefined);
  return builder.build();
}

function builderOf(header: ProfileHeader): ProfileBuilder {
  return new ProfileBuilder({
    ...header,
    comments: ['Of the main thread. Storing and querying have their own.'],
  });
}

function stackOf(builder: ProfileBuilder, leaf: Frame): number {
  const locations: number[] = [];
  for (let frame: Frame | undefined = leaf; frame !== undefined; frame = frame.parent) {
    const { functionName, url, lineNumber } = frame.callFrame;
    if (functionName === ROOT) continue;
    const name = functionName === '' ? '(anonymous)' : functionName;
    // V8 counts lines from 0, and has -1 for what is no code of a file.
    const startLine = Math.max(0, lineNumber + 1);
    const index = builder.function({ name, filename: url, startLine });
    const lines = [{ function: index, line: startLine }];
    locations.push(builder.location({ mapping: 0, address: 0n, frameType: 'v8js', lines }));
  }
  return builder.stack(locations);
}
