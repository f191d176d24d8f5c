// SPDX-License-Identifier: Apache-2.0

#include "followed_processes.h"

#include "events.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <utility>

namespace hearthscope {
namespace {

// Field 4 of /proc/PID/stat; 0 when the process is gone.
uint32_t parent_of(const char *pid) {
  std::string path = std::string("/proc/") + pid + "/stat";
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return 0;
  char text[1024];
  ssize_t length = read(descriptor, text, sizeof(text) - 1);
  close(descriptor);
  if (length <= 0)
    return 0;
  text[length] = 0;
  const char *after_name = strrchr(text, ')');
  if (!after_name || strlen(after_name) < 5)
    return 0;
  return strtoul(after_name + 4, nullptr, 10);
}

std::vector<std::pair<uint32_t, uint32_t>> pids_with_parents() {
  std::vector<std::pair<uint32_t, uint32_t>> all;
  DIR *folder = opendir("/proc");
  if (!folder)
    return all;
  while (const dirent *entry = readdir(folder)) {
    if (isdigit(static_cast<unsigned char>(entry->d_name[0])))
      all.emplace_back(strtoul(entry->d_name, nullptr, 10), parent_of(entry->d_name));
  }
  closedir(folder);
  return all;
}

MaybeError put(int map_descriptor, uint32_t pid, uint32_t flags) {
  if (bpf_map_update_elem(map_descriptor, &pid, &flags, BPF_ANY) == 0)
    return {};
  return system_error("could not follow process " + std::to_string(pid), errno);
}

} // namespace

MaybeError follow_processes(int map_descriptor, const std::vector<FollowedProcess> &processes) {
  std::set<uint32_t> followed;
  for (const FollowedProcess &process : processes) {
    if (access(("/proc/" + std::to_string(process.pid)).c_str(), F_OK) != 0)
      return system_error("could not follow process " + std::to_string(process.pid), ESRCH);
    uint32_t flags = FOLLOW_CHILDREN | (process.sample_itself ? FOLLOW_SAMPLE : 0);
    if (MaybeError error = put(map_descriptor, process.pid, flags))
      return error;
    followed.insert(process.pid);
  }
  // A pass may meet a child before its parent, and a parent may fork behind the reader's back before it is
  // followed itself: repeat until a pass finds nothing new.
  for (bool found = true; found;) {
    found = false;
    for (auto [pid, parent] : pids_with_parents()) {
      if (!followed.contains(parent) || !followed.insert(pid).second)
        continue;
      if (MaybeError error = put(map_descriptor, pid, FOLLOW_CHILDREN | FOLLOW_SAMPLE))
        return error;
      found = true;
    }
  }
  return {};
}

} // namespace hearthscope
