// SPDX-License-Identifier: Apache-2.0
//
// Reads from /proc and /sys what decides whether the agent can run here. Loads no native code, so that the supervisor
// can ask before it starts the agent.

import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { missingCapabilities, type Need, ownCapabilities } from './capabilities.ts';

/** The first kernel with all that the agent's BPF programs use. */
const MIN_KERNEL = [5, 10] as const;
const BTF_PATH = '/sys/kernel/btf/vmlinux';
/** linux/magic.h */
const CGROUP2_SUPER_MAGIC = 0x63677270;

export interface HostReport {
  readonly kernel: {
    readonly release: string;
    readonly arch: string;
    readonly supported: boolean;
    readonly lockdown: string;
  };
  readonly btf: { readonly path: string; readonly available: boolean; readonly bytes: number };
  readonly capabilities: {
    readonly effective: readonly string[];
    readonly missing: readonly Need[];
    readonly isRoot: boolean;
  };
  readonly kallsyms: { readonly kptrRestrict: number | null; readonly addressesVisible: boolean };
  readonly cgroup: { readonly version: 'v2' | 'v1' | 'hybrid' | 'none' };
  readonly perf: {
    readonly eventParanoid: number | null;
    readonly eventMaxStack: number | null;
    readonly maxSampleRateHz: number | null;
    readonly cpuTimeMaxPercent: number | null;
  };
}

export function readHost(): HostReport {
  const effective = ownCapabilities();
  return {
    kernel: {
      release: release(),
      arch: process.arch,
      supported: isSupported(release()),
      lockdown: lockdown(),
    },
    btf: btf(),
    capabilities: { effective, missing: missingCapabilities(effective), isRoot: process.geteuid?.() === 0 },
    kallsyms: { kptrRestrict: sysctl('kptr_restrict'), addressesVisible: kernelAddressesVisible() },
    cgroup: { version: cgroupVersion() },
    perf: {
      eventParanoid: sysctl('perf_event_paranoid'),
      eventMaxStack: sysctl('perf_event_max_stack'),
      maxSampleRateHz: sysctl('perf_event_max_sample_rate'),
      cpuTimeMaxPercent: sysctl('perf_cpu_time_max_percent'),
    },
  };
}

/** Sentences that say why the agent cannot run on this host as this user, and what to do; empty when it can. */
export function hostObstacles(host: HostReport): string[] {
  const obstacles: string[] = [];
  if (!host.kernel.supported) {
    obstacles.push(`Linux ${host.kernel.release} is too old: it needs ${MIN_KERNEL.join('.')} or newer.`);
  }
  if (!host.btf.available) {
    obstacles.push(
      `the kernel has no readable type information in ${BTF_PATH}: run a kernel built with CONFIG_DEBUG_INFO_BTF=y.`,
    );
  }
  if (host.kernel.lockdown === 'confidentiality') {
    obstacles.push(
      'kernel lockdown is in confidentiality mode, which forbids BPF to read memory: boot with lockdown=integrity.',
    );
  }
  const missing = host.capabilities.missing.filter(({ required }) => required).map(({ name }) => name);
  if (missing.length > 0) {
    obstacles.push(
      host.capabilities.isRoot
        ? `this root lacks ${missing.join(', ')}: give them to the container or service it runs in.`
        : `it needs root (or ${missing.join(', ')}): start it with sudo.`,
    );
  }
  return obstacles;
}

function isSupported(kernelRelease: string): boolean {
  const [major = 0, minor = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  return major > MIN_KERNEL[0] || (major === MIN_KERNEL[0] && minor >= MIN_KERNEL[1]);
}

/** What every read below does with a file that is missing or forbidden: that is an answer, not a failure. */
function readOr<T>(path: string, fallback: T, parse: (text: string) => T): T {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch {
    return fallback;
  }
}

function lockdown(): string {
  return readOr(
    '/sys/kernel/security/lockdown',
    'unknown',
    (text) => /\[(\w+)\]/.exec(text)?.[1] ?? 'unknown',
  );
}

function btf(): HostReport['btf'] {
  try {
    accessSync(BTF_PATH, constants.R_OK);
    return { path: BTF_PATH, available: true, bytes: statSync(BTF_PATH).size };
  } catch {
    return { path: BTF_PATH, available: false, bytes: 0 };
  }
}

function sysctl(name: string): number | null {
  return readOr<number | null>(`/proc/sys/kernel/${name}`, null, (text) => {
    const value = Number(text);
    return Number.isFinite(value) ? value : null;
  });
}

/** A reader without the right to see them is shown zeros, with no error. */
function kernelAddressesVisible(): boolean {
  return readOr('/proc/kallsyms', false, (text) => /^0*[1-9a-f][0-9a-f]* /m.test(text));
}

function cgroupVersion(): HostReport['cgroup']['version'] {
  try {
    if (statfsSync('/sys/fs/cgroup').type === CGROUP2_SUPER_MAGIC) return 'v2';
  } catch {
    return 'none';
  }
  const mounts = readOr('/proc/self/mounts', '', (text) => text);
  const v1 = / cgroup /m.test(mounts);
  const v2 = / cgroup2 /m.test(mounts);
  return v1 ? (v2 ? 'hybrid' : 'v1') : v2 ? 'v2' : 'none';
}
