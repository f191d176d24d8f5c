// SPDX-License-Identifier: Apache-2.0

#include "unwinder.h"

#include <cerrno>
#include <iterator>
#include <string>
#include <utility>

namespace hearthscope {
namespace {

// Generations count up and may wrap.
bool is_before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

} // namespace

Unwinder::Unwinder(uint64_t max_unwind_bytes, uint64_t max_captured_bytes, CellArena::MakePart make_part,
                   unwind_rule *rules, ProcessMappings::Publish publish, KeptStacks::Finish finish,
                   AskForTable ask_for_table)
    : arena_(max_unwind_bytes, std::move(make_part)), rules_(rules), tables_(arena_, rules_),
      mappings_(arena_, tables_, std::move(publish)),
      kept_(
          max_captured_bytes,
          [this](const auto &header, const auto &stack, bool last_chance) { return walk(header, stack, last_chance); },
          std::move(finish)),
      ask_for_table_(std::move(ask_for_table)) {}

// As the programs do, which do not see this process again if it has ended.
void Unwinder::ask_once(const capture_header &header, const WalkedStack &walked) {
  uint32_t *value = arena_.value_of(walked.last_mapping_cell);
  if (!value)
    return;
  auto *mapping = reinterpret_cast<unwind_mapping *>(value + CELL_OFFSET(walked.last_mapping_cell));
  if (mapping->page_index_cell != MAPPING_PENDING)
    return;
  mapping->page_index_cell = MAPPING_PENDING_ASKED;
  ask_for_table_(header, walked.frames.back());
}

std::optional<WalkedStack> Unwinder::walk(const capture_header &header, const KeptStack &stack, bool last_chance) {
  const sample_header &sample = header.sample;
  const ProcessMappings::Known *known = mappings_.find(sample.tgid, sample.start_time_nanos);
  if (!known || (is_before(known->block.generation, header.generation) && !last_chance))
    return {};
  auto exec = last_exec_.find(sample.tgid);
  if (exec != last_exec_.end() && exec->second.start_time_nanos == sample.start_time_nanos &&
      is_before(header.generation, exec->second.generation) !=
          is_before(known->block.generation, exec->second.generation))
    return {}; // the exec lies between the sample and the mappings
#if defined(__x86_64__)
  WalkedStack walked = x86_64::walk_stack(stack, known->block, arena_, rules_);
#elif defined(__aarch64__)
  WalkedStack walked = arm64::walk_stack(stack, known->block, arena_, rules_);
#endif
  if (walked.stop == STOP_TABLE_PENDING)
    ask_once(header, walked);
  return walked;
}

std::variant<uint32_t, NativeError> Unwinder::add_table(const UnwindTableColumns &table) { return tables_.add(table); }

MaybeError Unwinder::remove_table(uint32_t id) {
  std::optional<UnwindTables::Placed> placed = tables_.find(id);
  if (!placed)
    return NativeError{"there is no unwind table " + std::to_string(id), EINVAL, {}};
  mappings_.table_removed(id, *placed);
  tables_.remove(id);
  return {};
}

MaybeError Unwinder::set_process_mappings(uint32_t pid, uint64_t start_time_nanos, uint32_t generation,
                                          const MappingColumns &mappings) {
  if (MaybeError error = mappings_.set(pid, start_time_nanos, generation, mappings))
    return error;
  kept_.retry(pid);
  return {};
}

void Unwinder::forget_process(uint32_t pid, uint64_t start_time_nanos) {
  if (kept_.has_any_of(pid, start_time_nanos))
    to_forget_.emplace_back(pid, start_time_nanos);
  else
    mappings_.forget(pid, start_time_nanos);
}

void Unwinder::note_exec(uint32_t pid, uint64_t start_time_nanos, uint32_t generation) {
  last_exec_[pid] = {start_time_nanos, generation, 0};
}

void Unwinder::note_exit(uint32_t pid, uint64_t start_time_nanos) {
  auto found = last_exec_.find(pid);
  if (found != last_exec_.end() && found->second.start_time_nanos == start_time_nanos)
    found->second.batches_since_exit = 1;
}

void Unwinder::end_batch(bool all) {
  kept_.expire(all);
  for (auto [pid, start_time_nanos] : std::exchange(to_forget_, {}))
    forget_process(pid, start_time_nanos);
  // By then no stack of the process is kept any more.
  for (auto entry = last_exec_.begin(); entry != last_exec_.end();) {
    uint32_t &batches = entry->second.batches_since_exit;
    entry = batches && ++batches > 3 ? last_exec_.erase(entry) : std::next(entry);
  }
  arena_.unmap();
}

UnwindUsage Unwinder::usage() const {
  return {arena_.used_bytes(), rules_.size(), tables_.size(), mappings_.size(), kept_.bytes()};
}

} // namespace hearthscope
