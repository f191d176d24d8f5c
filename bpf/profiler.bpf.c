// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The on-CPU profiler: one program on the sampling clock of each CPU, three on the life of processes.
// Runs on kernels from 5.10: preallocated hashes, no bpf_loop, no fentry, no kprobe.
//
// The clock may be a hardware one, whose interrupt cannot be masked: the sampling program takes no lock that another
// program of the same CPU may hold. Rings try theirs and lose the record, which is counted.

#include "capture.h"
#include "cgroup_id.h"
#include "cpu_state.h"
#include "follow.h"
#include "process_table.h"
#include "registers.h"
#include "task_facts.h"
#include "unwind_user.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Set by the loader before the programs are verified; code for a 0 is removed by the verifier.
const volatile __u32 excluded_tgid = 0;
const volatile __u32 follow_enabled = 0;

// Read by the addon on a timer and never woken up for; sized by the loader.
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} samples SEC(".maps");

// Asks for the table of the mapping the walk has stopped in, once.
static __always_inline void ask_for_table(const struct known_process *known, struct walk *walk) {
  __u32 *value = walk_cells(walk, walk->mapping_cell);
  if (!value)
    return;
  __u32 offset = CELL_OFFSET(walk->mapping_cell) & ~3u;
  struct unwind_mapping *mapping = (struct unwind_mapping *)(value + offset);
  if (mapping->page_index_cell == MAPPING_PENDING &&
      announce(PROCESS_NEEDS_TABLE, (struct task_struct *)bpf_get_current_task(), known->generation,
               frame_address(walk)))
    mapping->page_index_cell = MAPPING_PENDING_ASKED;
}

// Whether walking the stack again makes sense once user space knows more.
static __always_inline int can_be_walked_later(struct known_process *known, const struct task_facts *facts,
                                               struct walk *walk, int stop) {
  if (!known)
    return 0;
  if (stop == STOP_PROCESS_UNKNOWN)
    return 1;
  if (stop == STOP_TABLE_PENDING) {
    ask_for_table(known, walk);
    return 1;
  }
  if (stop != STOP_NO_MAPPING && stop != STOP_RETURN_ADDRESS_INVALID)
    return 0;
  return is_publishing_due(known) || announce_if_mapped(known, facts, MIN_MAPPED_GAP_NANOS);
}

static __always_inline int take_capture(struct known_process *known) {
  if (!known->captures_left) {
    count(COUNTER_CAPTURES_REFUSED);
    return 0;
  }
  known->captures_left--;
  return 1;
}

static __always_inline __u64 cgroup_id_in(struct known_process *known, struct css_set *cgroups) {
  if (known && known->cgroups == (__u64)cgroups)
    return known->cgroup_id;
  __u64 id = cgroup_id_of(cgroups);
  if (known) {
    known->cgroups = (__u64)cgroups;
    known->cgroup_id = id;
  }
  return id;
}

static __always_inline void read_kernel_stack(struct perf_event_context *context, struct cpu_state *state) {
  long bytes = bpf_get_stack(context, state->record.frames, MAX_KERNEL_FRAMES * sizeof(__u64), 0);
  if (bytes < 0)
    count(COUNTER_KERNEL_STACK_FAILED);
  else
    state->record.header.kernel_frames = bytes / sizeof(__u64);
  if (state->record.header.kernel_frames == MAX_KERNEL_FRAMES)
    count(COUNTER_KERNEL_STACK_TRUNCATED);
}

// Appends the user frames. True when the sample has been sent with its stack instead.
static __always_inline int walk_or_capture(struct perf_event_context *context, int user_mode, struct cpu_state *state,
                                           struct known_process *known, const struct task_facts *facts) {
  struct sample_header *header = &state->record.header;
  struct walk *walk = &state->walk;
  int stop = read_user_registers(context, user_mode, walk);
  if (stop == STOP_UNSUPPORTED_32_BIT) {
    append_frame(&state->record, walk->pc);
  } else if (stop == WALK_ON) {
    if (use_mappings_of(known, walk)) {
      stop = meaning_of_stop(walk, unwind_user(), header->user_frames);
      if (stop == STOP_NO_USER_STACK)
        header->user_frames = 0;
    } else {
      append_frame(&state->record, walk->pc);
      stop = STOP_PROCESS_UNKNOWN;
    }
  }
  header->stop_reason = stop;
  if (stop == STOP_END_OF_STACK || stop == STOP_NO_USER_STACK)
    return 0;
  if (can_be_walked_later(known, facts, walk, stop) && take_capture(known) &&
      read_user_registers(context, user_mode, walk) == WALK_ON) {
    header->generation = known->generation;
    if (send_capture(state, known->generation))
      return 1;
  }
  if (stop == STOP_TRUNCATED_MAX_FRAMES)
    count(COUNTER_USER_STACK_TRUNCATED);
  if (header->user_frames == 0)
    count(COUNTER_USER_STACK_FAILED);
  return 0;
}

