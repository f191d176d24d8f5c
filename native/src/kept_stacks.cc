// SPDX-License-Identifier: Apache-2.0

#include "kept_stacks.h"

#include <algorithm>
#include <cstring>

namespace hearthscope {
namespace {

void finish_with(const capture_header &header, const WalkedStack &walked, const KeptStacks::Finish &finish) {
  const uint8_t *frames = reinterpret_cast<const uint8_t *>(&header) + CAPTURE_HEADER_BYTES + header.stack_bytes;
  sample_record record;
  record.header = header.sample;
  record.header.stop_reason = walked.stop;
  size_t kernel_frames = header.sample.kernel_frames;
  size_t user_frames = header.sample.user_frames;
  std::memcpy(record.frames, frames, kernel_frames * sizeof(uint64_t));
  if (walked.stop == STOP_NO_USER_STACK) {
    user_frames = 0;
  } else if (walked.frames.empty()) {
    std::memcpy(record.frames + kernel_frames, frames + kernel_frames * sizeof(uint64_t),
                user_frames * sizeof(uint64_t));
  } else {
    user_frames = walked.frames.size();
    std::copy(walked.frames.begin(), walked.frames.end(), record.frames + kernel_frames);
  }
  record.header.user_frames = user_frames;
  finish(record, SAMPLE_HEADER_BYTES + (kernel_frames + user_frames) * sizeof(uint64_t));
}

} // namespace

KeptStacks::KeptStacks(uint64_t max_bytes, Walk walk, Finish finish)
    : max_bytes_(max_bytes), walk_(std::move(walk)), finish_(std::move(finish)) {}

bool KeptStacks::is_capture(const void *record, size_t size) {
  if (size < CAPTURE_HEADER_BYTES)
    return false;
  const auto &header = *static_cast<const capture_header *>(record);
  uint64_t frames = uint64_t{header.sample.kernel_frames} + header.sample.user_frames;
  return header.stack_bytes <= MAX_CAPTURED_STACK_BYTES && header.stack_bytes % sizeof(uint64_t) == 0 &&
         header.sample.kernel_frames <= MAX_KERNEL_FRAMES && header.sample.user_frames <= MAX_USER_FRAMES &&
         CAPTURE_HEADER_BYTES + header.stack_bytes + frames * sizeof(uint64_t) == size;
}

void KeptStacks::finish_unwalked(const void *record, const Finish &finish) {
  const auto &header = *static_cast<const capture_header *>(record);
  finish_with(header, {{}, header.sample.stop_reason, 0}, finish);
}

void KeptStacks::add(const void *record, size_t size) {
  Kept kept{std::vector<uint64_t>(size / sizeof(uint64_t)), static_cast<uint32_t>(size), {}};
  std::memcpy(kept.words.data(), record, size);
  kept.kept_at = std::chrono::steady_clock::now();
  bytes_ += size;
  kept_.push_back(std::move(kept));
  while (bytes_ > max_bytes_) {
    evicted_++;
    try_to_walk(kept_.front(), true);
    remove(kept_.begin());
  }
}

KeptStacks::Position KeptStacks::remove(Position position) {
  bytes_ -= position->bytes;
  return kept_.erase(position);
}

bool KeptStacks::try_to_walk(const Kept &kept, bool last_chance) {
  const capture_header &header = kept.header();
  KeptStack stack{header.pc, header.registers, header.system_call, {}};
  stack.memory.push_back({header.stack_start, kept.data(), header.stack_bytes});
  std::optional<WalkedStack> walked = walk_(header, stack, last_chance);
  if (!last_chance && (!walked || walked->stop == STOP_TABLE_PENDING))
    return false;
  if (walked)
    finish_with(header, *walked, finish_);
  else
    finish_unwalked(&header, finish_);
  return true;
}

void KeptStacks::retry(uint32_t pid) {
  for (auto position = kept_.begin(); position != kept_.end();) {
    if ((pid == 0 || position->header().sample.tgid == pid) && try_to_walk(*position, false)) {
      completed_++;
      position = remove(position);
    } else {
      ++position;
    }
  }
}

bool KeptStacks::has_any_of(uint32_t pid, uint64_t start_time_nanos) const {
  return std::any_of(kept_.begin(), kept_.end(), [&](const Kept &kept) {
    const sample_header &sample = kept.header().sample;
    return sample.tgid == pid && sample.start_time_nanos == start_time_nanos;
  });
}

void KeptStacks::expire(bool all) {
  auto still_waiting = std::chrono::steady_clock::now() - kMaxWait;
  while (!kept_.empty() && (all || kept_.front().kept_at <= still_waiting)) {
    expired_++;
    try_to_walk(kept_.front(), true);
    remove(kept_.begin());
  }
}

} // namespace hearthscope
