// SPDX-License-Identifier: Apache-2.0
//
// All that user stacks are walked by: tables, rules, mappings of processes, and the stacks that wait for them.
// Used by one thread, that of the event loop; only stacks to be kept come from another.

#pragma once

#include "cell_arena.h"
#include "events.h"
#include "kept_stacks.h"
#include "native_error.h"
#include "process_mappings.h"
#include "rule_table.h"
#include "unwind_tables.h"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace hearthscope {

struct UnwindUsage {
  uint64_t table_bytes;
  uint32_t rule_count;
  uint64_t tables;
  uint64_t processes;
  uint64_t captured_bytes;
};

class Unwinder {
public:
  // Asks for the table of the file that `address` of the sampled process lies in.
  using AskForTable = std::function<void(const capture_header &header, uint64_t address)>;

  Unwinder(uint64_t max_unwind_bytes, uint64_t max_captured_bytes, CellArena::MakePart make_part, unwind_rule *rules,
           ProcessMappings::Publish publish, KeptStacks::Finish finish, AskForTable ask_for_table);

  std::variant<uint32_t, NativeError> add_table(const UnwindTableColumns &table);
  MaybeError remove_table(uint32_t id);
  MaybeError set_process_mappings(uint32_t pid, uint64_t start_time_nanos, uint32_t generation,
                                  const MappingColumns &mappings);
  // Takes effect when no stack of the process is kept any more.
  void forget_process(uint32_t pid, uint64_t start_time_nanos);

  // The process replaced its program: mappings of an earlier generation do not hold for its samples from then on.
  void note_exec(uint32_t pid, uint64_t start_time_nanos, uint32_t generation);
  void note_exit(uint32_t pid, uint64_t start_time_nanos);

  // Once per batch: kept stacks that have waited through a whole one, or all, become samples.
  void end_batch(bool all);

  KeptStacks &kept_stacks() { return kept_; }
  void unmap() { arena_.unmap(); }

  UnwindUsage usage() const;
  const std::vector<int> &part_descriptors() const { return arena_.part_descriptors(); }
  uint64_t rules_refused() const { return tables_.rules_refused(); }
  uint64_t mappings_refused() const { return mappings_.mappings_refused(); }

private:
  struct Exec {
    uint64_t start_time_nanos;
    uint32_t generation;
    uint32_t batches_since_exit; // 0 while it lives
  };

  std::optional<WalkedStack> walk(const capture_header &header, const KeptStack &stack, bool last_chance);

  void ask_once(const capture_header &header, const WalkedStack &walked);

  CellArena arena_;
  RuleTable rules_;
  UnwindTables tables_;
  ProcessMappings mappings_;
  KeptStacks kept_;
  const AskForTable ask_for_table_;
  std::unordered_map<uint32_t, Exec> last_exec_; // by pid
  std::vector<std::pair<uint32_t, uint64_t>> to_forget_;
};

} // namespace hearthscope
