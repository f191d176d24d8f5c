// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isKernelEntry } from './kernel-entry.ts';

/** Entries that every x86-64 kernel from 5.10 on has. */
const X86_ENTRIES = [
  'entry_SYSCALL_64',
  'entry_SYSCALL_64_after_hwframe',
  'asm_exc_page_fault',
  'asm_exc_nmi',
  'asm_common_interrupt',
  'asm_sysvec_apic_timer_interrupt',
  'common_interrupt_return',
  'ret_from_fork',
  'do_syscall_64',
  '__x64_sys_read',
];

test('the kernel is entered at the labels of its entry code', () => {
  const entries = [
    ...X86_ENTRIES,
    'entry_SYSCALL_compat_after_hwframe',
    'entry_SYSENTER_compat',
    'entry_INT80_compat',
    'asm_call_irq_on_stack',
    'end_repeat_nmi',
    'ret_from_fork_asm',
    'secondary_startup_64_no_verify',
    'x64_sys_call',
    '__ia32_compat_sys_ioctl',
    'el0t_64_sync',
    'el0t_64_sync_handler',
    'el0t_64_irq',
    'el0t_32_sync',
    'el1h_64_irq_handler',
    'el0_sync',
    'el0_sync_compat_handler',
    'do_el0_svc',
    '__arm64_sys_openat',
    '__secondary_switched',
    '[kernel.kallsyms]+0xffffffff81000130',
  ];
  for (const name of entries) assert.equal(isKernelEntry(name), true, name);
});

test('what a program may call a function is no entry', () => {
  const names = [
    'main',
    'kthread',
    'start_kernel',
    'error_entry',
    'syscall',
    'vfs_read',
    'asm_memcpy',
    'asm_exc',
    'entry_point',
    'my_entry_SYSCALL_64',
    'main.ret_from_fork',
    'ret_from_fork()',
    'el0',
    'el1_sync_state',
    '[vdso]+0x9d0',
    '[vsyscall]+0xffffffffff600000',
    '',
  ];
  for (const name of names) assert.equal(isKernelEntry(name), false, name);
});

test('the running kernel has the entries, and few other functions count as such', (t) => {
  if (process.arch !== 'x64') return t.skip(`the names are those of x86-64, and this is ${process.arch}`);
  if (!existsSync('/proc/kallsyms')) return t.skip('the kernel has no list of its functions');
  const lines = readFileSync('/proc/kallsyms', 'latin1').split('\n');
  const names = new Set(lines.map((line) => line.split(/[ \t]/)[2] ?? ''));
  assert.deepEqual(
    X86_ENTRIES.filter((name) => !names.has(name)),
    [],
  );
  const entries = [...names].filter((name) => isKernelEntry(name) && !name.includes('_sys_'));
  assert.ok(entries.length < 100, `of ${names.size} functions these are entries: ${entries.join(' ')}`);
});
