// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which processes user space has been told of, and the ring that tells it; and what user space has
// told of them.
//
// An entry lives from the first sample of a thread group to the exit of its last thread. The reader is woken by
// every event: a process may be gone in milliseconds, and its /proc files with it.

#ifndef HEARTHSCOPE_PROCESS_TABLE_H
#define HEARTHSCOPE_PROCESS_TABLE_H

#include "cpu_state.h"
#include "kernel_types.h"
#include "known_process.h"
#include "task_facts.h"

#include <asm-generic/errno-base.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

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

static __always_inline int announce(enum process_event_kind kind, struct task_struct *task, __u32 generation,
                                    __u64 address) {
  struct process_event event = {.kind = kind, .generation = generation, .address = address};
  struct task_struct *leader = BPF_CORE_READ(task, group_leader);
  event.start_time_nanos = BPF_CORE_READ(leader, start_boottime);
  event.tgid = BPF_CORE_READ(task, tgid);
  event.tid = BPF_CORE_READ(task, pid);
  __u32 flags = BPF_CORE_READ(leader, flags);
  event.kernel_thread = (flags & PF_KTHREAD) != 0;
  if (flags & PF_FORKNOEXEC) {
    event.parent_tgid = BPF_CORE_READ(leader, real_parent, tgid);
    event.parent_start_time_nanos = BPF_CORE_READ(leader, real_parent, group_leader, start_boottime);
  }
  BPF_CORE_READ_STR_INTO(&event.comm, leader, comm);
  long error = bpf_ringbuf_output(&process_events, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
  if (error)
    count(COUNTER_EVENTS_LOST);
  return error == 0;
}

static __always_inline int thread_group_is_dead(struct task_struct *task) {
  return BPF_CORE_READ(task, signal, live.counter) == 0;
}

// Hardware clocks interrupt anything, also a program that is changing `processes` and holds a lock in it; before 5.11 the
// kernel does not see that the same CPU would wait for itself. The programs that change it say so.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} table_changes SEC(".maps");

static __always_inline __u32 *table_changes_here(void) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&table_changes, &key);
}

static __always_inline void begin_table_change(void) {
  __u32 *changes = table_changes_here();
  if (changes)
    __sync_fetch_and_add(changes, 1);
}

static __always_inline void end_table_change(void) {
  __u32 *changes = table_changes_here();
  if (changes)
    __sync_fetch_and_add(changes, -1);
}

static __always_inline int is_table_changing(void) {
  __u32 *changes = table_changes_here();
  return !changes || *changes;
}

// Tells user space that the mappings it has read are stale. The count goes up first, so that samples from now on wait
// for the new ones.
static __always_inline void announce_mapped(struct known_process *known, __u64 pages, __u64 now) {
  __u32 generation = known->generation + 1;
  if (!announce(PROCESS_MAPPED, (struct task_struct *)bpf_get_current_task(), generation, 0))
    return;
  known->generation = generation;
  if (known->remapped)
    known->void_generation = generation;
  known->remapped = 0;
  known->executable_pages = pages;
  known->announced_nanos = now;
  known->captures_left = MAX_CAPTURES_PER_ANNOUNCEMENT;
}

// Executable pages change with exec, dlopen and JIT code: exactly when the mappings user space has read are stale.
// None at all: in the middle of exec, which is announced itself, or the memory is gone with the process.
static __always_inline int are_mappings_stale(const struct known_process *known, const struct task_facts *facts) {
  return (facts->executable_pages != known->executable_pages || known->remapped) && facts->executable_pages != 0;
}

// `max_gap_nanos` limits how long a process waits that changes its mappings all the time.
static __always_inline int announce_if_mapped(struct known_process *known, const struct task_facts *facts,
                                              __u64 max_gap_nanos) {
  if (!are_mappings_stale(known, facts))
    return 0;
  __u64 now = bpf_ktime_get_boot_ns();
  // A stack must not be walked by the mappings of a library that another one has replaced.
  if (known->remapped)
    max_gap_nanos = MIN_MAPPED_GAP_NANOS;
  __u64 gap = (known->announced_nanos - known->start_time_nanos) / 4;
  if (gap > max_gap_nanos)
    gap = max_gap_nanos;
  if (now - known->announced_nanos < gap)
    return 0;
  announce_mapped(known, facts->executable_pages, now);
  return 1;
}

