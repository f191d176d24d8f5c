// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Walks the user stack of a sample: appends its frames behind the kernel frames of the record.
//
// The loop calls a global function without arguments, once per frame. The verifier checks such a function by itself and
// its call counts as one instruction, so that 512 frames fit into one program on every kernel from 5.10 on. What
// the function works on it takes from the state of its CPU.

#ifndef HEARTHSCOPE_UNWIND_USER_H
#define HEARTHSCOPE_UNWIND_USER_H

#include "cpu_state.h"

#include <bpf/bpf_helpers.h>

// A part of the arena: see unwind_table.h. All are of this size, which keeps lookups in them inlined.
struct unwind_part {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, VALUES_PER_PART);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, VALUE_BYTES);
  __uint(map_flags, BPF_F_MMAPABLE);
};

// Parts are added as tables come; the loader sets how many there may be.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
  __array(values, struct unwind_part);
} unwind_parts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MAX_UNWIND_RULES);
  __type(key, __u32);
  __type(value, struct unwind_rule);
  __uint(map_flags, BPF_F_MMAPABLE);
} unwind_rules SEC(".maps");

static __always_inline int walk_read(struct walk *walk, __u64 address, void *to, __u32 bytes) {
  (void)walk;
  return bpf_probe_read_user(to, bytes, (const void *)address) != 0;
}

static __always_inline __u32 *walk_cells(struct walk *walk, __u32 cell) {
  (void)walk;
  __u32 part = CELL_PART(cell);
  void *values = bpf_map_lookup_elem(&unwind_parts, &part);
  if (!values)
    return NULL;
  __u32 value = CELL_VALUE(cell);
  return bpf_map_lookup_elem(values, &value);
}

static __always_inline struct unwind_rule *walk_rule(struct walk *walk, __u32 index) {
  (void)walk;
  return bpf_map_lookup_elem(&unwind_rules, &index);
}

#include "unwind_step.h"

static __always_inline void append_frame(struct sample_record *record, __u64 address) {
  __u32 slot = record->header.kernel_frames + record->header.user_frames;
  record->frames[slot % FRAME_SLOTS] = address;
  record->header.user_frames++;
}

static __always_inline struct remembered_rule *remembered_rule_of(struct cpu_state *state, __u64 address) {
  // Addresses of calls differ in their low bits, and pages lie a multiple of 4,096 apart.
  __u64 slot = address ^ (address >> 9) ^ (address >> 21);
  return &state->remembered[slot % REMEMBERED_RULES];
}

__attribute__((noinline)) int unwind_frame(void) {
  struct cpu_state *state = cpu_state();
  if (!state)
    return STOP_READ_FAILED;
  struct walk *walk = &state->walk;
  __u64 address = frame_address(walk);
  struct remembered_rule *remembered = remembered_rule_of(state, address);
  __u32 number;
  if (remembered->address == address && remembered->version == walk->mappings_version &&
      walk->rule_bias == walk->frame_bias) {
    number = remembered->number;
  } else {
    if (!find_mapping(walk, address)) {
      if (walk->must_be_mapped)
        return STOP_RETURN_ADDRESS_INVALID;
      append_frame(&state->record, address);
      return STOP_NO_MAPPING;
    }
    number = find_rule(walk);
    if (number != UNWIND_PENDING && walk->rule_bias == walk->frame_bias) {
      remembered->address = address;
      remembered->version = walk->mappings_version;
      remembered->number = number;
    }
  }
  // A signal trampoline is returned to at its very first byte.
  append_frame(&state->record, number == UNWIND_SIGNAL ? walk->pc : address);
  return step(walk, number);
}

// From the registers in the walk, by the mappings it names. The reason why it ended.
static __always_inline int unwind_user(void) {
  for (int depth = 0; depth < MAX_USER_FRAMES; depth++) {
    int stop = unwind_frame();
    if (stop != WALK_ON)
      return stop;
  }
  return STOP_TRUNCATED_MAX_FRAMES;
}

#endif
