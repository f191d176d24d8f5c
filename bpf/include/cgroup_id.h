// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// One number that names the cgroup of a task, on every cgroup layout.
//
// It is the id of the kernfs node, which is the inode number of the cgroup's directory. The v2 hierarchy is asked
// first; where everything sits in its root (hosts that still mount v1 controllers), the first v1 controller
// that has the task outside its root answers. A root has id 1 in every hierarchy.

#ifndef HEARTHSCOPE_CGROUP_ID_H
#define HEARTHSCOPE_CGROUP_ID_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define ROOT_CGROUP_ID 1

static __always_inline __u64 controller_cgroup_id(struct css_set *set, __u32 subsystem) {
  struct cgroup_subsys_state *state = NULL;
  if (bpf_core_read(&state, sizeof(state), &set->subsys[subsystem]) || !state)
    return ROOT_CGROUP_ID;
  return BPF_CORE_READ(state, cgroup, kn, id);
}

// A controller that this kernel does not have leaves the id as it is.
#define ASK_CONTROLLER(id, set, controller)                                                                   \
  if ((id) <= ROOT_CGROUP_ID && bpf_core_enum_value_exists(enum cgroup_subsys_id, controller))                \
  (id) = controller_cgroup_id(set, bpf_core_enum_value(enum cgroup_subsys_id, controller))

static __always_inline __u64 cgroup_id_of(struct css_set *set) {
  __u64 id = BPF_CORE_READ(set, dfl_cgrp, kn, id);
  ASK_CONTROLLER(id, set, memory_cgrp_id);
  ASK_CONTROLLER(id, set, pids_cgrp_id);
  ASK_CONTROLLER(id, set, cpu_cgrp_id);
  return id;
}

#endif
