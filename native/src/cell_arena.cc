// SPDX-License-Identifier: Apache-2.0

#include "cell_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

namespace hearthscope {
namespace {

using Clock = std::chrono::steady_clock;

uint32_t in_whole_units(uint32_t cells) { return (cells + kCellsPerUnit - 1) / kCellsPerUnit * kCellsPerUnit; }

} // namespace

CellArena::CellArena(uint64_t max_bytes, MakePart make_part)
    : max_parts_(std::max<uint64_t>(max_bytes / kPartBytes, 1)), make_part_(std::move(make_part)) {}

CellArena::~CellArena() {
  unmap();
  for (int descriptor : descriptors_)
    close(descriptor);
}

void CellArena::unmap() {
  for (uint32_t *&memory : memory_) {
    if (memory)
      munmap(memory, kPartBytes);
    memory = nullptr;
  }
}

uint32_t *CellArena::memory_of_part(uint32_t part) {
  if (part >= memory_.size())
    return nullptr;
  if (!memory_[part]) {
    void *memory = mmap(nullptr, kPartBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors_[part], 0);
    if (memory == MAP_FAILED)
      return nullptr;
    memory_[part] = static_cast<uint32_t *>(memory);
  }
  return memory_[part];
}

uint32_t *CellArena::value_of(uint32_t cell) {
  uint32_t *memory = memory_of_part(CELL_PART(cell));
  return memory ? memory + CELL_VALUE(cell) * CELLS_PER_VALUE : nullptr;
}

MaybeError CellArena::write(uint32_t first_cell, const void *data, uint32_t cells) {
  const char *from = static_cast<const char *>(data);
  while (cells) {
    uint32_t count = std::min(cells, CELLS_PER_VALUE - CELL_OFFSET(first_cell));
    uint32_t *value = value_of(first_cell);
    if (!value)
      return system_error("could not map memory for unwind tables", errno);
    std::memcpy(value + CELL_OFFSET(first_cell), from, count * CELL_BYTES);
    from += count * CELL_BYTES;
    first_cell += count;
    cells -= count;
  }
  return {};
}

MaybeError CellArena::add_part() {
  uint32_t part = descriptors_.size();
  if (part >= max_parts_)
    return system_error("the memory for unwind tables is used up (" + std::to_string(part * (kPartBytes >> 20)) +
                            " MiB, maxUnwindBytes)",
                        ENOSPC);
  int descriptor = make_part_(part);
  if (descriptor < 0)
    return system_error("could not make memory for unwind tables", -descriptor);
  descriptors_.push_back(descriptor);
  memory_.push_back(nullptr);
  if (!memory_of_part(part))
    return system_error("could not map memory for unwind tables", errno);
  give_back(part * CELLS_PER_PART, CELLS_PER_PART);
  return {};
}

bool CellArena::take(uint32_t cells, bool within_value, uint32_t &first_cell) {
  for (auto [start, length] : free_) {
    uint32_t skipped = 0;
    if (within_value && CELL_OFFSET(start) + cells > CELLS_PER_VALUE)
      skipped = CELLS_PER_VALUE - CELL_OFFSET(start);
    if (length < skipped + cells)
      continue;
    free_.erase(start);
    if (skipped)
      free_[start] = skipped;
    first_cell = start + skipped;
    if (length > skipped + cells)
      free_[first_cell + cells] = length - skipped - cells;
    return true;
  }
  return false;
}

void CellArena::give_back(uint32_t first_cell, uint32_t cells) {
  auto next = free_.lower_bound(first_cell);
  if (next != free_.end() && next->first == first_cell + cells) {
    cells += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == first_cell) {
      previous->second += cells;
      return;
    }
  }
  free_[first_cell] = cells;
}

void CellArena::reclaim(Clock::time_point freed_before) {
  while (!freed_.empty() && freed_.front().when <= freed_before) {
    give_back(freed_.front().first_cell, freed_.front().cells);
    freed_.pop_front();
  }
}

std::variant<uint32_t, NativeError> CellArena::allocate(uint32_t cells, bool within_value) {
  cells = in_whole_units(std::max(cells, 1u));
  uint32_t first_cell = 0;
  reclaim(Clock::now() - kReuseGrace);
  bool found = take(cells, within_value, first_cell);
  while (!found) {
    MaybeError error = add_part();
    if (error && !freed_.empty()) {
      // What was freed just now is worth the short wait.
      std::this_thread::sleep_until(freed_.back().when + kReuseGrace);
      reclaim(Clock::now());
      error.reset();
      if (!take(cells, within_value, first_cell))
        continue;
      break;
    }
    if (error)
      return *error;
    found = take(cells, within_value, first_cell);
  }
  used_cells_ += cells;
  return first_cell;
}

void CellArena::free(uint32_t first_cell, uint32_t cells) {
  cells = in_whole_units(std::max(cells, 1u));
  used_cells_ -= cells;
  freed_.push_back({Clock::now(), first_cell, cells});
}

} // namespace hearthscope
