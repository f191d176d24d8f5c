// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { Registry } from 'prom-client';
import { walMetrics } from '../storage-metrics.ts';
import { RecordingLog } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { storedPayload } from './payload.ts';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './segment-format.ts';
import { DEFAULT_WAL_LIMITS, Wal, type WalLimits } from './wal.ts';

interface OpenWal {
  readonly wal: Wal;
  /** Payloads that were there when it was opened. */
  readonly replayed: string[];
  readonly log: RecordingLog;
  readonly registry: Registry;
  readonly states: (string | undefined)[];
}

async function openWal(directory: string, limits: Partial<WalLimits> = {}): Promise<OpenWal> {
  const replayed: string[] = [];
  const log = new RecordingLog();
  const registry = new Registry();
  const states: (string | undefined)[] = [];
  const { wal } = await Wal.open({
    lastKnownSequence: 0,
    directory,
    limits: { ...DEFAULT_WAL_LIMITS, ...limits },
    onFrame: (payload) => replayed.push(Buffer.from(payload).toString()),
    onStateChange: (failure) => states.push(failure),
    metrics: walMetrics(registry),
    log,
  });
  return { wal, replayed, log, registry, states };
}

async function metric(
  registry: Registry,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
  const wanted = Object.entries(labels);
  return values
    .filter((value) => wanted.every(([label, text]) => value.labels[label] === text))
    .reduce((sum, { value }) => sum + value, 0);
}

function append(wal: Wal, ...texts: string[]): Promise<void> {
  return wal.append(texts.map((text) => storedPayload(Buffer.from(text))));
}

function segments(directory: string): string[] {
  return readdirSync(directory).sort();
}

/** A log with these payloads, closed; returns its only segment. */
async function writtenSegment(
  directory: string,
  texts: readonly string[],
): Promise<{ path: string; bytes: Buffer }> {
  const { wal } = await openWal(directory);
  for (const text of texts) await append(wal, text);
  await wal.close();
  const path = join(directory, segments(directory)[0]!);
  return { path, bytes: readFileSync(path) };
}

async function replay(directory: string): Promise<OpenWal> {
  const opened = await openWal(directory);
  await opened.wal.close();
  return opened;
}

test('what was appended is replayed in order, once, however often it is opened', async (t) => {
  const directory = testDirectory(t);
  const texts = ['one', 'two', 'x'.repeat(100_000), ''];
  await writtenSegment(directory, texts);
  for (let i = 0; i < 3; i++) assert.deepEqual((await replay(directory)).replayed, texts);
  assert.equal(segments(directory).length, 2, 'unused segments do not pile up');
});

test('appends that wait for one another share an fsync', async (t) => {
  const { wal, registry } = await openWal(testDirectory(t));
  await Promise.all(Array.from({ length: 200 }, (_, i) => append(wal, `frame ${i}`)));
  await wal.close();
  const groups = (await registry.getSingleMetric('hearthscope_wal_group_frames')!.get()).values.find(
    (value) => 'metricName' in value && value.metricName === 'hearthscope_wal_group_frames_count',
  )!.value;
  assert.ok(groups < 20, `${groups} groups for 200 frames`);
});

test('a full segment is followed by another, and all are replayed', async (t) => {
  const directory = testDirectory(t);
  const { wal } = await openWal(directory, { maxSegmentBytes: 300 });
  const texts = Array.from({ length: 20 }, (_, i) => `frame ${i} ${'.'.repeat(50)}`);
  for (const text of texts) await append(wal, text);
  await wal.close();
  assert.ok(segments(directory).length > 4);
  const { replayed, log } = await replay(directory);
  assert.deepEqual(replayed, texts);
  assert.deepEqual(log.messages('warn'), []);
});

test('a group larger than the limit is written alone', async (t) => {
  const directory = testDirectory(t);
  const { wal } = await openWal(directory, { maxGroupBytes: 100 });
  const texts = ['a'.repeat(200), 'b', 'c'.repeat(200), 'd'];
  await Promise.all(texts.map((text) => append(wal, text)));
  await wal.close();
  assert.deepEqual((await replay(directory)).replayed, texts);
});

