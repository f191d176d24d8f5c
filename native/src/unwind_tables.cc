// SPDX-License-Identifier: Apache-2.0

#include "unwind_tables.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace hearthscope {
namespace {

// Rows of neighbouring pages are placed together in runs of at most this length: large enough to waste little, small
// enough to fit into what removed tables leave behind.
constexpr uint32_t kCellsPerRun = 4096;
static_assert(kCellsPerRun >= MAX_PAGE_ROWS && kCellsPerRun <= CELLS_PER_VALUE);

NativeError malformed(const std::string &what) { return {"malformed unwind table: " + what, EINVAL, {}}; }

bool is_rule(uint16_t rule, size_t rules) {
  return rule < UNWIND_COMMAND ? rule < rules : rule <= UNWIND_UNSUPPORTED;
}

// The programs trust the order of the rows and the kinds of the rules no further than memory safety; a table that is
// out of order would give wrong stacks.
MaybeError check(const UnwindTableColumns &table) {
  size_t rules = table.rule_bytes / sizeof(unwind_rule);
  if (table.rule_bytes % sizeof(unwind_rule) || rules > MAX_UNWIND_RULES)
    return malformed(std::to_string(table.rule_bytes) + " bytes of rules");
  if (table.page_first_rows != table.pages + 1 || table.page_first_row[0] != 0 ||
      table.page_first_row[table.pages] != table.rows)
    return malformed("its pages do not cover its rows");
  for (size_t page = 0; page < table.pages; page++) {
    uint32_t first = table.page_first_row[page], limit = table.page_first_row[page + 1];
    if (limit < first || limit > table.rows || limit - first > MAX_PAGE_ROWS)
      return malformed("rows of page " + std::to_string(page));
    if (!is_rule(table.page_rule[page], rules))
      return malformed("rule of page " + std::to_string(page));
    for (uint32_t row = first; row < limit; row++)
      if (table.row_offset[row] >= TABLE_PAGE_BYTES || !is_rule(table.row_rule[row], rules) ||
          (row > first && table.row_offset[row] <= table.row_offset[row - 1]))
        return malformed("row " + std::to_string(row));
  }
  return {};
}

} // namespace

std::variant<uint32_t, NativeError> UnwindTables::add(const UnwindTableColumns &columns) {
  if (MaybeError error = check(columns))
    return *error;
  Table table;
  if (MaybeError error = place(columns, table)) {
    discard(table);
    return *error;
  }
  uint32_t id = next_id_++;
  tables_.emplace(id, std::move(table));
  return id;
}

std::vector<uint16_t> UnwindTables::acquire_rules(const UnwindTableColumns &columns, Table &table) {
  std::vector<uint16_t> numbers(columns.rule_bytes / sizeof(unwind_rule));
  for (size_t index = 0; index < numbers.size(); index++) {
    unwind_rule rule;
    std::memcpy(&rule, columns.rules + index * sizeof(rule), sizeof(rule));
    std::optional<uint16_t> number = rules_.acquire(rule);
    if (number)
      table.rules.push_back(*number);
    else
      rules_refused_++;
    numbers[index] = number.value_or(UNWIND_UNSUPPORTED);
  }
  return numbers;
}

MaybeError UnwindTables::place(const UnwindTableColumns &columns, Table &table) {
  std::vector<uint16_t> numbers = acquire_rules(columns, table);
  std::vector<unwind_page> index(columns.pages);
  for (size_t page = 0; page < columns.pages; page++) {
    uint16_t rule = columns.page_rule[page];
    index[page].rule_before = rule < UNWIND_COMMAND ? numbers[rule] : rule;
  }
  if (MaybeError error = place_rows(columns, numbers, index, table))
    return error;
  uint32_t cells = columns.pages * (sizeof(unwind_page) / CELL_BYTES);
  auto first = arena_.allocate(cells, false);
  if (NativeError *error = std::get_if<NativeError>(&first))
    return *error;
  table.placed = {std::get<uint32_t>(first), static_cast<uint32_t>(columns.pages)};
  table.extents.emplace_back(table.placed.page_index_cell, cells);
  return arena_.write(table.placed.page_index_cell, index.data(), cells);
}

MaybeError UnwindTables::place_rows(const UnwindTableColumns &columns, const std::vector<uint16_t> &numbers,
                                    std::vector<unwind_page> &index, Table &table) {
  std::vector<uint32_t> rows;
  rows.reserve(kCellsPerRun);
  for (size_t page = 0; page < columns.pages;) {
    uint32_t first_row = columns.page_first_row[page];
    size_t limit = page;
    while (limit < columns.pages && columns.page_first_row[limit + 1] - first_row <= kCellsPerRun)
      limit++;
    rows.clear();
    for (uint32_t row = first_row; row < columns.page_first_row[limit]; row++) {
      uint16_t rule = columns.row_rule[row];
      rows.push_back(columns.row_offset[row] | (rule < UNWIND_COMMAND ? numbers[rule] : rule) << 16);
    }
    uint32_t first_cell = 0;
    if (!rows.empty()) {
      auto allocated = arena_.allocate(rows.size(), true);
      if (NativeError *error = std::get_if<NativeError>(&allocated))
        return *error;
      first_cell = std::get<uint32_t>(allocated);
      table.extents.emplace_back(first_cell, rows.size());
      if (MaybeError error = arena_.write(first_cell, rows.data(), rows.size()))
        return error;
    }
    for (; page < limit; page++) {
      index[page].first_cell = first_cell + columns.page_first_row[page] - first_row;
      index[page].row_count = columns.page_first_row[page + 1] - columns.page_first_row[page];
    }
  }
  return {};
}

void UnwindTables::discard(Table &table) {
  for (auto [first_cell, cells] : table.extents)
    arena_.free(first_cell, cells);
  for (uint16_t rule : table.rules)
    rules_.release(rule);
}

bool UnwindTables::remove(uint32_t id) {
  auto found = tables_.find(id);
  if (found == tables_.end())
    return false;
  discard(found->second);
  tables_.erase(found);
  return true;
}

std::optional<UnwindTables::Placed> UnwindTables::find(uint32_t id) const {
  auto found = tables_.find(id);
  if (found == tables_.end())
    return {};
  return found->second.placed;
}

} // namespace hearthscope
