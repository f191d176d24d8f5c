// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which processes user space has been told of, and the ring that tells it.
//
// An entry lives from the first sample of a thread group to the exit of its last thread. The reader is woken by
// every event: a process may be gone in milliseconds, and its /proc files with it.

#ifndef HEARTHSCOPE_PROCESS_TABLE_H
#define HEARTHSCOPE_PROCESS_TABLE_H

#include "counters.h"
#include "events.h"
#include "kernel_types.h"

#include <asm-generic/errno-base.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct known_process {
  __u64 start_time_nanos;
  __u64 announced_nanos;
  __u64 executable_pages;
};

// Preallocated (the default): perf_event programs may use no other hash on 5.10.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, DEFAULT_MAX_PROCESSES);
  __type(key, __u32);
  __type(value, struct known_process);
} processes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, EVENTS_RING_BYTES);
} process_events SEC(".maps");

static __always_inline int announce(enum process_event_kind kind, struct task_struct *task) {
  struct process_event event = {.kind = kind};
  struct task_struct *leader = BPF_CORE_READ(task, group_leader);
  event.start_time_nanos = BPF_CORE_READ(leader, start_boottime);
  event.tgid = BPF_CORE_READ(task, tgid);
  event.tid = BPF_CORE_READ(task, pid);
  event.kernel_thread = (BPF_CORE_READ(task, flags) & PF_KTHREAD) != 0;
  BPF_CORE_READ_STR_INTO(&event.comm, leader, comm);
  long error = bpf_ringbuf_output(&process_events, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
  if (error)
    count(COUNTER_EVENTS_LOST);
  return error == 0;
}

static __always_inline int thread_group_is_dead(struct task_struct *task) {
  return BPF_CORE_READ(task, signal, live.counter) == 0;
}

// Executable pages change with exec, dlopen and JIT code: exactly when the mappings user space has read are stale.
static __always_inline void announce_if_mapped(struct known_process *known, struct task_struct *task, __u64 now) {
  __u64 pages = BPF_CORE_READ(task, mm, exec_vm);
  // None at all: in the middle of exec, which is announced itself, or the memory is gone with the process.
  if (pages == 0 || pages == known->executable_pages)
    return;
  __u64 gap = (known->announced_nanos - known->start_time_nanos) / 4;
  if (gap > MAX_MAPPED_GAP_NANOS)
    gap = MAX_MAPPED_GAP_NANOS;
  if (now - known->announced_nanos < gap || !announce(PROCESS_MAPPED, task))
    return;
  known->executable_pages = pages;
  known->announced_nanos = now;
}

// Tells user space of the process a sample belongs to, when there is news. Two CPUs may both find the same news;
// the insertion decides for a first sight, and a doubled PROCESS_MAPPED costs a read and harms nothing.
static __always_inline void announce_sampled(struct task_struct *task, __u32 tgid, __u64 start_time_nanos) {
  __u64 now = bpf_ktime_get_boot_ns();
  struct known_process *known = bpf_map_lookup_elem(&processes, &tgid);
  if (known && known->start_time_nanos == start_time_nanos) {
    announce_if_mapped(known, task, now);
    return;
  }
  // Its exit has been handled: an entry made now would never be removed.
  if ((BPF_CORE_READ(task, flags) & PF_EXITING) && thread_group_is_dead(task)) {
    count(COUNTER_EXITING_UNANNOUNCED);
    return;
  }
  struct known_process fresh = {.start_time_nanos = start_time_nanos, .announced_nanos = now};
  fresh.executable_pages = BPF_CORE_READ(task, mm, exec_vm);
  // A stale entry is one whose exit was missed; its tgid has been given to a new process.
  long error = bpf_map_update_elem(&processes, &tgid, &fresh, known ? BPF_ANY : BPF_NOEXIST);
  if (error == -EEXIST)
    return;
  if (error)
    count(COUNTER_PROCESS_TABLE_FULL);
  if (!announce(PROCESS_FIRST_SEEN, task) && !error)
    bpf_map_delete_elem(&processes, &tgid); // the next sample tries again
}

static __always_inline void announce_exec(struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct known_process *known = bpf_map_lookup_elem(&processes, &tgid);
  if (!known || !announce(PROCESS_EXEC, task))
    return;
  known->executable_pages = BPF_CORE_READ(task, mm, exec_vm);
  known->announced_nanos = bpf_ktime_get_boot_ns();
}

static __always_inline void announce_exit(struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  // Two last threads may both see a dead group; only one deletes.
  if (bpf_map_delete_elem(&processes, &tgid) == 0)
    announce(PROCESS_EXIT, task);
}

#endif