// Tells user space of the process a sample belongs to, when there is news. Two CPUs may both find the same news;
// the insertion decides for a first sight, and a doubled PROCESS_MAPPED costs a read and harms nothing.
static __always_inline struct known_process *announce_first_sight(__u32 tgid, const struct task_facts *facts,
                                                                  const struct known_process *stale) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  // Its exit has been handled: an entry made now would never be removed.
  if ((facts->flags & PF_EXITING) && thread_group_is_dead(task)) {
    count(COUNTER_EXITING_UNANNOUNCED);
    return NULL;
  }
  if (is_table_changing()) {
    count(COUNTER_TABLES_BUSY);
    return NULL;
  }
  struct known_process fresh = {
      .start_time_nanos = facts->start_time_nanos,
      .announced_nanos = bpf_ktime_get_boot_ns(),
      .executable_pages = facts->executable_pages,
      .captures_left = MAX_CAPTURES_PER_ANNOUNCEMENT,
      .mappings_cell = NO_MAPPINGS,
  };
  // A stale entry is one whose exit was missed; its tgid has been given to a new process.
  long error = bpf_map_update_elem(&processes, &tgid, &fresh, stale ? BPF_ANY : BPF_NOEXIST);
  if (error && error != -EEXIST)
    count(COUNTER_PROCESS_TABLE_FULL);
  if (error != -EEXIST && !announce(PROCESS_FIRST_SEEN, task, 0, 0) && !error)
    bpf_map_delete_elem(&processes, &tgid); // the next sample tries again
  return bpf_map_lookup_elem(&processes, &tgid);
}

static __always_inline struct known_process *announce_sampled(__u32 tgid, const struct task_facts *facts) {
  struct known_process *known = bpf_map_lookup_elem(&processes, &tgid);
  if (!known || known->start_time_nanos != facts->start_time_nanos)
    return announce_first_sight(tgid, facts, known);
  announce_if_mapped(known, facts, MAX_MAPPED_GAP_NANOS);
  return known;
}

// The mappings of the old program must not be used from here on, whether user space can be told or not.
static __always_inline void announce_exec(struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct known_process *known = bpf_map_lookup_elem(&processes, &tgid);
  if (!known)
    return;
  __u32 generation = known->generation + 1;
  known->exec_generation = generation;
  known->void_generation = generation;
  known->remapped = 0;
  known->mappings_cell = NO_MAPPINGS;
  known->generation = generation;
  known->captures_left = MAX_CAPTURES_PER_ANNOUNCEMENT;
  known->announced_nanos = bpf_ktime_get_boot_ns();
  int announced = announce(PROCESS_EXEC, task, generation, 0);
  // Untold, it is announced as a change of mappings with its next sample.
  known->executable_pages = announced ? BPF_CORE_READ(task, mm, exec_vm) : 0;
}

// Notes what user space says of a process. The cell and the count are written last and together, after the generation that
// says whether they hold; another CPU may be reading.
static __always_inline void note_mappings(const struct process_mappings *mappings) {
  struct known_process *known = bpf_map_lookup_elem(&processes, &mappings->tgid);
  if (!known || known->start_time_nanos != mappings->start_time_nanos)
    return;
  known->mappings_cell = NO_MAPPINGS;
  known->mappings_generation = mappings->generation;
  known->mappings_version = mappings->version;
  known->mapping_count = mappings->count;
  known->mappings_cell = mappings->first_cell;
}

// Whether user space has published mappings that hold since the last exec; the walk is made to use them.
static __always_inline int use_mappings_of(const struct known_process *known, struct walk *walk) {
  walk->mapping.pages = 0;
  if (!known || known->mappings_cell == NO_MAPPINGS ||
      (__s32)(known->mappings_generation - known->void_generation) < 0)
    return 0;
  walk->mappings_version = known->mappings_version;
  walk->mappings_cell = known->mappings_cell;
  walk->mapping_count = known->mapping_count;
  return 1;
}

// Whether user space has been told of newer mappings than it has published.
static __always_inline int is_publishing_due(const struct known_process *known) {
  return (__s32)(known->mappings_generation - known->generation) < 0;
}

// The next sample of the process announces it.
static __always_inline void note_remapped(__u32 tgid) {
  struct known_process *known = bpf_map_lookup_elem(&processes, &tgid);
  if (known)
    known->remapped = 1;
}

static __always_inline void announce_exit(struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct known_process *known = bpf_map_lookup_elem(&processes, &tgid);
  if (!known)
    return;
  __u32 generation = known->generation;
  begin_table_change();
  // Two last threads may both see a dead group; only one deletes.
  long error = bpf_map_delete_elem(&processes, &tgid);
  end_table_change();
  if (error == 0)
    announce(PROCESS_EXIT, task, generation, 0);
}

#endif
