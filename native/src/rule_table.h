// SPDX-License-Identifier: Apache-2.0
//
// The unwind rules of all tables of the host: equal ones are kept once and counted by the tables that use them. The
// programs read the same memory.

#pragma once

#include "unwind_table.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hearthscope {

class RuleTable {
public:
  // `memory` has MAX_UNWIND_RULES rules and outlives the table.
  explicit RuleTable(unwind_rule *memory) : memory_(memory) {}

  // The rule's number, counted once more. Empty when the table is full.
  std::optional<uint16_t> acquire(const unwind_rule &rule);
  void release(uint16_t number);

  uint32_t size() const { return numbers_.size(); }
  unwind_rule *rule(uint32_t number) const { return number < MAX_UNWIND_RULES ? memory_ + number : nullptr; }

private:
  using Key = std::pair<uint64_t, uint64_t>;
  struct KeyHash {
    size_t operator()(const Key &key) const { return key.first * 0x9e3779b97f4a7c15ULL ^ (key.second >> 3) * 31; }
  };

  unwind_rule *const memory_;
  std::unordered_map<Key, uint16_t, KeyHash> numbers_;
  std::vector<uint32_t> users_; // by number
  // Numbers nobody uses, oldest first: not written again at once, as a program may be reading them.
  std::deque<std::pair<std::chrono::steady_clock::time_point, uint16_t>> freed_;
};

} // namespace hearthscope
