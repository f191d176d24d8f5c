// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the BPF programs and the addon say to each other: ring records, counters, stop reasons, map values.
// Included by C (BPF) and C++; both assert the same sizes and offsets.

#ifndef HEARTHSCOPE_EVENTS_H
#define HEARTHSCOPE_EVENTS_H

#include <linux/types.h>

#include "layout_assert.h"
#include "profiler_limits.h"
#include "stop_reasons.h"

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
  X(FOLLOW_TABLE_FULL, follow_table_full)     /* a child that should have been followed was not */            \
  X(CAPTURES, captures)                       /* samples sent with registers and stack (also counted as samples) */ \
  X(CAPTURES_LOST_RING_FULL, captures_lost_ring_full) /* sent as they are instead */                          \
  X(CAPTURES_REFUSED, captures_refused)       /* the process has had its share: sent as they are */           \
  X(TABLES_BUSY, tables_busy)                 /* interrupted a change of the process table: not announced yet */

enum bpf_counter {
#define X(upper, lower) COUNTER_##upper,
  BPF_COUNTER_LIST(X)
#undef X
      COUNTER_COUNT
};

// First member of the single entry of the per-CPU array `cpu_states`.
struct cpu_counters {
  __u64 value[COUNTER_COUNT];
};

// A sample. No time and no CPU in it on purpose: two samples of the same thread in the same stack are the same
// bytes, so the addon aggregates by hashing the record as it is. Only the filled part of frames[] is sent.
//
//   0        8          16    20   24        40   41   42      44      46       48
//   +--------+----------+-----+----+---------+----+----+-------+-------+--------+------------------------+
//   | start  | cgroup   |tgid |tid | comm    |stop|kthr|kernel |user   |gene-   | kernel frames, then    |
//   | time   | id       |     |    | [16]    |    |    |frames |frames |ration  | user frames, leaf first|
//   +--------+----------+-----+----+---------+----+----+-------+-------+--------+------------------------+
struct sample_header {
  __u64 start_time_nanos; // CLOCK_BOOTTIME of the thread-group leader
  __u64 cgroup_id;        // see cgroup_id.h; 1 when the task is in every root
  __u32 tgid;
  __u32 tid;
  char comm[COMM_BYTES]; // of the thread
  __u8 stop_reason;      // enum stop_reason
  __u8 kernel_thread;    // 0 or 1
  __u16 kernel_frames;
  __u16 user_frames;
  __u16 generation; // low bits of the process's
};

struct sample_record {
  struct sample_header header;
  __u64 frames[FRAME_SLOTS];
};

#define SAMPLE_HEADER_BYTES 48
LAYOUT_ASSERT(MEMBER_OFFSET(struct sample_header, comm) == 24, "sample comm");
LAYOUT_ASSERT(MEMBER_OFFSET(struct sample_header, stop_reason) == 40, "sample stop reason");
LAYOUT_ASSERT(sizeof(struct sample_header) == SAMPLE_HEADER_BYTES, "sample header size");
LAYOUT_ASSERT(sizeof(struct sample_record) == SAMPLE_HEADER_BYTES + 8 * FRAME_SLOTS, "sample size");
LAYOUT_ASSERT(MAX_KERNEL_FRAMES + MAX_USER_FRAMES <= FRAME_SLOTS - 1, "both stacks fit");

// A sample whose stack could not be walked in the kernel, with what it takes to walk it later.
//
//   capture_header | stack_bytes of user memory from stack_start on | the frames of `sample` found so far
struct capture_header {
  __u64 pc;
  __u64 stack_start; // the stack pointer, or above it
  __u64 registers[CAPTURED_REGISTERS]; // by DWARF number
  __u32 generation;                    // of the process: sample.generation has its low bits only
  __u32 system_call;                   // enum system_call
  __u32 stack_bytes;                   // a multiple of 8
  __u32 reserved;
  struct sample_header sample;
};

#define CAPTURE_HEADER_BYTES sizeof(struct capture_header)
LAYOUT_ASSERT(sizeof(struct capture_header) == 32 + 8 * CAPTURED_REGISTERS + SAMPLE_HEADER_BYTES, "capture header size");

enum process_event_kind {
  PROCESS_FIRST_SEEN,  // first sample of this thread group
  PROCESS_EXEC,        // its program was replaced
  PROCESS_MAPPED,      // its executable mappings have changed since it was last announced
  PROCESS_EXIT,        // its last thread is going
  PROCESS_NEEDS_TABLE, // a walk reached a mapping whose table is not built yet
};

struct process_event {
  __u64 start_time_nanos;
  __u64 address; // in the mapping whose table is wanted, else 0
  __u64 parent_start_time_nanos;
  __u32 kind;    // enum process_event_kind
  __u32 tgid;
  __u32 tid;           // a living thread: /proc/TGID/maps is empty once the leader alone has exited
  __u32 kernel_thread; // 0 or 1
  __u32 generation;    // see known_process
  __u32 parent_tgid;     // of a process that has not called exec since it was forked, else 0
  char comm[COMM_BYTES]; // of the thread-group leader
};

LAYOUT_ASSERT(sizeof(struct process_event) == 64, "process event size");
LAYOUT_ASSERT(MEMBER_OFFSET(struct process_event, comm) == 48, "process event comm");

// Flags of the map `followed`: tgid -> flags.
#define FOLLOW_CHILDREN 1u
#define FOLLOW_SAMPLE 2u

#endif
