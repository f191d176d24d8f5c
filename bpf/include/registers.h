// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The registers that a walk of the user stack starts from, per architecture.
//
// The context of a perf_event program is uapi (fixed layout). The registers a thread entered the kernel with lie
// at the top of its kernel stack: bpf_task_pt_regs() gives them from 5.15 on. Before that they are found by the
// stack's size, which was fixed on those kernels.

#ifndef HEARTHSCOPE_REGISTERS_H
#define HEARTHSCOPE_REGISTERS_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct user_registers {
  __u64 pc;
  __u64 sp;
  __u64 fp;
  __u64 is_32_bit;
};

#if defined(__TARGET_ARCH_x86)

struct perf_event_context {
  __u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
  __u64 sample_period;
  __u64 addr;
};

struct pt_regs {
  unsigned long bp, ip, cs, sp;
} RELOCATED;

#define OLD_KERNEL_STACK_BYTES (16 * 1024)
#define X86_USER32_CS 0x23

static __always_inline int was_in_user_mode(const struct perf_event_context *context) {
  return (context->cs & 3) == 3;
}

static __always_inline void registers_from_context(const struct perf_event_context *context,
                                                   struct user_registers *registers) {
  registers->pc = context->rip;
  registers->sp = context->rsp;
  registers->fp = context->rbp;
  registers->is_32_bit = (context->cs & 0xffff) == X86_USER32_CS;
}

static __always_inline void registers_from_entry(struct pt_regs *entry, struct user_registers *registers) {
  registers->pc = BPF_CORE_READ(entry, ip);
  registers->sp = BPF_CORE_READ(entry, sp);
  registers->fp = BPF_CORE_READ(entry, bp);
  registers->is_32_bit = (BPF_CORE_READ(entry, cs) & 0xffff) == X86_USER32_CS;
}

#elif defined(__TARGET_ARCH_arm64)

struct perf_event_context {
  __u64 regs[31], sp, pc, pstate;
  __u64 sample_period;
  __u64 addr;
};

struct user_pt_regs {
  __u64 regs[31], sp, pc, pstate;
} RELOCATED;

struct pt_regs {
  struct user_pt_regs user_regs;
} RELOCATED;

#define OLD_KERNEL_STACK_BYTES (16 * 1024)
#define ARM64_MODE_MASK 0xf
#define ARM64_MODE_32_BIT 0x10
#define ARM64_FRAME_POINTER 29

static __always_inline int was_in_user_mode(const struct perf_event_context *context) {
  return (context->pstate & ARM64_MODE_MASK) == 0;
}

static __always_inline void registers_from_context(const struct perf_event_context *context,
                                                   struct user_registers *registers) {
  registers->pc = context->pc;
  registers->sp = context->sp;
  registers->fp = context->regs[ARM64_FRAME_POINTER];
  registers->is_32_bit = (context->pstate & ARM64_MODE_32_BIT) != 0;
}

static __always_inline void registers_from_entry(struct pt_regs *entry, struct user_registers *registers) {
  registers->pc = BPF_CORE_READ(entry, user_regs.pc);
  registers->sp = BPF_CORE_READ(entry, user_regs.sp);
  registers->fp = BPF_CORE_READ(entry, user_regs.regs[ARM64_FRAME_POINTER]);
  registers->is_32_bit = (BPF_CORE_READ(entry, user_regs.pstate) & ARM64_MODE_32_BIT) != 0;
}

#else
#error "no registers known for this architecture"
#endif

// bpf_func_id as the running kernel's BTF has it; a name of its own because <linux/bpf.h> defines the full one.
enum bpf_func_id___probe {
  BPF_FUNC_task_pt_regs___probe = 175,
};

static __always_inline void read_user_registers(const struct perf_event_context *context, struct task_struct *task,
                                                int user_mode, struct user_registers *registers) {
  if (user_mode) {
    registers_from_context(context, registers);
    return;
  }
  struct pt_regs *entry;
  if (bpf_core_enum_value_exists(enum bpf_func_id___probe, BPF_FUNC_task_pt_regs___probe))
    entry = (struct pt_regs *)bpf_task_pt_regs((struct task_struct *)bpf_get_current_task_btf());
  else
    entry = (struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + OLD_KERNEL_STACK_BYTES -
                               bpf_core_type_size(struct pt_regs));
  registers_from_entry(entry, registers);
}

#endif
