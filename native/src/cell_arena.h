// SPDX-License-Identifier: Apache-2.0
//
// The memory that unwind tables and mappings of processes lie in, shared with the BPF programs: see
// bpf/include/unwind_table.h for its cells, values and parts.
//
// Parts are made as they are needed and never given back. Their memory is mapped when it is touched and can be
// unmapped in between, as mapped pages count as this process's own.

#pragma once

#include "native_error.h"
#include "unwind_table.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <variant>
#include <vector>

namespace hearthscope {

constexpr uint32_t kPartBytes = CELLS_PER_PART * CELL_BYTES;

// Cells are given out in cache lines.
constexpr uint32_t kCellsPerUnit = 16;

// Freed memory is written again only after this time: a program that was reading it runs for less than a millisecond.
constexpr std::chrono::milliseconds kReuseGrace{25};

class CellArena {
public:
  // Makes a part readable for the programs: a descriptor of kPartBytes that can be mapped, or a negative errno.
  using MakePart = std::function<int(uint32_t part)>;

  CellArena(uint64_t max_bytes, MakePart make_part);
  ~CellArena();
  CellArena(const CellArena &) = delete;
  CellArena &operator=(const CellArena &) = delete;

  // `within_value`: the cells must not cross a value; then at most CELLS_PER_VALUE. ENOSPC when there is no room.
  std::variant<uint32_t, NativeError> allocate(uint32_t cells, bool within_value);
  void free(uint32_t first_cell, uint32_t cells);

  MaybeError write(uint32_t first_cell, const void *data, uint32_t cells);

  // The cells of the value that `cell` lies in, or nullptr.
  uint32_t *value_of(uint32_t cell);

  // Lets go of the mapped memory until it is touched again.
  void unmap();

  uint64_t used_bytes() const { return used_cells_ * CELL_BYTES; }
  const std::vector<int> &part_descriptors() const { return descriptors_; }

private:
  struct FreedCells {
    std::chrono::steady_clock::time_point when;
    uint32_t first_cell;
    uint32_t cells;
  };

  uint32_t *memory_of_part(uint32_t part);
  MaybeError add_part();
  bool take(uint32_t cells, bool within_value, uint32_t &first_cell);
  void give_back(uint32_t first_cell, uint32_t cells);
  void reclaim(std::chrono::steady_clock::time_point freed_before);

  const uint32_t max_parts_;
  const MakePart make_part_;
  std::vector<int> descriptors_;
  std::vector<uint32_t *> memory_;
  std::map<uint32_t, uint32_t> free_; // first cell -> cells; neighbours are merged
  std::deque<FreedCells> freed_;
  uint64_t used_cells_ = 0;
};

} // namespace hearthscope
