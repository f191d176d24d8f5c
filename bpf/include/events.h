// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the BPF programs and the addon say to each other: ring records, counters, stop reasons, map values.
// Included by C (BPF) and C++; both assert the same sizes and offsets.

#ifndef HEARTHSCOPE_EVENTS_H
#define HEARTHSCOPE_EVENTS_H

#include <linux/types.h>

#include "profiler_limits.h"

#ifdef __cplusplus
#define LAYOUT_ASSERT static_assert
#include <cstddef>
#define MEMBER_OFFSET offsetof
#else
#define LAYOUT_ASSERT _Static_assert
#define MEMBER_OFFSET __builtin_offsetof
#endif

// Why the walk of the user stack ended. The order is part of the contract with native/lib/index.ts.
//
// END_OF_STACK means that a frame pointer of zero was found, which the ABI asks of the outermost frame. Code
// compiled without frame pointers may hold a zero there by chance: frame pointers cannot tell the two apart.
#define STOP_REASON_LIST(X)                                                                                   \
  X(END_OF_STACK, end_of_stack)                                                                               \
  X(NO_USER_STACK, no_user_stack)                 /* kernel thread, io worker */                              \
  X(TRUNCATED_MAX_FRAMES, truncated_max_frames)   /* MAX_USER_FRAMES reached */                               \
  X(READ_FAILED, read_failed)                     /* the frame's memory is not mapped or not resident */      \
  X(FRAME_POINTER_INVALID, frame_pointer_invalid) /* misaligned, below the stack pointer, or itself */        \
  X(RETURN_ADDRESS_INVALID, return_address_invalid) /* not an address of user space */                        \
  X(UNSUPPORTED_32_BIT, unsupported_32_bit)       /* only the instruction pointer is known */

enum stop_reason {
#define X(upper, lower) STOP_##upper,
  STOP_REASON_LIST(X)
#undef X
      STOP_REASON_COUNT
};

// One counter per thing that can happen to a tick of the sampling clock or to an announcement.
#define BPF_COUNTER_LIST(X)                                                                                   \
  X(TICKS, ticks)                             /* runs of the sampling program */                              \
  X(IDLE, idle)                               /* the idle task ran: nothing is stored */                      \
  X(SELF_EXCLUDED, self_excluded)             /* the agent's own samples */                                   \
  X(FILTERED, filtered)                       /* not one of the followed processes */                         \
  X(SAMPLES, samples)                         /* records handed to the ring */                                \
  X(LOST_RING_FULL, lost_ring_full)           /* samples the ring had no room for */                          \
  X(EVENTS_LOST, events_lost)                 /* process events the ring had no room for */                   \
  X(KERNEL_STACK_FAILED, kernel_stack_failed) /* sample kept without kernel frames */                         \
  X(KERNEL_STACK_TRUNCATED, kernel_stack_truncated)                                                           \
  X(USER_STACK_FAILED, user_stack_failed)     /* a user process, but not one user frame was found */          \
  X(USER_STACK_TRUNCATED, user_stack_truncated)                                                               \
  X(PROCESS_TABLE_FULL, process_table_full)   /* announced, and will be again */                              \
  X(EXITING_UNANNOUNCED, exiting_unannounced) /* first seen while it was already dying */                     \
  X(FOLLOW_TABLE_FULL, follow_table_full)     /* a child that should have been followed was not */

enum bpf_counter {
#define X(upper, lower) COUNTER_##upper,
  BPF_COUNTER_LIST(X)
#undef X
      COUNTER_COUNT
};

// Value of the single entry of the per-CPU array `counters`.
struct cpu_counters {
  __u64 value[COUNTER_COUNT];
};

// A sample. No time and no CPU in it on purpose: two samples of the same thread in the same stack are the same
// bytes, so the addon aggregates by hashing the record as it is. Only the filled part of frames[] is sent.
//
//   0        8          16    20   24        40   41   42      44      46       48
//   +--------+----------+-----+----+---------+----+----+-------+-------+--------+------------------------+
//   | start  | cgroup   |tgid |tid | comm    |stop|kthr|kernel |user   |reserved| kernel frames, then    |
//   | time   | id       |     |    | [16]    |    |    |frames |frames |   0    | user frames, leaf first|
//   +--------+----------+-----+----+---------+----+----+-------+-------+--------+------------------------+
struct sample_record {
  __u64 start_time_nanos; // CLOCK_BOOTTIME of the thread-group leader
  __u64 cgroup_id;        // see cgroup_id.h; 1 when the task is in every root
  __u32 tgid;
  __u32 tid;
  char comm[COMM_BYTES]; // of the thread
  __u8 stop_reason;      // enum stop_reason
  __u8 kernel_thread;    // 0 or 1
  __u16 kernel_frames;
  __u16 user_frames;
  __u16 reserved;
  __u64 frames[FRAME_SLOTS];
};

#define SAMPLE_HEADER_BYTES 48
LAYOUT_ASSERT(MEMBER_OFFSET(struct sample_record, comm) == 24, "sample comm");
LAYOUT_ASSERT(MEMBER_OFFSET(struct sample_record, stop_reason) == 40, "sample stop reason");
LAYOUT_ASSERT(MEMBER_OFFSET(struct sample_record, frames) == SAMPLE_HEADER_BYTES, "sample frames");
LAYOUT_ASSERT(sizeof(struct sample_record) == SAMPLE_HEADER_BYTES + 8 * FRAME_SLOTS, "sample size");
LAYOUT_ASSERT(MAX_KERNEL_FRAMES + MAX_USER_FRAMES <= FRAME_SLOTS - 1, "both stacks fit");

enum process_event_kind {
  PROCESS_FIRST_SEEN, // first sample of this thread group
  PROCESS_EXEC,       // its program was replaced
  PROCESS_MAPPED,     // its executable mappings have changed since it was last announced
  PROCESS_EXIT,       // its last thread is going
};

struct process_event {
  __u64 start_time_nanos;
  __u32 kind; // enum process_event_kind
  __u32 tgid;
  __u32 tid;           // a living thread: /proc/TGID/maps is empty once the leader alone has exited
  __u32 kernel_thread; // 0 or 1
  char comm[COMM_BYTES]; // of the thread-group leader
};

LAYOUT_ASSERT(sizeof(struct process_event) == 40, "process event size");
LAYOUT_ASSERT(MEMBER_OFFSET(struct process_event, comm) == 24, "process event comm");

// Flags of the map `followed`: tgid -> flags.
#define FOLLOW_CHILDREN 1u
#define FOLLOW_SAMPLE 2u

#endif
