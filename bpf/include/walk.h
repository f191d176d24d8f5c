// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Where a walk of a user stack stands, and what of it depends on the architecture. In BPF that is the one compiled
// for; in C++ the includer defines WALK_X86_64 or WALK_ARM64.

#ifndef HEARTHSCOPE_WALK_H
#define HEARTHSCOPE_WALK_H

#include <linux/types.h>

#include "stop_reasons.h"
#include "unwind_table.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#if defined(__TARGET_ARCH_x86)
#define WALK_X86_64
#elif defined(__TARGET_ARCH_arm64)
#define WALK_ARM64
#endif

#if defined(WALK_X86_64)
#define WALK_REGISTERS 16
#define WALK_FP 6
#define WALK_SP 7
#define WALK_RBX 3
#define ALL_WALK_REGISTERS 0xffffu
#define KNOWN_IN_CALLERS ((1u << WALK_SP) | (1u << WALK_FP) | (1u << WALK_RBX))
#define STRIP_POINTER_AUTHENTICATION(pc) (pc)
// In struct rt_sigframe, seen from where the handler has returned to: registers from r8 to rip of uc_mcontext.
#define SIGNAL_REGISTERS_OFFSET 40
#define SIGNAL_REGISTERS 17
#define GO_SAVED_DEPTH 0
#define GO_SAVED_G 1
#elif defined(WALK_ARM64)
#define WALK_REGISTERS 32
#define WALK_FP 29
#define WALK_SP 31
#define ALL_WALK_REGISTERS 0xffffffffu
#define KNOWN_IN_CALLERS ((1u << WALK_SP) | (1u << WALK_FP))
// The upper bits of a signed return address; user addresses have 48 unless a program asks for more.
#define STRIP_POINTER_AUTHENTICATION(pc) ((pc) & 0xffffffffffffULL)
// In struct rt_sigframe: x0 to x30, sp and pc of uc_mcontext, behind siginfo and the rest of ucontext.
#define SIGNAL_REGISTERS_OFFSET 312
#define SIGNAL_REGISTERS 33
#define GO_SAVED_DEPTH 1
#define GO_SAVED_G 0
#else
#error "no registers known for this architecture"
#endif

#define LOWEST_USER_ADDRESS 4096ULL
#define USER_SPACE_END (1ULL << 56) // 5-level page tables; a kernel address is above

// What the thread was doing in the kernel, as far as it tells something of its user stack.
enum system_call {
  SYSTEM_CALL_NONE,
  SYSTEM_CALL_ANY,
  SYSTEM_CALL_EXEC,       // the stack may be gone already, and the registers are still those of before
  SYSTEM_CALL_NEW_THREAD, // in the thread that a clone has just made: its stack is empty
};

struct walk {
  __u64 pc;
  __u64 registers[WALK_REGISTERS]; // by DWARF number
  __u32 known;                     // a bit per register
  __u32 frame_bias;                // 1 when pc is a return address: the frame is at pc - 1
  __u32 rule_bias;                 // 1 also in a system call, whose instruction's row holds
  __u32 must_be_mapped;            // pc comes from a frame pointer that was only tried
  __u32 mappings_cell;             // of the process
  __u32 mapping_count;
  __u32 mappings_version;
  __u32 mapping_cell; // of the mapping found last, a copy of which is:
  struct unwind_mapping mapping;
  __u64 system_call; // enum system_call of the sample
#if defined(WALK_X86_64)
  __u64 rbx_address; // where the caller's rbx is saved while it is not known; 0: nobody knows
#endif
  __u64 signal_registers[SIGNAL_REGISTERS];
};

static __always_inline void lose_rbx(struct walk *walk) {
#if defined(WALK_X86_64)
  walk->rbx_address = 0;
  walk->known &= ~(1u << WALK_RBX);
#else
  (void)walk;
#endif
}

static __always_inline int is_user_address(__u64 address) {
  return address >= LOWEST_USER_ADDRESS && address < USER_SPACE_END;
}

#if defined(WALK_X86_64)

static __always_inline void load_signal_registers(struct walk *walk) {
  // r8-r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip
  const __u64 *from = walk->signal_registers;
  __u64 *to = walk->registers;
  to[8] = from[0], to[9] = from[1], to[10] = from[2], to[11] = from[3];
  to[12] = from[4], to[13] = from[5], to[14] = from[6], to[15] = from[7];
  to[5] = from[8], to[4] = from[9], to[6] = from[10], to[3] = from[11];
  to[1] = from[12], to[0] = from[13], to[2] = from[14], to[7] = from[15];
  walk->pc = from[16];
}

#else

static __always_inline void load_signal_registers(struct walk *walk) {
  for (int i = 0; i < WALK_REGISTERS; i++)
    walk->registers[i] = walk->signal_registers[i];
  walk->pc = STRIP_POINTER_AUTHENTICATION(walk->signal_registers[32]);
}

#endif

#endif
