// SPDX-License-Identifier: Apache-2.0
//
// Samples whose stack could not be walked in the kernel yet. Each waits for the mappings of its process and the
// tables of its files, for a while and within a limit of bytes; in the end it becomes a sample like any other.

#pragma once

#include "events.h"
#include "stack_walker.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

namespace hearthscope {

// A binary may have to be read from a slow disk on a busy machine before its table is there.
constexpr std::chrono::seconds kMaxWait{5};

class KeptStacks {
public:
  // Walks a stack with what is known now. Empty: its mappings have not been set yet, or are older than the sample and
  // this is not the last chance.
  using Walk =
      std::function<std::optional<WalkedStack>(const capture_header &header, const KeptStack &stack, bool last_chance)>;
  // Takes a finished sample: a record of `size` bytes.
  using Finish = std::function<void(const sample_record &record, uint32_t size)>;

  KeptStacks(uint64_t max_bytes, Walk walk, Finish finish);

  static bool is_capture(const void *record, size_t size);

  // Makes a sample of a capture with the frames that were found in the kernel.
  static void finish_unwalked(const void *record, const Finish &finish);

  // Takes a record for which is_capture() holds.
  void add(const void *record, size_t size);

  // Walks what can be walked; `pid` 0 for all processes. What meets a pending table goes on waiting.
  void retry(uint32_t pid);
  // Finishes those that have waited for kMaxWait, or all.
  void expire(bool all);

  bool has_any_of(uint32_t pid, uint64_t start_time_nanos) const;

  uint64_t bytes() const { return bytes_; }
  uint64_t completed() const { return completed_; }
  uint64_t expired() const { return expired_; }
  uint64_t evicted() const { return evicted_; }

private:
  struct Kept {
    std::vector<uint64_t> words; // the capture as it came
    uint32_t bytes;
    std::chrono::steady_clock::time_point kept_at;
    const capture_header &header() const { return *reinterpret_cast<const capture_header *>(words.data()); }
    const uint8_t *data() const { return reinterpret_cast<const uint8_t *>(words.data()) + CAPTURE_HEADER_BYTES; }
  };
  using Position = std::list<Kept>::iterator;

  // False when it must go on waiting.
  bool try_to_walk(const Kept &kept, bool last_chance);
  Position remove(Position position);

  const uint64_t max_bytes_;
  const Walk walk_;
  const Finish finish_;
  std::list<Kept> kept_; // oldest first
  uint64_t bytes_ = 0;
  uint64_t completed_ = 0;
  uint64_t expired_ = 0;
  uint64_t evicted_ = 0;
};

} // namespace hearthscope