SEC("perf_event")
int sample_stack(struct perf_event_context *context) {
  struct cpu_state *state = cpu_state();
  if (!state)
    return 0; // entry 0 of an array always exists
  state->counters.value[COUNTER_TICKS]++;
  __u64 ids = bpf_get_current_pid_tgid();
  __u32 tgid = ids >> 32;
  __u32 tid = (__u32)ids;
  if (tid == 0) {
    state->counters.value[COUNTER_IDLE]++;
    return 0;
  }
  if (excluded_tgid && tgid == excluded_tgid) {
    state->counters.value[COUNTER_SELF_EXCLUDED]++;
    return 0;
  }
  if (follow_enabled && !is_followed_for_samples(tgid)) {
    state->counters.value[COUNTER_FILTERED]++;
    return 0;
  }
  struct task_facts facts;
  read_task_facts(&facts);
  // Before the sample is written, so that a reader who has drained this ring finds the announcement in the other.
  struct known_process *known = announce_sampled(tgid, &facts);

  struct sample_header *header = &state->record.header;
  header->start_time_nanos = facts.start_time_nanos;
  header->cgroup_id = cgroup_id_in(known, facts.cgroups);
  header->tgid = tgid;
  header->tid = tid;
  bpf_get_current_comm(header->comm, sizeof(header->comm));
  header->kernel_thread = (facts.flags & PF_KTHREAD) != 0;
  header->kernel_frames = 0;
  header->user_frames = 0;
  header->stop_reason = STOP_NO_USER_STACK;

  int user_mode = IS_USER_MODE(&context->registers);
  if (!user_mode)
    read_kernel_stack(context, state);
  // In exec and exit a process is without memory for a while, and no stack is left.
  if (facts.executable_pages && walk_or_capture(context, user_mode, state, known, &facts)) {
    state->counters.value[COUNTER_SAMPLES]++;
    return 0;
  }
  header->generation = known ? known->generation : 0;

  // Output (a copy of what is filled) rather than reserve, which takes a constant size: see docs/adr/0012-unwind-tables.md.
  __u64 frames = header->kernel_frames + header->user_frames;
  __u64 bytes = SAMPLE_HEADER_BYTES + frames % FRAME_SLOTS * sizeof(__u64);
  long error = bpf_ringbuf_output(&samples, &state->record, bytes, BPF_RB_NO_WAKEUP);
  state->counters.value[error ? COUNTER_LOST_RING_FULL : COUNTER_SAMPLES]++;
  return 0;
}

// Arguments of the tracepoints: include/trace/events/sched.h of the kernel.

SEC("tp_btf/sched_process_exec")
int process_exec(__u64 *arguments) {
  announce_exec((struct task_struct *)arguments[0]);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *arguments) {
  struct task_struct *task = (struct task_struct *)arguments[0];
  if (!thread_group_is_dead(task))
    return 0;
  announce_exit(task);
  if (follow_enabled)
    unfollow(task);
  return 0;
}

// Loaded only when a filter is set.
SEC("tp_btf/sched_process_fork")
int process_fork(__u64 *arguments) {
  follow_child((struct task_struct *)arguments[0], (struct task_struct *)arguments[1]);
  return 0;
}

// Run by the addon, as publish_mappings, for a process that has mapped a file's code anew.
SEC("raw_tp")
int void_mappings(const volatile __u64 *words) {
  note_remapped((__u32)words[0]);
  return 0;
}

// Run by the addon (BPF_PROG_TEST_RUN), attached nowhere: what the programs note of a process is written by programs
// alone, so no update from user space can undo one of theirs.
SEC("raw_tp")
int publish_mappings(const volatile __u64 *words) {
  union {
    __u64 words[sizeof(struct process_mappings) / sizeof(__u64)];
    struct process_mappings mappings;
  } argument;
  for (unsigned i = 0; i < sizeof(argument.words) / sizeof(__u64); i++)
    argument.words[i] = words[i];
  note_mappings(&argument.mappings);
  return 0;
}
