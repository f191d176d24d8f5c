// SPDX-License-Identifier: Apache-2.0

#include "rule_table.h"

#include "cell_arena.h"

#include <cstring>

namespace hearthscope {
namespace {

std::pair<uint64_t, uint64_t> key_of(const unwind_rule &rule) {
  std::pair<uint64_t, uint64_t> key;
  std::memcpy(&key.first, &rule, sizeof(key.first));
  std::memcpy(&key.second, reinterpret_cast<const char *>(&rule) + sizeof(key.first), sizeof(key.second));
  return key;
}

} // namespace

std::optional<uint16_t> RuleTable::acquire(const unwind_rule &rule) {
  auto known = numbers_.find(key_of(rule));
  if (known != numbers_.end()) {
    users_[known->second]++;
    return known->second;
  }
  uint16_t number;
  if (!freed_.empty() && freed_.front().first + kReuseGrace <= std::chrono::steady_clock::now()) {
    number = freed_.front().second;
    freed_.pop_front();
  } else if (users_.size() < MAX_UNWIND_RULES) {
    number = users_.size();
    users_.push_back(0);
  } else {
    return {};
  }
  memory_[number] = rule;
  users_[number] = 1;
  numbers_[key_of(rule)] = number;
  return number;
}

void RuleTable::release(uint16_t number) {
  if (--users_[number])
    return;
  numbers_.erase(key_of(memory_[number]));
  freed_.emplace_back(std::chrono::steady_clock::now(), number);
}

} // namespace hearthscope
