// SPDX-License-Identifier: Apache-2.0
//
// The running profiler: BPF programs, clocks, and what serves their rings.
//
//   samples ring ──(timer)──▶ StackTable ──take_batch()──▶ JS                      no wake-ups: a drain per interval
//   captures ring ──(epoll)──▶ pending ──▶ Unwinder, on JS's thread ──▶ StackTable
//   events ring ──(ProcessEvents, a thread of its own)──▶ JS
//
// The thread here drains samples and looks after the CPUs. Tables and mappings belong to JS's thread alone.

#pragma once

#include "bpf_object.h"
#include "followed_processes.h"
#include "mapping_watch.h"
#include "native_error.h"
#include "perf_events.h"
#include "process_events.h"
#include "stack_table.h"
#include "unwinder.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

struct ring_buffer;

namespace hearthscope {

struct SamplerConfig {
  uint32_t frequency_hz;
  SamplingEvent event;
  uint32_t ring_bytes;
  uint32_t drain_interval_millis;
  uint32_t max_stacks_per_batch;
  uint32_t max_batch_bytes;
  uint32_t max_processes;
  uint64_t max_unwind_bytes;
  uint64_t max_captured_bytes;
  bool exclude_self;
  bool run_statistics;
  bool follow;
  std::vector<FollowedProcess> followed;
};

struct Batch {
  std::unique_ptr<StackTable> stacks;
  uint64_t start_unix_nanos = 0;
  uint64_t end_unix_nanos = 0;
};

using NamedCounters = std::vector<std::pair<std::string, uint64_t>>;

class Sampler {
public:
  // `notify` is called on a thread of the sampler's when take_events() has something new.
  Sampler(SamplerConfig config, std::function<void()> notify);
  ~Sampler();
  Sampler(const Sampler &) = delete;
  Sampler &operator=(const Sampler &) = delete;

  MaybeError start();

  // Detaches everything and ends the threads. What was sampled until now can still be taken. Idempotent.
  void stop();

  // Ends a batch: everything sampled since the last call. Then all events that were announced before are ready to be
  // taken, and what JS sets while it takes them still completes kept stacks of this batch.
  void cut_batch();
  // The batch that was cut.
  Batch take_batch();
  // The oldest events, at most `max_events`.
  std::vector<ObservedEvent> take_events(size_t max_events);

  MaybeError follow(const FollowedProcess &process);
  void unfollow(uint32_t pid);

  std::variant<uint32_t, NativeError> add_unwind_table(const UnwindTableColumns &table);
  MaybeError remove_unwind_table(uint32_t id);
  MaybeError set_process_mappings(uint32_t pid, uint64_t start_time_nanos, uint32_t generation,
                                  const MappingColumns &mappings);
  void forget_process(uint32_t pid, uint64_t start_time_nanos);
  UnwindUsage unwind_usage() const { return unwinder_->usage(); }
  uint64_t bpf_map_bytes() const;

  NamedCounters counters();
  std::vector<uint32_t> cpus();
  std::vector<ProgramStats> program_stats();
  const char *event_name() const;

private:
  using Clock = std::chrono::steady_clock;
  using CaptureRecord = std::vector<uint64_t>;

  MaybeError make_unwinder();
  MaybeError open_rings();
  void run();
  void drain_samples();
  void drain_if_due();
  void check_cpus_if_due();
  int on_sample(void *data, size_t size);
  int on_capture(void *data, size_t size);
  void keep_pending_captures();
  void add_sample(StackTable &stacks, const void *record, uint32_t size);
  void add_walked_later(const sample_record &record, uint32_t size);
  void ask_for_table(const sample_header &sample, uint32_t generation, uint64_t address);
  std::vector<uint64_t> read_bpf_counters();

  const SamplerConfig config_;

  std::unique_ptr<BpfObject> bpf_;
  int statistics_descriptor_ = -1;
  int wake_descriptor_ = -1;
  int epoll_descriptor_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  bool stopped_ = false;
  std::vector<uint64_t> final_bpf_counters_;

  MappingWatch mapping_watch_{[this](uint32_t pid) { bpf_->void_mappings(pid); }};
  ProcessEvents events_;

  // Touched by JS's thread only.
  std::unique_ptr<Unwinder> unwinder_;
  Batch cut_;

  // Touched by the thread only.
  Clock::time_point next_drain_;
  Clock::time_point next_cpu_check_;

  std::mutex clocks_mutex_;
  std::unique_ptr<PerfEvents> clocks_;

  std::mutex samples_mutex_;
  ring_buffer *samples_ring_ = nullptr;
  ring_buffer *captures_ring_ = nullptr;
  std::unique_ptr<StackTable> stacks_;
  std::vector<CaptureRecord> pending_captures_;
  uint64_t pending_capture_bytes_ = 0;
  Clock::time_point batch_start_;

  std::atomic<uint64_t> lost_batch_full_{0};
  std::atomic<uint64_t> malformed_records_{0};
  std::atomic<uint64_t> captures_evicted_{0};
  uint64_t truncated_later_ = 0; // JS's thread
};

} // namespace hearthscope