test('a tail torn at any byte of the last frame costs that frame and nothing else', async (t) => {
  const directory = testDirectory(t);
  const { path, bytes } = await writtenSegment(directory, ['one', 'two', 'the last one']);
  const lastFrame = bytes.length - FRAME_HEADER_BYTES - 'the last one'.length;
  for (let length = lastFrame; length < bytes.length; length++) {
    writeFileSync(path, bytes.subarray(0, length));
    const { replayed, log, registry } = await replay(directory);
    assert.deepEqual(replayed, ['one', 'two'], `cut to ${length} bytes`);
    const torn = length > lastFrame ? 1 : 0;
    assert.equal(
      await metric(registry, 'hearthscope_wal_replay_problems_total', { reason: 'torn_tail' }),
      torn,
    );
    assert.equal(log.messages('warn').length, torn);
    assert.equal(statSync(path).size, lastFrame, 'the tail is cut off');
    assert.deepEqual((await replay(directory)).log.messages('warn'), [], 'and reported once');
    for (const name of segments(directory)) rmSync(join(directory, name));
  }
});

test('a tail of zeroes, as a crash of the machine may leave, is cut off', async (t) => {
  const directory = testDirectory(t);
  const { path, bytes } = await writtenSegment(directory, ['one', 'two']);
  writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(5000)]));
  assert.deepEqual((await replay(directory)).replayed, ['one', 'two']);
  assert.equal(statSync(path).size, bytes.length);
});

test('a bit flipped anywhere costs the frame it hits and nothing else', async (t) => {
  const directory = testDirectory(t);
  const texts = ['one', 'two', 'three', 'four'];
  const { path, bytes } = await writtenSegment(directory, texts);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1 << (at % 8);
    writeFileSync(path, damaged);
    const { replayed, registry } = await replay(directory);
    const hit = frameAt(texts, at);
    // The frames of a segment whose header is damaged are all there.
    const expected = texts.filter((_, i) => i !== hit);
    assert.deepEqual(replayed, expected, `byte ${at}`);
    const problems = await metric(registry, 'hearthscope_wal_replay_problems_total');
    assert.equal(problems, 1, `byte ${at}`);
    const lost = await metric(registry, 'hearthscope_wal_lost_frames_total');
    // That a damaged tail was a frame cannot be known.
    if (hit !== -1 && hit !== texts.length - 1) assert.equal(lost, 1, `byte ${at}`);
    for (const name of segments(directory)) rmSync(join(directory, name));
  }
});

/** Which frame a byte belongs to, -1 for the segment's header. */
function frameAt(texts: readonly string[], at: number): number {
  let end = SEGMENT_HEADER_BYTES;
  if (at < end) return -1;
  return texts.findIndex((text) => {
    end += FRAME_HEADER_BYTES + text.length;
    return at < end;
  });
}

test('a payload that looks like frames of the log is not taken for one', async (t) => {
  const directory = testDirectory(t);
  const other = await writtenSegment(testDirectory(t), ['forged']);
  const forged = other.bytes.subarray(SEGMENT_HEADER_BYTES);
  const { wal } = await openWal(directory);
  await append(wal, 'one');
  await wal.append([{ bytes: forged, compressed: false, rawBytes: forged.length }]);
  await append(wal, 'two');
  await wal.close();
  const path = join(directory, segments(directory)[0]!);
  const bytes = readFileSync(path);
  bytes[SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + 3]! ^= 1;
  writeFileSync(path, bytes);
  assert.deepEqual((await replay(directory)).replayed, ['one', 'two']);
});

test('a segment of an unknown version is refused, and left as it is', async (t) => {
  const directory = testDirectory(t);
  const { path, bytes } = await writtenSegment(directory, ['one']);
  bytes.writeUInt32LE(7, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SEGMENT_HEADER_BYTES - 4)), SEGMENT_HEADER_BYTES - 4);
  writeFileSync(path, bytes);
  await assert.rejects(
    openWal(directory),
    (error) =>
      error instanceof HearthscopeError &&
      error.code === 'failed_precondition' &&
      /000000000001\.wal has format version 7, this Hearthscope reads version 1/.test(error.message),
  );
  assert.deepEqual(readFileSync(path), bytes);
});

test('a missing segment is noticed', async (t) => {
  const directory = testDirectory(t);
  const { wal } = await openWal(directory, { maxSegmentBytes: 1 });
  for (const text of ['one', 'two', 'three']) await append(wal, text);
  await wal.close();
  rmSync(join(directory, '000000000002.wal'));
  const { replayed, log } = await replay(directory);
  assert.deepEqual(replayed, ['one', 'three']);
  assert.deepEqual(log.messages('error'), ['WAL segments are missing']);
});

