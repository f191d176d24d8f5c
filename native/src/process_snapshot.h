// SPDX-License-Identifier: Apache-2.0
//
// What must be read from /proc while a process still lives: its executable mappings, executable and cgroup.

#pragma once

#include "events.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hearthscope {

constexpr size_t kMaxMappings = 4096;             // executable ones, per process
constexpr size_t kMaxMapsBytes = 16 * 1024 * 1024; // read of one /proc/PID/maps
constexpr size_t kMaxCgroupBytes = 16 * 1024;

struct Mapping {
  uint64_t start;
  uint64_t limit;
  uint64_t file_offset;
  uint64_t inode;
  std::string device; // "fd:00"
  std::string path;   // as the kernel prints it, with " (deleted)" where it does
};

struct ProcessSnapshot {
  std::string executable; // target of the exe link, empty when it cannot be read
  std::string cgroup;     // /proc/PID/cgroup as it is
  bool mappings_truncated = false;
  std::vector<Mapping> mappings; // ascending, as the kernel prints them
};

// Adds the line of a maps file to `mappings` when it is executable. False when the line is malformed.
bool parse_maps_line(const char *line, size_t length, std::vector<Mapping> &mappings);

// What is read must be what the event was about: `has_replaced_program` is asked after the reading whether the process has
// called exec since. What a process that was only forked has is read from its parent, if it is gone or has called exec itself.
// Empty when it is gone, when its pid already belongs to another one (by start time), or when it has called exec.
std::optional<ProcessSnapshot> read_process_snapshot(const process_event &event,
                                                     const std::function<bool()> &has_replaced_program);

} // namespace hearthscope
