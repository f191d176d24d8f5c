// SPDX-License-Identifier: Apache-2.0
//
// The few files of /proc/PID that the agent reads itself. All reads are asynchronous (a process stuck with its memory
// lock held blocks its reader) and capped. A process may end, and its pid be reused, between two reads: whoever combines
// several checks the start time before and after.

import { open, readlink } from 'node:fs/promises';

/** An executable mapping as /proc/PID/maps has it. User addresses are below 2^53 on every supported machine. */
export interface MappedRegion {
  readonly start: number;
  readonly limit: number;
  readonly fileOffset: number;
  /** `major:minor` in hex, as printed by the kernel: `fe:00`. */
  readonly device: string;
  readonly inode: number;
  /** '' for anonymous memory; `[vdso]` and the like for what the kernel maps; a newline in a path is `\012`. */
  readonly path: string;
}

/** Text of a file that may have been cut at its limit. */
export interface CappedText {
  readonly bytes: Buffer;
  readonly truncated: boolean;
}

const MAX_STAT_BYTES = 4096;
const MAX_CGROUP_BYTES = 64 * 1024;
const MAX_CMDLINE_BYTES = 16 * 1024;
export const MAX_ENVIRON_BYTES = 256 * 1024;
/** About 100 000 lines; a JVM with many mappings has some thousands. */
export const MAX_MAPS_BYTES = 8 * 1024 * 1024;
/** The unit of the start time in /proc/PID/stat is USER_HZ, which is 100 on every machine Linux runs on. */
export const NANOS_PER_TICK = 10_000_000n;

/** Reads below one mount of procfs. Each method rejects with the system's error when the process is gone. */
export class Procfs {
  readonly #root: string;

  constructor(root = '/proc') {
    this.#root = root;
  }

  /** The thread-group leader's start in clock ticks since boot. */
  async startTicks(pid: number): Promise<bigint> {
    const { bytes } = await readCapped(`${this.#root}/${pid}/stat`, MAX_STAT_BYTES);
    const ticks = parseStartTicks(bytes.toString('latin1'));
    if (ticks === undefined) throw new Error(`${this.#root}/${pid}/stat has no start time`);
    return ticks;
  }

  async maps(pid: number): Promise<{ regions: MappedRegion[]; truncated: boolean }> {
    const { bytes, truncated } = await readCapped(`${this.#root}/${pid}/maps`, MAX_MAPS_BYTES);
    return { regions: parseExecutableMappings(bytes.toString('utf8')), truncated };
  }

  environ(pid: number): Promise<CappedText> {
    return readCapped(`${this.#root}/${pid}/environ`, MAX_ENVIRON_BYTES);
  }

  /** The arguments joined by spaces. */
  async cmdline(pid: number): Promise<string> {
    const { bytes } = await readCapped(`${this.#root}/${pid}/cmdline`, MAX_CMDLINE_BYTES);
    return bytes.toString('utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
  }

  async cgroup(pid: number): Promise<string> {
    return (await readCapped(`${this.#root}/${pid}/cgroup`, MAX_CGROUP_BYTES)).bytes.toString('utf8');
  }

  exe(pid: number): Promise<string> {
    return readlink(`${this.#root}/${pid}/exe`);
  }
}

/** Field 22 of /proc/PID/stat. The comm before it is in parentheses and may hold spaces and parentheses itself. */
export function parseStartTicks(stat: string): bigint | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields[19];
  return ticks !== undefined && /^\d+$/.test(ticks) ? BigInt(ticks) : undefined;
}

const MAPS_LINE = /^([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)$/;

/** The executable lines of /proc/PID/maps in the file's order, which is that of addresses. A cut last line is dropped. */
export function parseExecutableMappings(maps: string): MappedRegion[] {
  const regions: MappedRegion[] = [];
  const lines = maps.split('\n');
  // Each whole line ends in a newline, so the last part is either empty or cut off.
  lines.pop();
  for (const line of lines) {
    const match = MAPS_LINE.exec(line);
    if (match === null) continue;
    const [, start, limit, offset, device, inode, path] = match as unknown as [string, ...string[]] &
      Record<1 | 2 | 3 | 4 | 5 | 6, string>;
    regions.push({
      start: Number.parseInt(start, 16),
      limit: Number.parseInt(limit, 16),
      fileOffset: Number.parseInt(offset, 16),
      device,
      inode: Number(inode),
      path,
    });
  }
  return regions;
}

const FIRST_READ_BYTES = 8192;

/** procfs files have no size, so they are read until their end or the limit, into a buffer that grows when it is full. */
async function readCapped(path: string, maxBytes: number): Promise<CappedText> {
  await using file = await open(path);
  let buffer = Buffer.allocUnsafe(Math.min(maxBytes, FIRST_READ_BYTES));
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    length += bytesRead;
    if (bytesRead === 0) return { bytes: buffer.subarray(0, length), truncated: false };
    if (length < buffer.length) continue;
    if (length === maxBytes) return { bytes: buffer, truncated: true };
    const larger = Buffer.allocUnsafe(Math.min(maxBytes, 2 * length));
    buffer.copy(larger);
    buffer = larger;
  }
}
