// SPDX-License-Identifier: Apache-2.0
//
// What a process costs, by the kernel's own accounting: CPU of all its threads and children, resident memory, and the run
// time of the BPF programs it holds (which the kernel charges to whatever they interrupt, not to the process).

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** User and system CPU seconds of a process and the children it has reaped. Resolution: one clock tick. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / ticksPerSecond;
}

/** The same to the nanosecond, without reaped children: from the scheduler's accounts of each thread. */
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
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    let info: string;
    try {
      info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
    } catch {
      continue; // The descriptor was closed since the directory was read.
    }
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

/** The process itself and all its descendants. */
export function processTree(pid: number): number[] {
  const pids = [pid];
  for (let i = 0; i < pids.length; i++) {
    for (const thread of readdirSync(`/proc/${pids[i]}/task`)) {
      const children = readFileSync(`/proc/${pids[i]}/task/${thread}/children`, 'utf8').trim();
      if (children !== '') pids.push(...children.split(' ').map(Number));
    }
  }
  return pids;
}
