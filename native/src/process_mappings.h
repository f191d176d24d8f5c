// SPDX-License-Identifier: Apache-2.0
//
// The executable mappings of each process and the tables they belong to, as JS has set them, in the arena, and
// made known to the programs. An update writes a new block.

#pragma once

#include "cell_arena.h"
#include "native_error.h"
#include "unwind_tables.h"

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

namespace hearthscope {

// In place of a table's id; the contract with native/lib/index.ts.
constexpr int32_t kNoFile = -1;
constexpr int32_t kTableNotBuilt = -2;
constexpr int32_t kNoUnwindInformation = -3;

// Columns of `ProcessMappings` of native/lib/index.ts; the memory is the caller's.
struct MappingColumns {
  const uint64_t *starts;
  const uint32_t *page_counts;
  const int32_t *tables;
  const int32_t *first_pages;
  size_t count;
};

class ProcessMappings {
public:
  struct Known {
    process_mappings block;
    std::vector<uint32_t> tables; // ids, ascending
  };

  // Tells the programs: 0 or a negative errno.
  using Publish = std::function<int(const process_mappings &mappings)>;

  ProcessMappings(CellArena &arena, const UnwindTables &tables, Publish publish);

  MaybeError set(uint32_t pid, uint64_t start_time_nanos, uint32_t generation, const MappingColumns &mappings);
  void forget(uint32_t pid, uint64_t start_time_nanos);

  // Has every process that uses the table ask for it again.
  void table_removed(uint32_t id, const UnwindTables::Placed &placed);

  // nullptr when nothing was set for it.
  const Known *find(uint32_t pid, uint64_t start_time_nanos) const;
  size_t size() const { return known_.size(); }
  // Mappings left out, as a process has more than MAX_PROCESS_MAPPINGS pieces of them.
  uint64_t mappings_refused() const { return mappings_refused_; }

private:
  void add_pieces(const MappingColumns &mappings, size_t index, std::vector<unwind_mapping> &pieces,
                  std::vector<uint32_t> &used);
  void release(const process_mappings &block);

  CellArena &arena_;
  const UnwindTables &tables_;
  const Publish publish_;
  uint32_t last_version_ = 0;
  std::unordered_map<uint32_t, Known> known_;
  uint64_t mappings_refused_ = 0;
};

} // namespace hearthscope
