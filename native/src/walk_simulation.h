// SPDX-License-Identifier: Apache-2.0
//
// For tests: walks a stack that was made up, of either architecture, by tables and mappings that were made up, with the
// code that walks real ones.

#pragma once

#include "native_error.h"
#include "process_mappings.h"
#include "stack_walker.h"
#include "unwind_tables.h"

#include <variant>
#include <vector>

namespace hearthscope {

// `is_arm64`: else x86-64. Tables have the ids 0, 1, …
std::variant<WalkedStack, NativeError> simulate_walk(bool is_arm64, const KeptStack &stack,
                                                     const std::vector<UnwindTableColumns> &tables,
                                                     const MappingColumns &mappings);

} // namespace hearthscope
