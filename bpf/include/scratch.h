// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Working memory of one sample: too large for the 512 bytes of BPF stack. One per CPU; the sampling program is
// never interrupted by itself (the clock's interrupt does not nest), so nothing else writes it meanwhile.

#ifndef HEARTHSCOPE_SCRATCH_H
#define HEARTHSCOPE_SCRATCH_H

#include "events.h"
#include "registers.h"

struct sample_scratch {
  struct user_registers registers;
  struct sample_record record;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct sample_scratch);
} scratch SEC(".maps");

static __always_inline struct sample_scratch *sample_scratch(void) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&scratch, &key);
}

#endif
