// SPDX-License-Identifier: Apache-2.0
//
// The processes a recording starts from, with the descendants they already have.

#pragma once

#include "native_error.h"

#include <cstdint>
#include <vector>

namespace hearthscope {

struct FollowedProcess {
  uint32_t pid;
  bool sample_itself;
};

// Puts the processes and all their living descendants into the map `followed`. The fork program must be attached
// before: it takes care of children born while this reads /proc.
MaybeError follow_processes(int map_descriptor, const std::vector<FollowedProcess> &processes);

} // namespace hearthscope
