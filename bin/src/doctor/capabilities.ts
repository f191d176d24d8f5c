// SPDX-License-Identifier: Apache-2.0
//
// The capabilities of this process by name, and which of them the agent needs for what.

import { readFileSync } from 'node:fs';

/** By bit number, as in linux/capability.h. */
const NAMES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
];

export interface Need {
  readonly name: string;
  /** Any of these will do. */
  readonly anyOf: readonly string[];
  /** Without it the agent does not start; otherwise it runs and loses what `purpose` says. */
  readonly required: boolean;
  readonly purpose: string;
}

/** What the agent needs, and for what. */
export const CAPABILITY_NEEDS: readonly Need[] = [
  {
    name: 'CAP_BPF',
    anyOf: ['CAP_BPF', 'CAP_SYS_ADMIN'],
    required: true,
    purpose: 'load BPF programs and maps',
  },
  {
    name: 'CAP_PERFMON',
    anyOf: ['CAP_PERFMON', 'CAP_SYS_ADMIN'],
    required: true,
    purpose: 'sample every CPU and read stacks',
  },
  {
    name: 'CAP_SYS_PTRACE',
    anyOf: ['CAP_SYS_PTRACE'],
    required: true,
    purpose: "read other users' mappings and environment in /proc",
  },
  {
    name: 'CAP_DAC_READ_SEARCH',
    anyOf: ['CAP_DAC_READ_SEARCH', 'CAP_DAC_OVERRIDE'],
    required: false,
    purpose: 'read the symbols of binaries that only their owner may read',
  },
  {
    name: 'CAP_SYSLOG',
    anyOf: ['CAP_SYSLOG'],
    required: false,
    purpose: 'read the addresses of kernel symbols',
  },
];

/** Names of the bits of `CapEff` in the text of /proc/PID/status; a bit newer than our list is `CAP_<number>`. */
export function effectiveCapabilities(status: string): string[] {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (hex === undefined) return [];
  let bits = BigInt(`0x${hex}`);
  const names: string[] = [];
  for (let bit = 0; bits !== 0n; bit++, bits >>= 1n) {
    if (bits & 1n) names.push(NAMES[bit] ?? `CAP_${bit}`);
  }
  return names;
}

/** The capabilities that this process has now. */
export function ownCapabilities(): string[] {
  return effectiveCapabilities(readFileSync('/proc/self/status', 'utf8'));
}

/** The needs that `held` does not meet. */
export function missingCapabilities(held: readonly string[]): Need[] {
  return CAPABILITY_NEEDS.filter(({ anyOf }) => !anyOf.some((name) => held.includes(name)));
}
