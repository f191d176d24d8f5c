// SPDX-License-Identifier: Apache-2.0
//
// Unwind tables of binaries, laid out in the arena as the programs read them (bpf/include/unwind_table.h).

#pragma once

#include "cell_arena.h"
#include "native_error.h"
#include "rule_table.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace hearthscope {

// Columns as `UnwindTable` of native/lib/index.ts has them; the memory is the caller's.
struct UnwindTableColumns {
  const uint32_t *page_first_row;
  size_t page_first_rows; // pages + 1
  const uint16_t *page_rule;
  size_t pages;
  const uint16_t *row_offset;
  const uint16_t *row_rule;
  size_t rows;
  const uint8_t *rules;
  size_t rule_bytes;
};

class UnwindTables {
public:
  struct Placed {
    uint32_t page_index_cell;
    uint32_t pages;
  };

  UnwindTables(CellArena &arena, RuleTable &rules) : arena_(arena), rules_(rules) {}

  // Checks and copies a table; its id.
  std::variant<uint32_t, NativeError> add(const UnwindTableColumns &table);
  // False when there is none of that id.
  bool remove(uint32_t id);

  std::optional<Placed> find(uint32_t id) const;
  size_t size() const { return tables_.size(); }
  // Rules that found the rule table full; their rows say `unsupported`.
  uint64_t rules_refused() const { return rules_refused_; }

private:
  struct Table {
    Placed placed;
    std::vector<std::pair<uint32_t, uint32_t>> extents; // first cell, cells
    std::vector<uint16_t> rules;
  };

  MaybeError place(const UnwindTableColumns &columns, Table &table);
  std::vector<uint16_t> acquire_rules(const UnwindTableColumns &columns, Table &table);
  MaybeError place_rows(const UnwindTableColumns &columns, const std::vector<uint16_t> &numbers,
                        std::vector<unwind_page> &index, Table &table);
  void discard(Table &table);

  CellArena &arena_;
  RuleTable &rules_;
  std::unordered_map<uint32_t, Table> tables_;
  uint32_t next_id_ = 0;
  uint64_t rules_refused_ = 0;
};

} // namespace hearthscope
