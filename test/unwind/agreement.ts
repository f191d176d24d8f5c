// SPDX-License-Identifier: Apache-2.0
//
// Compares sampled stacks with what gdb says of the same moment: the thread is stopped where it happens to be, gdb walks
// its stack, and then the thread stands still on that instruction, running, until it has been sampled.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { AgentMetrics } from '@hearthscope/agent/metrics';
import { SamplingSession } from '@hearthscope/agent/session';
import { STOP_REASONS } from '@hearthscope/native';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Gdb, type GdbStop } from './gdb-stops.ts';
import { namedFrame } from './sampled-programs.ts';

export interface Target {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface TargetAgreement {
  readonly target: Target;
  /** Compared. */
  stacks: number;
  /** Equal from end to end. */
  equalStacks: number;
  /** Of gdb, or ours where there are more. */
  frames: number;
  equalFrames: number;
  /** gdb gave an error before the end: what it had until then is compared. */
  gdbGaveUp: number;
  /** Led into code without a file, which gdb knows nothing of: compared until there. */
  generatedCode: number;
  /** Stops that gave no sample: the thread was in a system call, or did not stand still. */
  unseen: number;
  /** Compared stacks that did not reach the end, by stop reason. */
  readonly incomplete: Map<string, number>;
  /** Both sides of the first stacks that differ. */
  readonly differences: string[];
}

const FREQUENCY_HZ = 499;
const WARM_UP_MILLIS = 1500;
const MAX_RUN_MILLIS = 12;
const SPIN_MILLIS = 20;
const MAX_DIFFERENCES = 5;
/** gdb takes long to read some programs; then there are fewer stops. */
const MAX_TARGET_MILLIS = 60_000;

/** @param stops by target; each takes about 30 ms, more where gdb has many symbols to look at */
export async function compareWithGdb(
  targets: readonly Target[],
  stops: number,
  progress: (agreement: TargetAgreement) => void = () => {},
): Promise<TargetAgreement[]> {
  const logger = pino({ level: 'silent' });
  const registry = new Registry();
  const session = await SamplingSession.start({
    frequencyHz: FREQUENCY_HZ,
    excludeSelf: true,
    follow: [{ pid: process.pid, sampleItself: false }],
    serviceRules: [],
    symbolCacheBytes: 64 << 20,
    symbolizeTimeoutMillis: 60_000,
    metrics: new AgentMetrics(registry, logger),
    logger,
    registry,
  });
  const results: TargetAgreement[] = [];
  try {
    for (const target of targets) {
      const agreement = await compareTarget(session, target, stops);
      results.push(agreement);
      progress(agreement);
    }
  } finally {
    await session.stop();
  }
  return results;
}

async function compareTarget(
  session: SamplingSession,
  target: Target,
  stops: number,
): Promise<TargetAgreement> {
  const agreement: TargetAgreement = {
    target,
    stacks: 0,
    equalStacks: 0,
    frames: 0,
    equalFrames: 0,
    gdbGaveUp: 0,
    generatedCode: 0,
    unseen: 0,
    incomplete: new Map(),
    differences: [],
  };
  const child = spawn(target.command, target.arguments, {
    stdio: 'ignore',
    env: { ...process.env, ...target.environment },
  });
  const ended = once(child, 'exit');
  try {
    // What it runs is known, and its tables are built, before gdb stops it for the first time.
    for (let waited = 0; waited < WARM_UP_MILLIS; waited += 250) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      await session.collect();
    }
    const gdb = await Gdb.attach(child.pid!);
    try {
      const started = performance.now();
      for (let i = 0; i < stops && isAlive(child); i++) {
        if (performance.now() - started > MAX_TARGET_MILLIS) break;
        const stop = await gdb.stop(1 + Math.random() * MAX_RUN_MILLIS);
        if (stop === undefined) {
          agreement.unseen++;
          continue;
        }
        await session.collect();
        const stood = await gdb.spin(SPIN_MILLIS);
        const sampled = await sampledStack(session, stop);
        if (!stood || sampled === undefined) agreement.unseen++;
        else compare(agreement, stop, sampled);
      }
    } finally {
      await gdb.end();
    }
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  return agreement;
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

interface SampledStack {
  /** User space, leaf first. */
  readonly frames: readonly { readonly address: bigint; readonly name: string }[];
  readonly stopReason: string;
  readonly hasFile: (address: number) => boolean;
}

/** The stack that most samples of the thread have which stood where it was stopped. */
async function sampledStack(
  session: SamplingSession,
  { tid, pc }: GdbStop,
): Promise<SampledStack | undefined> {
  const { batch, frames, images } = await session.collect();
  const leaf = BigInt(pc);
  let best: number | undefined;
  for (let row = 0; row < batch.length; row++) {
    const start = batch.frameStart[row]! + batch.kernelFrameCount[row]!;
    if (batch.tid[row] !== tid || start === batch.frameStart[row + 1] || batch.frames[start] !== leaf)
      continue;
    if (best === undefined || batch.count[row]! > batch.count[best]!) best = row;
  }
  if (best === undefined) return undefined;
  const start = batch.frameStart[best]! + batch.kernelFrameCount[best]!;
  const end = batch.frameStart[best + 1]!;
  const image = images[best]!;
  return {
    frames: Array.from({ length: end - start }, (_, i) => ({
      address: batch.frames[start + i]!,
      name: namedFrame(frames[start + i]!).name,
    })),
    stopReason: STOP_REASONS[batch.stopReason[best]!]!,
    hasFile: (address) => {
      const mapping = image.mappings.find(address);
      return mapping !== undefined && (mapping.file.inode !== 0 || mapping.file.path === '[vdso]');
    },
  };
}

function compare(agreement: TargetAgreement, stop: GdbStop, sampled: SampledStack): void {
  let gdb = [...stop.frames];
  // Where a goroutine or a thread begins, gdb finds one caller more, at address 0.
  while (gdb.at(-1)?.pc === '0') gdb.pop();
  const generated = gdb.findIndex(({ pc }) => !sampled.hasFile(Number(pc)));
  let ours = sampled.frames;
  if (generated >= 0) {
    agreement.generatedCode++;
    gdb = gdb.slice(0, generated);
    ours = ours.slice(0, generated);
  } else if (stop.error !== '') {
    agreement.gdbGaveUp++;
    gdb.pop();
    ours = ours.slice(0, gdb.length);
  }
  const frames = Math.max(gdb.length, ours.length);
  let equal = 0;
  for (let i = 0; i < frames; i++) {
    const [theirs, own] = [gdb[i], ours[i]];
    if (theirs === undefined || own === undefined) break;
    // Callers are kept as the address of the call's last byte.
    const pc = BigInt(theirs.pc);
    if (own.address === pc || own.address === pc - 1n) equal++;
  }
  agreement.stacks++;
  agreement.frames += frames;
  agreement.equalFrames += equal;
  if (sampled.stopReason !== 'end_of_stack') {
    const { incomplete } = agreement;
    incomplete.set(sampled.stopReason, (incomplete.get(sampled.stopReason) ?? 0) + 1);
  }
  if (equal === frames) agreement.equalStacks++;
  else if (agreement.differences.length < MAX_DIFFERENCES) {
    const text = (list: readonly { readonly name: string }[], address: (i: number) => string) =>
      list.map(({ name }, i) => `${name || '?'} ${address(i)}`).join(' < ');
    agreement.differences.push(
      `gdb:  ${text(gdb, (i) => hex(BigInt(gdb[i]!.pc)))}\nours: ${text(ours, (i) => hex(ours[i]!.address))} (${sampled.stopReason})`,
    );
  }
}

function hex(address: bigint): string {
  return address.toString(16);
}

/** Agreement of all targets together, as shares of 1. */
export function totalAgreement(agreements: readonly TargetAgreement[]): {
  readonly stacks: number;
  readonly frames: number;
  readonly equalStacks: number;
  readonly equalFrames: number;
} {
  const sum = (of: (agreement: TargetAgreement) => number) =>
    agreements.reduce((total, agreement) => total + of(agreement), 0);
  const stacks = sum((agreement) => agreement.stacks);
  const frames = sum((agreement) => agreement.frames);
  return {
    stacks,
    frames,
    equalStacks: sum((agreement) => agreement.equalStacks) / stacks,
    equalFrames: sum((agreement) => agreement.equalFrames) / frames,
  };
}
