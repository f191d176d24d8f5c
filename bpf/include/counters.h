// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Per-CPU counters: one entry that holds them all, so that a program looks it up once.

#ifndef HEARTHSCOPE_COUNTERS_H
#define HEARTHSCOPE_COUNTERS_H

#include "events.h"
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct cpu_counters);
} counters SEC(".maps");

static __always_inline void count(enum bpf_counter which) {
  __u32 key = 0;
  struct cpu_counters *mine = bpf_map_lookup_elem(&counters, &key);
  if (mine)
    mine->value[which]++;
}

#endif
