// SPDX-License-Identifier: Apache-2.0
//
// Walks a stack that was kept, by the same steps as the BPF programs (bpf/include/unwind_step.h).

#pragma once

#include "cell_arena.h"
#include "profiler_limits.h"
#include "rule_table.h"
#include "stop_reasons.h"
#include "unwind_table.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearthscope {

// A piece of the memory of a thread, as it was when it was sampled.
struct KeptMemory {
  uint64_t address;
  const uint8_t *bytes;
  size_t size;
};

struct KeptStack {
  uint64_t pc;
  const __u64 *registers; // CAPTURED_REGISTERS, by DWARF number
  uint32_t system_call; // enum system_call
  std::vector<KeptMemory> memory;
};

struct WalkedStack {
  std::vector<uint64_t> frames; // leaf first
  int stop;                     // enum stop_reason
  uint32_t last_mapping_cell;   // of the mapping the last frame lies in, where it lies in one
};

namespace x86_64 {
WalkedStack walk_stack(const KeptStack &stack, const process_mappings &mappings, CellArena &arena, RuleTable &rules);
}
namespace arm64 {
WalkedStack walk_stack(const KeptStack &stack, const process_mappings &mappings, CellArena &arena, RuleTable &rules);
}

} // namespace hearthscope
