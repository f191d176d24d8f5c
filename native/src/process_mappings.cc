// SPDX-License-Identifier: Apache-2.0

#include "process_mappings.h"

#include <algorithm>
#include <cerrno>
#include <string>

namespace hearthscope {
namespace {

constexpr uint32_t kCellsPerMapping = sizeof(unwind_mapping) / CELL_BYTES;
constexpr uint64_t kUserSpaceEnd = uint64_t{1} << 56;
constexpr uint32_t kCellsPerPage = sizeof(unwind_page) / CELL_BYTES;

uint32_t special_of(int32_t table) {
  return table == kNoFile ? MAPPING_ANONYMOUS : table == kTableNotBuilt ? MAPPING_PENDING : MAPPING_UNDESCRIBED;
}

bool is_newer(const process_mappings &block, uint64_t start_time_nanos, uint32_t generation) {
  if (block.start_time_nanos != start_time_nanos)
    return block.start_time_nanos > start_time_nanos;
  return static_cast<int32_t>(block.generation - generation) > 0;
}

void add_piece(std::vector<unwind_mapping> &pieces, uint64_t start, uint64_t pages, uint32_t page_index_cell) {
  if (pages)
    pieces.push_back({start, static_cast<uint32_t>(pages), page_index_cell});
}

} // namespace

ProcessMappings::ProcessMappings(CellArena &arena, const UnwindTables &tables, Publish publish)
    : arena_(arena), tables_(tables), publish_(std::move(publish)) {}

// The pages of a mapping that its table does not describe become mappings of their own, so that the programs need
// not compare.
void ProcessMappings::add_pieces(const MappingColumns &mappings, size_t index, std::vector<unwind_mapping> &pieces,
                                 std::vector<uint32_t> &used) {
  uint64_t start = mappings.starts[index];
  int64_t pages = mappings.page_counts[index];
  std::optional<UnwindTables::Placed> table;
  if (mappings.tables[index] >= 0)
    table = tables_.find(mappings.tables[index]);
  if (!table) {
    // A table that is gone already is asked for again.
    int32_t id = mappings.tables[index] < 0 ? mappings.tables[index] : kTableNotBuilt;
    add_piece(pieces, start, pages, special_of(id));
    return;
  }
  used.push_back(mappings.tables[index]);
  int64_t first = mappings.first_pages[index];
  int64_t begin = std::clamp<int64_t>(-first, 0, pages);
  int64_t end = std::clamp<int64_t>(int64_t{table->pages} - first, begin, pages);
  add_piece(pieces, start, begin, MAPPING_UNDESCRIBED);
  add_piece(pieces, start + begin * TABLE_PAGE_BYTES, end - begin,
            table->page_index_cell + static_cast<uint32_t>(std::max<int64_t>(first + begin, 0)) * kCellsPerPage);
  add_piece(pieces, start + end * TABLE_PAGE_BYTES, pages - end, MAPPING_UNDESCRIBED);
}

MaybeError ProcessMappings::set(uint32_t pid, uint64_t start_time_nanos, uint32_t generation,
                                const MappingColumns &mappings) {
  auto before = known_.find(pid);
  // Late news of a process whose pid has been given to another, or of mappings that were set anew.
  if (before != known_.end() && is_newer(before->second.block, start_time_nanos, generation))
    return {};
  std::vector<unwind_mapping> pieces;
  std::vector<uint32_t> used;
  for (size_t index = 0; index < mappings.count; index++) {
    uint64_t start = mappings.starts[index];
    uint64_t end = index ? mappings.starts[index - 1] + uint64_t{mappings.page_counts[index - 1]} * TABLE_PAGE_BYTES : 0;
    if (start % TABLE_PAGE_BYTES || start < end)
      return NativeError{"mapping " + std::to_string(index) + " is misaligned or below the one before", EINVAL, {}};
    // The vsyscall page is above; no stack leads there, and the search compares as if nothing did.
    if (start < kUserSpaceEnd)
      add_pieces(mappings, index, pieces, used);
  }
  if (pieces.size() > MAX_PROCESS_MAPPINGS) {
    mappings_refused_ += pieces.size() - MAX_PROCESS_MAPPINGS;
    pieces.resize(MAX_PROCESS_MAPPINGS);
  }
  auto allocated = arena_.allocate(pieces.size() * kCellsPerMapping, true);
  if (NativeError *error = std::get_if<NativeError>(&allocated))
    return *error;
  process_mappings block{start_time_nanos,
                         pid,
                         generation,
                         ++last_version_,
                         std::get<uint32_t>(allocated),
                         static_cast<uint32_t>(pieces.size()),
                         0};
  MaybeError error = arena_.write(block.first_cell, pieces.data(), pieces.size() * kCellsPerMapping);
  if (!error)
    if (int failure = publish_(block))
      error = system_error("could not set the mappings of process " + std::to_string(pid), -failure);
  if (error) {
    release(block);
    return error;
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  if (before != known_.end())
    release(before->second.block);
  known_[pid] = {block, std::move(used)};
  return {};
}

void ProcessMappings::release(const process_mappings &block) {
  arena_.free(block.first_cell, block.count * kCellsPerMapping);
}

void ProcessMappings::forget(uint32_t pid, uint64_t start_time_nanos) {
  auto found = known_.find(pid);
  if (found == known_.end() || found->second.block.start_time_nanos != start_time_nanos)
    return;
  process_mappings nothing = found->second.block;
  nothing.first_cell = NO_MAPPINGS;
  publish_(nothing);
  release(found->second.block);
  known_.erase(found);
}

void ProcessMappings::table_removed(uint32_t id, const UnwindTables::Placed &placed) {
  uint32_t limit = placed.page_index_cell + placed.pages * kCellsPerPage;
  for (auto &[pid, known] : known_) {
    if (!std::binary_search(known.tables.begin(), known.tables.end(), id))
      continue;
    std::erase(known.tables, id);
    uint32_t *value = arena_.value_of(known.block.first_cell);
    if (!value)
      continue;
    auto *mappings = reinterpret_cast<unwind_mapping *>(value + CELL_OFFSET(known.block.first_cell));
    for (uint32_t index = 0; index < known.block.count; index++) {
      uint32_t cell = mappings[index].page_index_cell;
      if (cell < MAPPING_FIRST_SPECIAL && cell >= placed.page_index_cell && cell < limit)
        __atomic_store_n(&mappings[index].page_index_cell, MAPPING_PENDING, __ATOMIC_RELAXED);
    }
    // What is remembered of the table's rows must not count any more.
    known.block.version = ++last_version_;
    publish_(known.block);
  }
}

const ProcessMappings::Known *ProcessMappings::find(uint32_t pid, uint64_t start_time_nanos) const {
  auto found = known_.find(pid);
  if (found == known_.end() || found->second.block.start_time_nanos != start_time_nanos)
    return nullptr;
  return &found->second;
}

} // namespace hearthscope
