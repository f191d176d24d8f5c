// SPDX-License-Identifier: Apache-2.0
//
// Where a stack leaves user code for the kernel. The wire carries names alone, and the kernel's functions have plain
// ones; but it is entered at few places, whose names programs do not use. Those of x86-64 were compared with the
// symbols and stacks of Linux 6.18; those of arm64 and of older kernels are known by name only. Names that a program
// may well have too, such as `error_entry`, `kthread` or `start_kernel`, are not here: a stack that begins at one of
// them looks like user code, which is a smaller fault than user code that looks like the kernel's.

const ENTRIES: readonly string[] = [
  // x86-64, system calls.
  'entry_(SYSCALL(32)?|SYSENTER|SYSRET[QL]|INT80)_\\w+',
  'syscall_return_via_sysret',
  'asm_int80_emulation',
  // x86-64, exceptions and interrupts.
  'asm_(exc|sysvec)_\\w+',
  'asm_(common|spurious)_interrupt',
  'asm_fred_entrypoint_(user|kernel)',
  'asm_call_(irq_|sysvec_)?on_stack',
  'first_nmi|(end_)?repeat_nmi',
  'common_interrupt_return',
  'swapgs_restore_regs_and_return_to_usermode',
  'restore_regs_and_return_to_kernel',
  // arm64: el0t_64_sync and the like; el0_sync and the like before Linux 5.14.
  'el[01][ht]_(32|64)_(sync|irq|fiq|error)(_handler)?',
  'el[01]_(sync|irq|fiq|error)(_compat)?(_handler)?',
  'ret_to_(user|kernel)',
  // New threads, the kernel's own ones, and the idle task of a CPU.
  'ret_from_fork(_asm)?',
  '(common|secondary)_startup_64(_no_verify)?',
  '__(primary|secondary)_switched',
  'x86_64_start_kernel',
  // The first C functions: outermost where the unwinder did not get through the assembly above them.
  'do_syscall_64|(x64|ia32)_sys_call',
  'do_(int80_syscall|fast_syscall)_32|do_int80_emulation',
  '(do_)?el0_svc(_compat)?',
  '__(x64|ia32|arm64)(_compat)?_sys_\\w+',
  'irqentry_exit(_to_user_mode)?|syscall_exit_to_user_mode',
  // The kernel hides its symbols: its frames are addresses.
  '\\[kernel\\.kallsyms\\]\\+0x[0-9a-f]+',
];

const ENTRY = new RegExp(`^(?:${ENTRIES.join('|')})$`);

/** True for the name of a frame that runs in the kernel with everything it calls. */
export function isKernelEntry(name: string): boolean {
  return ENTRY.test(name);
}
