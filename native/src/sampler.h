// SPDX-License-Identifier: Apache-2.0
//
// The running profiler: BPF programs, clocks, and one thread that serves both rings.
//
//   samples ring ──(timer)──▶ StackTable ──take_batch()──▶ JS          no wake-ups: a drain per interval
//   events ring ──(epoll)──▶ /proc snapshot ──▶ queue ──notify──▶ JS   woken by each event
//
// The thread reads /proc itself, at once: a process that lives for 50 ms would be gone before an event loop that
// is busy elsewhere came to it.

#pragma once

#include "bpf_object.h"
#include "followed_processes.h"
#include "native_error.h"
#include "perf_events.h"
#include "process_snapshot.h"
#include "stack_table.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

struct ring_buffer;

namespace hearthscope {

// Process events waiting for the event loop; later ones are dropped and counted.
constexpr size_t kMaxQueuedEvents = 16 * 1024;

// A batch is given out after the events that were announced before its samples, or after this long.
constexpr std::chrono::milliseconds kMaxEventWait{20};

struct SamplerConfig {
  uint32_t frequency_hz;
  uint32_t ring_bytes;
  uint32_t drain_interval_millis;
  uint32_t max_stacks_per_batch;
  uint32_t max_batch_bytes;
  uint32_t max_processes;
  bool exclude_self;
  bool run_statistics;
  bool follow;
  std::vector<FollowedProcess> followed;
};

struct ObservedEvent {
  process_event event;
  std::optional<ProcessSnapshot> snapshot;
};

struct Batch {
  std::unique_ptr<StackTable> stacks;
  uint64_t start_unix_nanos;
  uint64_t end_unix_nanos;
};

using NamedCounters = std::vector<std::pair<std::string, uint64_t>>;

class Sampler {
public:
  // `notify` is called on the sampler's thread when take_events() has something new.
  Sampler(SamplerConfig config, std::function<void()> notify);
  ~Sampler();
  Sampler(const Sampler &) = delete;
  Sampler &operator=(const Sampler &) = delete;

  MaybeError start();

  // Detaches everything and ends the thread. What was sampled until now can still be taken. Idempotent.
  void stop();

  // Drains the ring and gives everything aggregated since the last call.
  Batch take_batch();
  // The oldest events, at most `max_events`.
  std::vector<ObservedEvent> take_events(size_t max_events);

  MaybeError follow(const FollowedProcess &process);
  void unfollow(uint32_t pid);

  NamedCounters counters();
  std::vector<uint32_t> cpus();
  std::vector<ProgramStats> program_stats();

private:
  using Clock = std::chrono::steady_clock;

  MaybeError open_rings();
  void run();
  void drain_samples();
  void drain_if_due();
  void check_cpus_if_due();
  void wait_for_announced_events();
  int on_sample(void *data, size_t size);
  int on_process_event(void *data, size_t size);
  NamedCounters read_counters();

  const SamplerConfig config_;
  const std::function<void()> notify_;

  std::unique_ptr<BpfObject> bpf_;
  int statistics_descriptor_ = -1;
  int wake_descriptor_ = -1;
  int epoll_descriptor_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  bool stopped_ = false;
  NamedCounters final_counters_;

  // Touched by the thread only.
  ring_buffer *events_ring_ = nullptr;
  Clock::time_point next_drain_;
  Clock::time_point next_cpu_check_;

  std::mutex clocks_mutex_;
  std::unique_ptr<PerfEvents> clocks_;

  std::mutex samples_mutex_;
  ring_buffer *samples_ring_ = nullptr;
  std::unique_ptr<StackTable> stacks_;
  Clock::time_point batch_start_;

  std::mutex events_mutex_;
  std::condition_variable events_caught_up_;
  uint64_t catch_up_requested_ = 0;
  uint64_t catch_up_done_ = 0;
  bool notified_ = false;
  std::deque<ObservedEvent> events_;

  std::atomic<uint64_t> lost_batch_full_{0};
  std::atomic<uint64_t> malformed_records_{0};
  std::atomic<uint64_t> snapshots_read_{0};
  std::atomic<uint64_t> snapshots_missed_{0};
  std::atomic<uint64_t> snapshots_truncated_{0};
  std::atomic<uint64_t> events_queue_full_{0};
  std::atomic<uint64_t> event_waits_expired_{0};
};

} // namespace hearthscope
