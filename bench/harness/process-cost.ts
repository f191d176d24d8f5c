// SPDX-License-Identifier: Apache-2.0
//
// What a process costs, by the kernel's own accounting: CPU of all its threads, resident memory, and the run
// time of the BPF programs it holds (which the kernel charges to whatever they interrupt, not to the process).

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU seconds of a process, of all its threads, to the nanosecond: from the scheduler's accounts. Children are not in it. */
export function threadCpuSeconds(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanos / 1e9;
}

export function residentMegabytes(pid: number): number {
  const kibibytes = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m)?.[1];
  return (Number(kibibytes) * 1024) / 1e6;
}

export interface BpfRun {
  readonly seconds: number;
  readonly runs: number;
}

/** Run time of all BPF programs a process has open, while {@link withBpfStatistics} is in effect. */
export function bpfRun(pid: number): BpfRun {
  let nanos = 0;
  let runs = 0;
  const seen = new Set<string>();
  for (const info of descriptorsOf(pid)) {
    const program = info.match(/^prog_id:\s+(\d+)/m)?.[1];
    const time = info.match(/^run_time_ns:\s+(\d+)/m)?.[1];
    if (program === undefined || time === undefined || seen.has(program)) continue;
    seen.add(program);
    nanos += Number(time);
    runs += Number(info.match(/^run_cnt:\s+(\d+)/m)?.[1]);
  }
  return { seconds: nanos / 1e9, runs };
}

/** Turns the kernel's BPF run-time statistics on for the time of `measure`. */
export async function withBpfStatistics<T>(measure: () => Promise<T>): Promise<T> {
  const control = '/proc/sys/kernel/bpf_stats_enabled';
  const before = readFileSync(control, 'utf8');
  writeFileSync(control, '1');
  try {
    return await measure();
  } finally {
    writeFileSync(control, before);
  }
}

/** Memory of all BPF maps a process has open, as the kernel accounts it. Each map counts once. */
export function bpfMapMegabytes(pid: number): number {
  let bytes = 0;
  const seen = new Set<string>();
  for (const info of descriptorsOf(pid)) {
    const map = info.match(/^map_id:\s+(\d+)/m)?.[1];
    const memory = info.match(/^memlock:\s+(\d+)/m)?.[1];
    if (map === undefined || memory === undefined || seen.has(map)) continue;
    seen.add(map);
    bytes += Number(memory);
  }
  return bytes / 1e6;
}

/** What the kernel says of each open descriptor of a process. */
function* descriptorsOf(pid: number): Generator<string> {
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    let info: string;
    try {
      info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    } catch {
      continue; // The descriptor was closed since the directory was read.
    }
    yield info;
  }
}
