// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Every limit of the BPF side, in one place. Plain numbers, so that C++ can include it too.

#ifndef HEARTHSCOPE_PROFILER_LIMITS_H
#define HEARTHSCOPE_PROFILER_LIMITS_H

// The kernel's own limit for bpf_get_stack is sysctl kernel.perf_event_max_stack, 127 by default.
#define MAX_KERNEL_FRAMES 127
#define MAX_USER_FRAMES 127

// Room for both stacks, rounded up to a power of two so that an index can be masked for the verifier.
#define FRAME_SLOTS 256

// Bytes of a thread's name, terminating zero included (TASK_COMM_LEN).
#define COMM_BYTES 16

// Ring of process events. A record takes 56 bytes in it: 4,680 events fit, and the reader is woken by each.
#define EVENTS_RING_BYTES (256 * 1024)

// Processes known at a time when the loader sets nothing else. A preallocated entry costs about 80 bytes.
#define DEFAULT_MAX_PROCESSES 16384

// Processes followed at a time by the filter of a recording.
#define MAX_FOLLOWED_PROCESSES 8192

// A process whose executable mappings keep changing (a JIT) is announced again after a quarter of its age,
// and at most this long after the last announcement.
#define MAX_MAPPED_GAP_NANOS (10ULL * 1000 * 1000 * 1000)

#endif
