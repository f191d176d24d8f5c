// SPDX-License-Identifier: Apache-2.0

#include "process_snapshot.h"

#include "thread_priority.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

namespace hearthscope {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr uint64_t kNanosPerSecond = 1'000'000'000;

class Descriptor {
public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0)
      close(value_);
  }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }

private:
  int value_;
};

int open_file(int folder, const char *name) { return openat(folder, name, O_RDONLY | O_CLOEXEC); }

bool read_text(int folder, const char *name, size_t max_bytes, std::string &text) {
  Descriptor file(open_file(folder, name));
  if (!file.valid())
    return false;
  text.resize(max_bytes);
  size_t length = 0;
  while (length < max_bytes) {
    ssize_t got = read(file.get(), text.data() + length, max_bytes - length);
    if (got < 0)
      return false;
    if (got == 0)
      break;
    length += got;
  }
  text.resize(length);
  return true;
}

struct ProcessStat {
  uint64_t start_ticks; // since boot
  uint64_t flags;       // PF_* of the kernel
};

constexpr uint64_t kForkedWithoutExec = 0x40;

// Fields 9 and 22 of a stat file. The name in field 2 may hold anything, so the fields are counted from its last
// parenthesis.
std::optional<ProcessStat> read_stat(int folder) {
  std::string text;
  if (!read_text(folder, "stat", 4096, text))
    return {};
  size_t at = text.rfind(')');
  if (at == std::string::npos)
    return {};
  ProcessStat stat{};
  const char *field = text.c_str() + at + 1;
  for (int number = 3; number <= 22; number++) {
    field = strchr(field, ' ');
    if (!field)
      return {};
    field++;
    if (number == 9)
      stat.flags = strtoull(field, nullptr, 10);
  }
  stat.start_ticks = strtoull(field, nullptr, 10);
  return stat;
}

// The open folder of a process names that process for ever: once it is dead, reads fail, even if its pid is
// given to another. So one look at the start time is enough.
bool is_started_at(const ProcessStat &stat, uint64_t start_time_nanos) {
  static const uint64_t nanos_per_tick = kNanosPerSecond / sysconf(_SC_CLK_TCK);
  return stat.start_ticks == start_time_nanos / nanos_per_tick;
}

std::string read_link(int folder, const char *name) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(folder, name, target, sizeof(target));
  return length < 0 ? std::string() : std::string(target, length);
}

// False when nothing could be read.
bool read_mappings(int folder, ProcessSnapshot &snapshot) {
  Descriptor file(open_file(folder, "maps"));
  if (!file.valid())
    return false;
  std::vector<char> buffer(kReadBytes);
  size_t held = 0;
  size_t total = 0;
  for (;;) {
    ssize_t got = read(file.get(), buffer.data() + held, buffer.size() - held);
    if (got <= 0)
      break;
    urgent_thread().check();
    total += got;
    held += got;
    const char *line = buffer.data();
    const char *end = line + held;
    while (const char *newline = static_cast<const char *>(memchr(line, '\n', end - line))) {
      parse_maps_line(line, newline - line, snapshot.mappings);
      line = newline + 1;
      if (snapshot.mappings.size() >= kMaxMappings) {
        snapshot.mappings_truncated = true;
        return true;
      }
    }
    held = end - line;
    memmove(buffer.data(), line, held);
    if (total >= kMaxMapsBytes || held == buffer.size()) {
      snapshot.mappings_truncated = true;
      break;
    }
  }
  return total > 0;
}

// `only_forked`: not when it has called exec since it was forked.
std::optional<ProcessSnapshot> read_snapshot(uint32_t tgid, uint32_t tid, uint64_t start_time_nanos, bool only_forked) {
  std::string process_path = "/proc/" + std::to_string(tgid);
  Descriptor process(open(process_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!process.valid())
    return {};
  ProcessSnapshot snapshot;
  // The leader's memory is gone once it has exited, while other threads run on; the sampled thread still has it.
  std::string thread_path = "task/" + std::to_string(tid);
  Descriptor thread(openat(process.get(), thread_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int folder = thread.valid() ? thread.get() : process.get();
  if (!read_mappings(folder, snapshot)) {
    folder = process.get();
    if (!read_mappings(folder, snapshot))
      return {};
  }
  std::optional<ProcessStat> stat = read_stat(process.get());
  if (!stat || !is_started_at(*stat, start_time_nanos) || (only_forked && !(stat->flags & kForkedWithoutExec)))
    return {};
  snapshot.executable = read_link(folder, "exe");
  read_text(folder, "cgroup", kMaxCgroupBytes, snapshot.cgroup);
  return snapshot;
}

} // namespace

bool parse_maps_line(const char *line, size_t length, std::vector<Mapping> &mappings) {
  // start-limit rwxp offset device inode            path
  std::string text(line, length);
  const char *at = text.c_str();
  char *end;
  Mapping mapping{};
  mapping.start = strtoull(at, &end, 16);
  if (*end != '-')
    return false;
  mapping.limit = strtoull(end + 1, &end, 16);
  if (*end != ' ' || strnlen(end + 1, 5) < 5 || end[5] != ' ')
    return false;
  if (end[3] != 'x')
    return true;
  mapping.file_offset = strtoull(end + 6, &end, 16);
  if (*end != ' ')
    return false;
  const char *device = end + 1;
  const char *space = strchr(device, ' ');
  if (!space)
    return false;
  mapping.device.assign(device, space - device);
  mapping.inode = strtoull(space + 1, &end, 10);
  while (*end == ' ')
    end++;
  mapping.path = end;
  mappings.push_back(std::move(mapping));
  return true;
}

std::optional<ProcessSnapshot> read_process_snapshot(const process_event &event,
                                                     const std::function<bool()> &has_replaced_program) {
  std::optional<ProcessSnapshot> snapshot =
      read_snapshot(event.tgid, event.tid, event.start_time_nanos, event.parent_tgid != 0);
  if (snapshot && !has_replaced_program())
    return snapshot;
  if (!event.parent_tgid)
    return {};
  return read_snapshot(event.parent_tgid, event.parent_tgid, event.parent_start_time_nanos, false);
}

} // namespace hearthscope
