// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Value of the map `processes`: what the programs know of a process whose samples were seen. Written by programs alone; the
// addon reads it.

#ifndef HEARTHSCOPE_KNOWN_PROCESS_H
#define HEARTHSCOPE_KNOWN_PROCESS_H

#include <linux/types.h>

#include "layout_assert.h"

struct known_process {
  __u64 start_time_nanos;
  __u64 announced_nanos;
  __u64 executable_pages;
  __u32 generation;      // counts its exec and mapped announcements
  __u32 exec_generation; // at its last exec: mappings read before are void
  __u32 void_generation; // mappings read before this one are void, too: code may have been replaced
  __u32 captures_left;   // until the next announcement
  __u32 reserved;
  // What user space has published of it: see struct process_mappings.
  __u32 mappings_generation;
  __u32 mappings_version;
  __u32 mappings_cell; // NO_MAPPINGS: nothing
  __u32 mapping_count;
  __u32 remapped;         // 1: a file's code was mapped, maybe where another's was, and it is not announced yet
  // The cgroups of a thread (a pointer to their css_set), and the id they were found to have.
  __u64 cgroups;
  __u64 cgroup_id;
};

LAYOUT_ASSERT(sizeof(struct known_process) == 80, "known process size");

#endif
