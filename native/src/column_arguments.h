// SPDX-License-Identifier: Apache-2.0
//
// Typed arrays from JS as columns. native/lib/index.ts has checked their types and lengths; the memory is JS's and
// good until the call returns.

#pragma once

#include "process_mappings.h"
#include "stack_walker.h"
#include "unwind_tables.h"

#include <napi.h>

namespace hearthscope {

UnwindTableColumns table_columns_of(const Napi::Object &table);
MappingColumns mapping_columns_of(const Napi::Object &mappings);
uint64_t uint64_of(const Napi::Value &bigint);
// Of { pc, registers, inSyscall, memory: { address, bytes }[] }.
KeptStack kept_stack_of(const Napi::Object &stack);

} // namespace hearthscope
