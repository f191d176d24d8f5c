// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The registers that a walk of the user stack starts from, per architecture.
//
// The context of a perf_event program is uapi (fixed layout). The registers a thread entered the kernel with lie
// at the top of its kernel stack, laid out the same: bpf_task_pt_regs() gives them from 5.15 on. Before that they are
// found by the stack's size, which was fixed on those kernels.

#ifndef HEARTHSCOPE_REGISTERS_H
#define HEARTHSCOPE_REGISTERS_H

#include "kernel_types.h"
#include "walk.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define OLD_KERNEL_STACK_BYTES (16 * 1024)

#if defined(__TARGET_ARCH_x86)

struct entry_registers {
  __u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
};

#define X86_USER32_CS 0x23

// Numbered as DWARF does.
#define COPY_REGISTERS(walk, from)                                                                            \
  do {                                                                                                        \
    (walk)->pc = (from)->rip;                                                                                 \
    (walk)->registers[0] = (from)->rax, (walk)->registers[1] = (from)->rdx, (walk)->registers[2] = (from)->rcx;  \
    (walk)->registers[3] = (from)->rbx, (walk)->registers[4] = (from)->rsi, (walk)->registers[5] = (from)->rdi;  \
    (walk)->registers[6] = (from)->rbp, (walk)->registers[7] = (from)->rsp, (walk)->registers[8] = (from)->r8;   \
    (walk)->registers[9] = (from)->r9, (walk)->registers[10] = (from)->r10, (walk)->registers[11] = (from)->r11; \
    (walk)->registers[12] = (from)->r12, (walk)->registers[13] = (from)->r13;                                 \
    (walk)->registers[14] = (from)->r14, (walk)->registers[15] = (from)->r15;                                 \
  } while (0)

#define IS_USER_MODE(from) (((from)->cs & 3) == 3)
#define IS_32_BIT(from) (((from)->cs & 0xffff) == X86_USER32_CS)
#define SYSTEM_CALL_OF(from) ((__s64)(from)->orig_rax)
#define SYSTEM_CALL_RESULT(from) ((from)->rax)
#define IS_EXEC(number) ((number) == 59 || (number) == 322)
#define IS_CLONE(number) ((number) == 56 || (number) == 435)

#elif defined(__TARGET_ARCH_arm64)

struct entry_registers {
  __u64 regs[31], sp, pc, pstate;
  __u64 orig_x0;
  __s32 syscallno;
  __u32 unused;
};

#define ARM64_MODE_MASK 0xf
#define ARM64_MODE_32_BIT 0x10

#define COPY_REGISTERS(walk, from)                                                                            \
  do {                                                                                                        \
    (walk)->pc = (from)->pc;                                                                                  \
    (walk)->registers[31] = (from)->sp;                                                                       \
    _Pragma("unroll") for (int i = 0; i < 31; i++)(walk)->registers[i] = (from)->regs[i];                     \
  } while (0)

#define IS_USER_MODE(from) (((from)->pstate & ARM64_MODE_MASK) == 0)
#define IS_32_BIT(from) (((from)->pstate & ARM64_MODE_32_BIT) != 0)
#define SYSTEM_CALL_OF(from) ((__s64)(from)->syscallno)
#define SYSTEM_CALL_RESULT(from) ((from)->regs[0])
#define IS_EXEC(number) ((number) == 221 || (number) == 281)
#define IS_CLONE(number) ((number) == 220 || (number) == 435)

#else
#error "no registers known for this architecture"
#endif

// The uapi context: the first members of entry_registers that both have (arm64 has no orig_x0 and syscallno in it).
struct perf_event_context {
  struct entry_registers registers;
};

// bpf_func_id as the running kernel's BTF has it; a name of its own because <linux/bpf.h> defines the full one.
enum bpf_func_id___probe {
  BPF_FUNC_task_pt_regs___probe = 175,
};

static __always_inline struct pt_regs *entry_registers(void) {
  if (bpf_core_enum_value_exists(enum bpf_func_id___probe, BPF_FUNC_task_pt_regs___probe))
    return (struct pt_regs *)bpf_task_pt_regs((struct task_struct *)bpf_get_current_task_btf());
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  return (struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + OLD_KERNEL_STACK_BYTES -
                            bpf_core_type_size(struct pt_regs));
}

// Fills pc and registers of the walk. 0, or the reason why nothing but pc can be known.
static __always_inline int read_user_registers(const struct perf_event_context *context, int user_mode,
                                               struct walk *walk) {
  int is_32_bit;
  walk->known = ALL_WALK_REGISTERS;
  walk->frame_bias = 0;
  walk->rule_bias = 0;
  walk->system_call = SYSTEM_CALL_NONE;
  walk->must_be_mapped = 0;
  if (user_mode) {
    const struct entry_registers *from = &context->registers;
    COPY_REGISTERS(walk, from);
    is_32_bit = IS_32_BIT(from);
  } else {
    struct entry_registers entry;
    if (bpf_probe_read_kernel(&entry, sizeof(entry), entry_registers()))
      return STOP_READ_FAILED;
    const struct entry_registers *from = &entry;
    COPY_REGISTERS(walk, from);
    is_32_bit = IS_32_BIT(from);
    __s64 number = SYSTEM_CALL_OF(from);
    if (number >= 0) {
      walk->rule_bias = 1;
      walk->system_call = SYSTEM_CALL_ANY;
      if (IS_EXEC(number))
        walk->system_call = SYSTEM_CALL_EXEC;
      else if (IS_CLONE(number) && SYSTEM_CALL_RESULT(from) == 0)
        walk->system_call = SYSTEM_CALL_NEW_THREAD;
    }
  }
  // Threads that never were in user space (io workers) have zeroed registers.
  if (!is_user_address(walk->pc))
    return STOP_NO_USER_STACK;
  return is_32_bit ? STOP_UNSUPPORTED_32_BIT : WALK_ON;
}

#endif
