// SPDX-License-Identifier: Apache-2.0
//
// Tells which processes map the code of a file, as the kernel's own side band reports it. A library that takes the place
// of another of the same size changes nothing else that could be seen from outside.

#pragma once

#include "native_error.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <vector>

namespace hearthscope {

// Data pages of a CPU's ring, a power of two. A record takes some 100 bytes: 300 mappings fit.
constexpr size_t kMappingRingPages = 8;

// Between two looks at what was mapped. Stacks may be walked wrongly meanwhile, so it is about one sample long; and each
// look costs some 25 µs, which would add up where programs start all the time.
constexpr std::chrono::milliseconds kMappingPause{10};

class MappingWatch {
public:
  // `mapped` is called on a thread of the watch with each process that has mapped a file's code.
  explicit MappingWatch(std::function<void(uint32_t pid)> mapped) : mapped_(std::move(mapped)) {}
  ~MappingWatch() { stop(); }
  MappingWatch(const MappingWatch &) = delete;
  MappingWatch &operator=(const MappingWatch &) = delete;

  // Watches all CPUs that are online, also those that come later. What cannot be watched is counted.
  MaybeError start();
  // Idempotent.
  void stop();

  uint64_t failures() const { return failures_; }
  uint64_t lost() const { return lost_; }

private:
  struct Ring {
    int descriptor;
    void *memory; // a page of the kernel's, then the data
  };

  void run();
  void watch_online_cpus();
  void tell_of_mappings();
  bool open(uint32_t cpu);
  void close_ring(const Ring &ring);
  void read(const Ring &ring, std::vector<uint32_t> &pids);

  const std::function<void(uint32_t pid)> mapped_;
  std::map<uint32_t, Ring> rings_; // by CPU; of the thread
  int wake_descriptor_ = -1;
  int epoll_descriptor_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> failures_{0};
  std::atomic<uint64_t> lost_{0};
};

} // namespace hearthscope
