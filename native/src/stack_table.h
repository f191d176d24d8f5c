// SPDX-License-Identifier: Apache-2.0
//
// Aggregates samples: equal records are one entry with a count.
//
// Open addressing over entries; the records themselves lie one after the other in one arena. Bounded twice: by
// entries and by bytes. What does not fit is counted by the caller, never stored.
//
//   slots_   [ entry index + 1 or 0, ... ]       power of two, at most half full
//   entries_ [ hash | offset | size | count ]    in order of first sight
//   arena_   [ record bytes, record bytes, ... ] 8-byte aligned

#pragma once

#include "events.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearthscope {

class StackTable {
public:
  struct Entry {
    uint64_t hash;
    uint32_t offset;
    uint32_t size;
    uint32_t count;
  };

  StackTable(uint32_t max_entries, uint32_t max_bytes);

  // Counts one record of `size` bytes, a multiple of 8. False when it is new and there is no room for it.
  bool add(const void *record, uint32_t size);

  // Forgets everything and keeps a little memory for the next batch.
  void clear();

  const std::vector<Entry> &entries() const { return entries_; }
  const sample_record *record(const Entry &entry) const {
    return reinterpret_cast<const sample_record *>(arena_.data() + entry.offset / sizeof(uint64_t));
  }

private:
  void grow();

  uint32_t max_entries_;
  uint32_t max_bytes_;
  std::vector<uint32_t> slots_;
  std::vector<Entry> entries_;
  std::vector<uint64_t> arena_;
};

} // namespace hearthscope
