// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What each CPU has of its own: counters, and the working memory of a sample, too large for the 512 bytes of BPF stack.
// All in one entry, as each map more that a sample touches costs a page whose address translation is cold.
//
// The sampling program is never interrupted by itself (the clock's interrupt does not nest), so nothing else writes
// the working memory meanwhile.

#ifndef HEARTHSCOPE_CPU_STATE_H
#define HEARTHSCOPE_CPU_STATE_H

#include "events.h"
#include "kernel_types.h"
#include "walk.h"

#include <bpf/bpf_helpers.h>

// A rule that was found lately: stacks repeat from sample to sample, and one line here saves a look at the mappings, the
// page and the rows of its table.
struct remembered_rule {
  __u64 address;
  __u32 version; // of the process's mappings; 0: none
  __u32 number;
};

struct cpu_state {
  struct cpu_counters counters;
  struct walk walk;
  struct sample_record record;
  struct remembered_rule remembered[REMEMBERED_RULES];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct cpu_state);
} cpu_states SEC(".maps");

static __always_inline struct cpu_state *cpu_state(void) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&cpu_states, &key);
}

static __always_inline void count(enum bpf_counter which) {
  struct cpu_state *state = cpu_state();
  if (state)
    state->counters.value[which]++;
}

#endif