test('a frame that its reader refuses is counted and stepped over', async (t) => {
  const directory = testDirectory(t);
  await writtenSegment(directory, ['one', 'bad', 'two']);
  const registry = new Registry();
  const seen: string[] = [];
  const { wal } = await Wal.open({
    lastKnownSequence: 0,
    directory,
    limits: DEFAULT_WAL_LIMITS,
    onFrame: (payload) => {
      const text = Buffer.from(payload).toString();
      if (text === 'bad') throw new HearthscopeError('invalid_argument', 'no such thing');
      seen.push(text);
    },
    onStateChange: () => undefined,
    metrics: walMetrics(registry),
    log: new RecordingLog(),
  });
  await wal.close();
  assert.deepEqual(seen, ['one', 'two']);
  const reason = 'undecodable_frame';
  assert.equal(await metric(registry, 'hearthscope_wal_replay_problems_total', { reason }), 1);
});

test('frames of a failed write are not replayed when the next segment says so', async (t) => {
  const directory = testDirectory(t);
  const { wal } = await openWal(directory, { maxSegmentBytes: 1 });
  await append(wal, 'one');
  await append(wal, 'two');
  await wal.close();
  // A whole frame after the acknowledged part of segment 1, as a write whose fsync failed leaves it.
  const path = join(directory, '000000000001.wal');
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.concat([bytes, bytes.subarray(SEGMENT_HEADER_BYTES)]));
  assert.deepEqual((await replay(directory)).replayed, ['one', 'two']);
  // That stays so when nothing was written to the segment that says so, and it is replaced at each start.
  for (const name of segments(directory).slice(1)) rmSync(join(directory, name));
  writeFileSync(path, bytes);
  await (await openWal(directory)).wal.close();
  writeFileSync(path, Buffer.concat([bytes, bytes.subarray(SEGMENT_HEADER_BYTES)]));
  for (let i = 0; i < 3; i++) assert.deepEqual((await replay(directory)).replayed, ['one']);
});

/** A directory on a file system of its own, or undefined when the test cannot have one. */
function limitedDirectory(t: TestContext, sizeKib: number): string | undefined {
  let mounted = false;
  const directory = testDirectory(t, (path) => {
    if (mounted) execFileSync('umount', [path]);
  });
  if (process.getuid?.() !== 0) {
    t.skip('SKIPPED: a file system of limited size needs root');
    return undefined;
  }
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKib}k`, 'tmpfs', directory], { stdio: 'pipe' });
  } catch (error) {
    t.skip(`SKIPPED: mount is not allowed here: ${String(error)}`);
    return undefined;
  }
  mounted = true;
  return directory;
}

test('a full disk acknowledges nothing, keeps what was acknowledged, and recovers by itself', async (t) => {
  const directory = limitedDirectory(t, 256);
  if (directory === undefined) return;
  const limits = { retryMillis: 20, minFreeBytes: 64 * 1024 };
  const { wal, log, states, registry } = await openWal(directory, limits);
  const acknowledged: string[] = [];
  let refused = 0;
  for (let i = 0; i < 40; i++) {
    const text = `${i} ${Buffer.from(Array.from({ length: 10_000 }, () => Math.random() * 256)).toString('base64')}`;
    try {
      await append(wal, text);
      acknowledged.push(text);
    } catch (error) {
      assert.ok(error instanceof HearthscopeError && error.code === 'unavailable');
      assert.match(error.message, /ENOSPC.*free some space/);
      refused++;
    }
  }
  assert.ok(acknowledged.length > 5, `${acknowledged.length} were acknowledged`);
  assert.ok(refused > 5, `${refused} were refused`);
  assert.equal(log.messages('error').length, 1, 'logged once');
  assert.match(states[0] ?? '', /ENOSPC/);
  assert.ok((await metric(registry, 'hearthscope_wal_failures_total', { reason: 'ENOSPC' })) >= 1);

  execFileSync('mount', ['-o', 'remount,size=1024k', directory]);
  while (states.at(-1) !== undefined) await sleep(5);
  await append(wal, 'after');
  await wal.close();
  assert.deepEqual((await replay(directory)).replayed, [...acknowledged, 'after']);
});

test('after close nothing is taken', async (t) => {
  const { wal } = await openWal(testDirectory(t));
  const written = append(wal, 'one');
  await wal.close();
  await written;
  await assert.rejects(append(wal, 'two'), /shutting down/);
});
