// SPDX-License-Identifier: Apache-2.0

#include "libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>

namespace hearthscope {
namespace {

// libbpf calls back on the thread that called it, so a log per thread needs no lock and mixes nothing.
thread_local std::string tail;

int append(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level == LIBBPF_DEBUG)
    return 0;
  char line[4096];
  int length = vsnprintf(line, sizeof(line), format, arguments);
  if (length <= 0)
    return 0;
  tail.append(line, static_cast<size_t>(length) < sizeof(line) ? length : sizeof(line) - 1);
  if (tail.size() > kMaxLogBytes)
    tail.erase(0, tail.size() - kMaxLogBytes);
  return 0;
}

} // namespace

void capture_libbpf_log() { libbpf_set_print(append); }

void clear_libbpf_log() { tail.clear(); }

std::string libbpf_log_tail() { return tail; }

} // namespace hearthscope
