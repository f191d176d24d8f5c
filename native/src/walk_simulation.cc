// SPDX-License-Identifier: Apache-2.0

#include "walk_simulation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace hearthscope {
namespace {

constexpr uint64_t kMaxBytes = 64 * 1024 * 1024;
constexpr uint32_t kPid = 1;

int make_part_in_memory(uint32_t) {
  int descriptor = memfd_create("unwind part", MFD_CLOEXEC);
  if (descriptor < 0 || ftruncate(descriptor, kPartBytes))
    return -errno;
  return descriptor;
}

} // namespace

std::variant<WalkedStack, NativeError> simulate_walk(bool is_arm64, const KeptStack &stack,
                                                     const std::vector<UnwindTableColumns> &tables,
                                                     const MappingColumns &mappings) {
  std::vector<unwind_rule> rule_memory(MAX_UNWIND_RULES);
  CellArena arena(kMaxBytes, make_part_in_memory);
  RuleTable rules(rule_memory.data());
  UnwindTables placed(arena, rules);
  ProcessMappings processes(arena, placed, [](const process_mappings &) { return 0; });
  for (const UnwindTableColumns &table : tables) {
    auto id = placed.add(table);
    if (NativeError *error = std::get_if<NativeError>(&id))
      return *error;
  }
  if (MaybeError error = processes.set(kPid, 0, 0, mappings))
    return *error;
  auto walk = is_arm64 ? arm64::walk_stack : x86_64::walk_stack;
  return walk(stack, processes.find(kPid, 0)->block, arena, rules);
}

} // namespace hearthscope
