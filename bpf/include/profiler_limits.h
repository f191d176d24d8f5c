// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Every limit of the BPF side, in one place. Plain numbers, so that C++ can include it too.

#ifndef HEARTHSCOPE_PROFILER_LIMITS_H
#define HEARTHSCOPE_PROFILER_LIMITS_H

// The kernel's own limit for bpf_get_stack is sysctl kernel.perf_event_max_stack, 127 by default.
#define MAX_KERNEL_FRAMES 127
#define MAX_USER_FRAMES 512

// Room for both stacks, rounded up to a power of two so that an index can be masked for the verifier.
#define FRAME_SLOTS 1024

// Bytes of a thread's name, terminating zero included (TASK_COMM_LEN).
#define COMM_BYTES 16

// Ring of process events. A record takes 72 bytes in it: 3,640 events fit, and the reader is woken by each.
#define EVENTS_RING_BYTES (256 * 1024)

// Rules each CPU remembers by the address they were found for, a power of two; 16 bytes each.
#define REMEMBERED_RULES 512

// Processes known at a time when the loader sets nothing else. A preallocated entry costs about 140 bytes.
#define DEFAULT_MAX_PROCESSES 16384

// Processes followed at a time by the filter of a recording.
#define MAX_FOLLOWED_PROCESSES 8192

// A process whose executable mappings keep changing (a JIT) is announced again after a quarter of its age,
// and at most this long after the last announcement.
#define MAX_MAPPED_GAP_NANOS (10ULL * 1000 * 1000 * 1000)

// A walk that ends in no mapping has it announced that mappings changed after this time already.
#define MIN_MAPPED_GAP_NANOS (500ULL * 1000)

// Samples of a process that are sent with their stack, until its mappings are announced anew. Each takes up to the
// bytes of stack; a program keeps most of its callers within them.
#define MAX_CAPTURES_PER_ANNOUNCEMENT 256
#define MAX_CAPTURED_STACK_BYTES (32 * 1024)
#define CAPTURED_REGISTERS 32

#endif
