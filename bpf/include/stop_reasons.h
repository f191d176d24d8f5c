// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Why the walk of a user stack ended. The order is part of the contract with native/lib/index.ts.

#ifndef HEARTHSCOPE_STOP_REASONS_H
#define HEARTHSCOPE_STOP_REASONS_H

#define STOP_REASON_LIST(X)                                                                                   \
  X(END_OF_STACK, end_of_stack)                     /* a row that says so, or a zero where an address belongs */ \
  X(NO_USER_STACK, no_user_stack)                   /* kernel thread, io worker, or memory gone in exec or exit */ \
  X(TRUNCATED_MAX_FRAMES, truncated_max_frames)     /* MAX_USER_FRAMES reached */                             \
  X(READ_FAILED, read_failed)                       /* the frame's memory is not mapped or not resident */    \
  X(FRAME_POINTER_INVALID, frame_pointer_invalid)   /* misaligned, below the stack pointer, or too far away */ \
  X(RETURN_ADDRESS_INVALID, return_address_invalid) /* not an address of user space, or not of code */        \
  X(UNSUPPORTED_32_BIT, unsupported_32_bit)         /* only the instruction pointer is known */               \
  X(PROCESS_UNKNOWN, process_unknown)               /* no mappings, and the stack could not be kept */        \
  X(TABLE_PENDING, table_pending)                   /* the walk reached a file whose table is not built */    \
  X(NO_MAPPING, no_mapping)                         /* an address in no executable mapping */                 \
  X(NO_UNWIND_INFO, no_unwind_info)                 /* none for the address, and frame pointers did not help */ \
  X(UNSUPPORTED_RULE, unsupported_rule)             /* needs a register that is not known, or cannot be said */ \
  X(STACK_NOT_CAPTURED, stack_not_captured)         /* a kept stack does not hold the frame's memory */

enum stop_reason {
#define X(upper, lower) STOP_##upper,
  STOP_REASON_LIST(X)
#undef X
      STOP_REASON_COUNT
};

// A step's other result.
#define WALK_ON (-1)

#endif
