// SPDX-License-Identifier: Apache-2.0

#include "column_arguments.h"

namespace hearthscope {

UnwindTableColumns table_columns_of(const Napi::Object &table) {
  auto page_first_row = table.Get("pageFirstRow").As<Napi::Uint32Array>();
  auto page_rule = table.Get("pageRule").As<Napi::Uint16Array>();
  auto row_offset = table.Get("rowOffset").As<Napi::Uint16Array>();
  auto row_rule = table.Get("rowRule").As<Napi::Uint16Array>();
  auto rules = table.Get("rules").As<Napi::Uint8Array>();
  return {page_first_row.Data(),      page_first_row.ElementLength(), page_rule.Data(),
          page_rule.ElementLength(),  row_offset.Data(),              row_rule.Data(),
          row_rule.ElementLength(),   rules.Data(),                   rules.ElementLength()};
}

MappingColumns mapping_columns_of(const Napi::Object &mappings) {
  auto starts = mappings.Get("starts").As<Napi::BigUint64Array>();
  return {starts.Data(), mappings.Get("pageCounts").As<Napi::Uint32Array>().Data(),
          mappings.Get("tables").As<Napi::Int32Array>().Data(),
          mappings.Get("firstPages").As<Napi::Int32Array>().Data(), starts.ElementLength()};
}

KeptStack kept_stack_of(const Napi::Object &stack) {
  auto registers = stack.Get("registers").As<Napi::BigUint64Array>();
  KeptStack kept{uint64_of(stack.Get("pc")), reinterpret_cast<const __u64 *>(registers.Data()),
                 stack.Get("inSyscall").As<Napi::Boolean>().Value() ? 1u : 0u, {}};
  auto memory = stack.Get("memory").As<Napi::Array>();
  for (uint32_t index = 0; index < memory.Length(); index++) {
    auto piece = memory.Get(index).As<Napi::Object>();
    auto bytes = piece.Get("bytes").As<Napi::Uint8Array>();
    kept.memory.push_back({uint64_of(piece.Get("address")), bytes.Data(), bytes.ElementLength()});
  }
  return kept;
}

uint64_t uint64_of(const Napi::Value &bigint) {
  bool lossless;
  return bigint.As<Napi::BigInt>().Uint64Value(&lossless);
}

} // namespace hearthscope
