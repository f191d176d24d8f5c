// SPDX-License-Identifier: Apache-2.0
//
// The walker for one architecture: included by stack_walker_x86_64.cc and stack_walker_arm64.cc, which define
// WALKER_NAMESPACE and WALK_X86_64 or WALK_ARM64. The shared headers of the walk lie in that namespace, as their types
// differ between the two.

#include "stack_walker.h"

#include <algorithm>
#include <cstring>

namespace hearthscope::WALKER_NAMESPACE {

#include "walk.h"

struct KeptWalk : walk {
  const KeptStack *stack;
  CellArena *arena;
  RuleTable *rules;
  bool left_kept_memory;
};

inline int walk_read(struct walk *walk, uint64_t address, void *to, uint32_t bytes) {
  auto *kept = static_cast<KeptWalk *>(walk);
  for (const KeptMemory &memory : kept->stack->memory) {
    if (address >= memory.address && bytes <= memory.size && address - memory.address <= memory.size - bytes) {
      std::memcpy(to, memory.bytes + (address - memory.address), bytes);
      return 0;
    }
  }
  kept->left_kept_memory = true;
  return -1;
}

inline uint32_t *walk_cells(struct walk *walk, uint32_t cell) {
  return static_cast<KeptWalk *>(walk)->arena->value_of(cell);
}

inline unwind_rule *walk_rule(struct walk *walk, uint32_t index) {
  return static_cast<KeptWalk *>(walk)->rules->rule(index);
}

#include "unwind_step.h"

static int walk_frame(KeptWalk &walk, std::vector<uint64_t> &frames) {
  uint64_t address = frame_address(&walk);
  if (!find_mapping(&walk, address)) {
    if (walk.must_be_mapped)
      return STOP_RETURN_ADDRESS_INVALID;
    frames.push_back(address);
    return STOP_NO_MAPPING;
  }
  uint32_t number = find_rule(&walk);
  // A signal trampoline is returned to at its very first byte.
  frames.push_back(number == UNWIND_SIGNAL ? walk.pc : address);
  return step(&walk, number);
}

WalkedStack walk_stack(const KeptStack &stack, const process_mappings &mappings, CellArena &arena, RuleTable &rules) {
  KeptWalk walk{};
  walk.pc = stack.pc;
  std::copy_n(stack.registers, WALK_REGISTERS, walk.registers);
  walk.known = ALL_WALK_REGISTERS;
  walk.rule_bias = stack.system_call != SYSTEM_CALL_NONE;
  walk.system_call = stack.system_call;
  walk.mappings_cell = mappings.first_cell;
  walk.mapping_count = mappings.count;
  walk.stack = &stack;
  walk.arena = &arena;
  walk.rules = &rules;
  WalkedStack walked{{}, WALK_ON, 0};
  while (walked.stop == WALK_ON && walked.frames.size() < MAX_USER_FRAMES) {
    walk.left_kept_memory = false;
    walked.stop = walk_frame(walk, walked.frames);
  }
  walked.last_mapping_cell = walk.mapping_cell;
  if (walked.stop == WALK_ON)
    walked.stop = STOP_TRUNCATED_MAX_FRAMES;
  else if (walk.left_kept_memory)
    walked.stop = STOP_STACK_NOT_CAPTURED;
  walked.stop = meaning_of_stop(&walk, walked.stop, walked.frames.size());
  if (walked.stop == STOP_NO_USER_STACK)
    walked.frames.clear();
  return walked;
}

} // namespace hearthscope::WALKER_NAMESPACE
