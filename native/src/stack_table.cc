// SPDX-License-Identifier: Apache-2.0

#include "stack_table.h"

#include <cstring>

namespace hearthscope {
namespace {

constexpr size_t kInitialSlots = 1024;

// Multiply and fold per word. The input is the kernel's, not an attacker's network packet, and equal hashes only
// cost a comparison: add() always compares the bytes.
uint64_t hash_words(const uint64_t *words, size_t count) {
  uint64_t hash = 0x9e3779b97f4a7c15ULL ^ count;
  for (size_t i = 0; i < count; i++) {
    unsigned __int128 product = static_cast<unsigned __int128>(hash ^ words[i]) * 0xd6e8feb86659fd93ULL;
    hash = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^ words[i];
  }
  return hash;
}

} // namespace

StackTable::StackTable(uint32_t max_entries, uint32_t max_bytes)
    : max_entries_(max_entries), max_bytes_(max_bytes), slots_(kInitialSlots) {}

bool StackTable::add(const void *record, uint32_t size) {
  const auto *words = static_cast<const uint64_t *>(record);
  size_t count = size / sizeof(uint64_t);
  uint64_t hash = hash_words(words, count);
  size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  for (; slots_[slot]; slot = (slot + 1) & mask) {
    Entry &entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && entry.size == size &&
        std::memcmp(arena_.data() + entry.offset / sizeof(uint64_t), record, size) == 0) {
      entry.count++;
      return true;
    }
  }
  size_t used = arena_.size() * sizeof(uint64_t);
  if (entries_.size() >= max_entries_ || used + size > max_bytes_)
    return false;
  entries_.push_back({hash, static_cast<uint32_t>(used), size, 1});
  arena_.insert(arena_.end(), words, words + count);
  slots_[slot] = static_cast<uint32_t>(entries_.size());
  if (entries_.size() * 2 > slots_.size())
    grow();
  return true;
}

void StackTable::grow() {
  slots_.assign(slots_.size() * 2, 0);
  size_t mask = slots_.size() - 1;
  for (size_t index = 0; index < entries_.size(); index++) {
    size_t slot = entries_[index].hash & mask;
    while (slots_[slot])
      slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(index + 1);
  }
}

void StackTable::clear() {
  // A burst must not hold its memory for ever.
  slots_ = std::vector<uint32_t>(kInitialSlots);
  entries_ = {};
  arena_ = {};
}

} // namespace hearthscope
