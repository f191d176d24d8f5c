// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The seam for user stacks: unwind_user() starts from the scratch's registers, appends frames behind the kernel
// frames that are there, and sets user_frames and stop_reason of the record. Other ways to unwind replace its body.
//
// This one follows frame pointers, as perf does, but reads them itself: bpf_get_stack() would not say why it
// stopped. It cannot see the caller of a function that has not pushed its frame yet (one frame is skipped), and
// code compiled without frame pointers ends the walk or, where the register points at the stack by chance, yields
// a wrong address.
//
// A global function without arguments: the verifier checks it once by itself, on 5.10 too.

#ifndef HEARTHSCOPE_UNWIND_USER_H
#define HEARTHSCOPE_UNWIND_USER_H

#include "scratch.h"

#include <bpf/bpf_helpers.h>

#define LOWEST_USER_ADDRESS 4096ULL
#define USER_SPACE_END (1ULL << 56) // 5-level page tables; a kernel address is above

struct stack_frame {
  __u64 caller_frame;
  __u64 return_address;
};

static __always_inline int is_user_address(__u64 address) {
  return address >= LOWEST_USER_ADDRESS && address < USER_SPACE_END;
}

__attribute__((noinline)) int unwind_user(void) {
  struct sample_scratch *state = sample_scratch();
  if (!state)
    return STOP_READ_FAILED;
  struct sample_record *record = &state->record;
  record->user_frames = 0;

  // Threads that never were in user space (io workers) have zeroed registers.
  if (!is_user_address(state->registers.pc))
    return STOP_NO_USER_STACK;
  __u32 first = record->kernel_frames;
  record->frames[first & (FRAME_SLOTS - 1)] = state->registers.pc;
  record->user_frames = 1;
  if (state->registers.is_32_bit)
    return STOP_UNSUPPORTED_32_BIT;

  __u64 frame_pointer = state->registers.fp;
  if (frame_pointer && frame_pointer < state->registers.sp)
    return STOP_FRAME_POINTER_INVALID;
  for (__u32 depth = 1; depth < MAX_USER_FRAMES; depth++) {
    if (!frame_pointer)
      return STOP_END_OF_STACK;
    if (frame_pointer & 7)
      return STOP_FRAME_POINTER_INVALID;
    struct stack_frame frame;
    if (bpf_probe_read_user(&frame, sizeof(frame), (void *)frame_pointer))
      return STOP_READ_FAILED;
    if (!is_user_address(frame.return_address))
      return frame.caller_frame || frame.return_address ? STOP_RETURN_ADDRESS_INVALID : STOP_END_OF_STACK;
    record->frames[(first + depth) & (FRAME_SLOTS - 1)] = frame.return_address;
    record->user_frames = depth + 1;
    // A lower frame pointer is not an error: runtimes switch stacks (Go's system stack).
    if (frame.caller_frame == frame_pointer)
      return STOP_FRAME_POINTER_INVALID;
    frame_pointer = frame.caller_frame;
  }
  return STOP_TRUNCATED_MAX_FRAMES;
}

#endif
