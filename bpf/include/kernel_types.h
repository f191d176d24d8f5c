// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The few kernel types that are read, by hand and with CO-RE relocations: members are found by name in the
// running kernel's BTF, so order and size here mean nothing. No vmlinux.h: 130,000 lines for 20 members.

#ifndef HEARTHSCOPE_KERNEL_TYPES_H
#define HEARTHSCOPE_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>

#define RELOCATED __attribute__((preserve_access_index))

struct kernfs_node {
  __u64 id;
} RELOCATED;

struct cgroup {
  struct kernfs_node *kn;
} RELOCATED;

struct cgroup_subsys_state {
  struct cgroup *cgroup;
} RELOCATED;

// Numbers differ between kernels and configurations: read with bpf_core_enum_value.
enum cgroup_subsys_id {
  cpu_cgrp_id,
  memory_cgrp_id,
  pids_cgrp_id,
};

struct css_set {
  struct cgroup_subsys_state *subsys[1];
  struct cgroup *dfl_cgrp;
} RELOCATED;

typedef struct {
  int counter;
} RELOCATED atomic_t;

struct signal_struct {
  atomic_t live;
} RELOCATED;

struct mm_struct {
  unsigned long exec_vm;
} RELOCATED;

// Only its size is asked for; its beginning is the uapi layout.
struct pt_regs {
  unsigned long sp;
} RELOCATED;

#define PF_EXITING 0x00000004
#define PF_FORKNOEXEC 0x00000040
#define PF_KTHREAD 0x00200000

struct task_struct {
  void *stack;
  unsigned int flags;
  int pid;
  int tgid;
  struct task_struct *group_leader;
  struct task_struct *real_parent;
  __u64 start_boottime;
  char comm[16];
  struct mm_struct *mm;
  struct signal_struct *signal;
  struct css_set *cgroups;
} RELOCATED;

#endif
