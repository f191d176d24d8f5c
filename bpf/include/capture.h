// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Samples that cannot be walked yet, because the mappings of the process or the table of a file are not known: sent with
// registers and user stack, so that the addon can walk them when they are.

#ifndef HEARTHSCOPE_CAPTURE_H
#define HEARTHSCOPE_CAPTURE_H

#include "cpu_state.h"

#include <bpf/bpf_helpers.h>

#define CAPTURE_PAGE_BYTES 4096

struct capture_buffer {
  struct capture_header header;
  // Room for a first piece up to the end of its page, whole pages, and the frames behind them.
  char data[MAX_CAPTURED_STACK_BYTES + CAPTURE_PAGE_BYTES + FRAME_SLOTS * 8];
};

// One per CPU, as an ordinary array: a per-CPU map takes no value above 32 KiB. Sized by the loader.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct capture_buffer);
} capture_buffers SEC(".maps");

// Sized by the loader. The reader is woken when it has read everything before.
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1024 * 1024);
} captures SEC(".maps");

// Reads the user stack from `sp` on, page by page, until a page is not there; pages above `sp` that were never touched are
// skipped, as a function may reserve more than it uses. Gives the address it begins at.
static __always_inline __u64 read_user_stack(struct capture_buffer *buffer, __u64 sp) {
  __u32 bytes = CAPTURE_PAGE_BYTES - (sp & (CAPTURE_PAGE_BYTES - 1));
  __u64 start = sp;
  if (bpf_probe_read_user(buffer->data, bytes, (const void *)sp)) {
    start += bytes;
    bytes = 0;
  }
  for (int page = 0; page < MAX_CAPTURED_STACK_BYTES / CAPTURE_PAGE_BYTES - 1; page++) {
    if (bpf_probe_read_user(buffer->data + bytes, CAPTURE_PAGE_BYTES, (const void *)(start + bytes)) == 0)
      bytes += CAPTURE_PAGE_BYTES;
    else if (bytes == 0)
      start += CAPTURE_PAGE_BYTES;
    else
      break;
  }
  buffer->header.stack_bytes = bytes & ~7u;
  return start;
}

// Sends the record with registers and stack; the walk holds the registers of the sample. False when it was not sent.
static __always_inline int send_capture(const struct cpu_state *state, __u32 generation) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct capture_buffer *buffer = bpf_map_lookup_elem(&capture_buffers, &cpu);
  if (!buffer)
    return 0;
  buffer->header.pc = state->walk.pc;
  __builtin_memcpy(buffer->header.registers, state->walk.registers, sizeof(state->walk.registers));
  buffer->header.generation = generation;
  buffer->header.system_call = state->walk.system_call;
  buffer->header.sample = state->record.header;
  buffer->header.stack_start = read_user_stack(buffer, state->walk.registers[WALK_SP]);
  __u32 stack_bytes = buffer->header.stack_bytes;
  if (stack_bytes > MAX_CAPTURED_STACK_BYTES)
    return 0; // never so; for the verifier
  __u32 frames = state->record.header.kernel_frames + state->record.header.user_frames;
  __u32 frame_bytes = frames % FRAME_SLOTS * sizeof(__u64);
  if (bpf_probe_read_kernel(buffer->data + stack_bytes, frame_bytes, state->record.frames))
    return 0;
  __u64 bytes = CAPTURE_HEADER_BYTES + stack_bytes + frame_bytes;
  if (bpf_ringbuf_output(&captures, buffer, bytes, 0)) {
    count(COUNTER_CAPTURES_LOST_RING_FULL);
    return 0;
  }
  count(COUNTER_CAPTURES);
  return 1;
}

#endif
