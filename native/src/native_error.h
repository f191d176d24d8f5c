// SPDX-License-Identifier: Apache-2.0
//
// How a failure travels inside the addon: a value, never an exception.

#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace hearthscope {

struct NativeError {
  std::string message;
  int error_number = 0; // 0 when no system call failed
  std::string log;      // the end of what libbpf and the verifier said
};

// "no error" is an empty optional.
using MaybeError = std::optional<NativeError>;

inline NativeError system_error(std::string what, int error_number) {
  return {std::move(what) + ": " + std::strerror(error_number), error_number, {}};
}

} // namespace hearthscope
