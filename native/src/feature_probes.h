// SPDX-License-Identifier: Apache-2.0
//
// What this kernel lets the agent do, tried rather than guessed from a version number.

#pragma once

#include <string>
#include <vector>

namespace hearthscope {

struct FeatureProbe {
  std::string name;
  bool available;
  bool required; // without it the agent cannot run
  std::string detail;
  std::string lost_without;
};

std::vector<FeatureProbe> probe_features();

// False inside a container with a pid namespace of its own, where the pids of samples name other processes.
bool in_host_pid_namespace();

} // namespace hearthscope
