// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What every sample needs to know of the running task. Read by plain loads where the kernel lets a program see the task
// as what it is (5.11), which costs a tenth of a helper call each.

#ifndef HEARTHSCOPE_TASK_FACTS_H
#define HEARTHSCOPE_TASK_FACTS_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_facts {
  __u64 start_time_nanos; // of the thread-group leader
  __u64 executable_pages; // 0 without memory of its own
  struct css_set *cgroups;
  __u32 flags;
};

// See bpf_func_id___probe in registers.h.
enum bpf_func_id___task {
  BPF_FUNC_get_current_task_btf___task = 158,
};

static __always_inline void read_task_facts(struct task_facts *facts) {
  facts->executable_pages = 0;
  if (bpf_core_enum_value_exists(enum bpf_func_id___task, BPF_FUNC_get_current_task_btf___task)) {
    struct task_struct *task = bpf_get_current_task_btf();
    facts->flags = task->flags;
    facts->cgroups = task->cgroups;
    facts->start_time_nanos = task->group_leader->start_boottime;
    struct mm_struct *memory = task->mm;
    if (memory)
      facts->executable_pages = memory->exec_vm;
  } else {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    facts->flags = BPF_CORE_READ(task, flags);
    facts->cgroups = BPF_CORE_READ(task, cgroups);
    facts->start_time_nanos = BPF_CORE_READ(task, group_leader, start_boottime);
    struct mm_struct *memory = BPF_CORE_READ(task, mm);
    if (memory)
      facts->executable_pages = BPF_CORE_READ(memory, exec_vm);
  }
}

#endif
