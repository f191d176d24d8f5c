// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The filter of a recording: only these processes and their descendants are sampled. User space puts in the first
// ones; fork adds children before they run, exit removes them.

#ifndef HEARTHSCOPE_FOLLOW_H
#define HEARTHSCOPE_FOLLOW_H

#include "cpu_state.h"
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_FOLLOWED_PROCESSES);
  __type(key, __u32);
  __type(value, __u32);
} followed SEC(".maps");

static __always_inline int is_followed_for_samples(__u32 tgid) {
  __u32 *flags = bpf_map_lookup_elem(&followed, &tgid);
  return flags && (*flags & FOLLOW_SAMPLE);
}

static __always_inline void follow_child(struct task_struct *parent, struct task_struct *child) {
  __u32 parent_tgid = BPF_CORE_READ(parent, tgid);
  __u32 child_tgid = BPF_CORE_READ(child, tgid);
  if (parent_tgid == child_tgid)
    return; // a thread, not a process
  __u32 *flags = bpf_map_lookup_elem(&followed, &parent_tgid);
  if (!flags || !(*flags & FOLLOW_CHILDREN))
    return;
  __u32 child_flags = FOLLOW_CHILDREN | FOLLOW_SAMPLE;
  if (bpf_map_update_elem(&followed, &child_tgid, &child_flags, BPF_ANY))
    count(COUNTER_FOLLOW_TABLE_FULL);
}

static __always_inline void unfollow(struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  bpf_map_delete_elem(&followed, &tgid);
}

#endif
