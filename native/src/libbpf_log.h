// SPDX-License-Identifier: Apache-2.0
//
// Keeps the end of libbpf's own messages, which hold the verifier's log when a program is refused.

#pragma once

#include <string>

namespace hearthscope {

constexpr size_t kMaxLogBytes = 16 * 1024;

// Routes libbpf's messages here instead of stderr. Process-wide, idempotent.
void capture_libbpf_log();

// Empties the log of the calling thread.
void clear_libbpf_log();

// At most kMaxLogBytes of the calling thread's newest messages.
std::string libbpf_log_tail();

} // namespace hearthscope
