// SPDX-License-Identifier: Apache-2.0
//
// Serves the ring of process events on a thread of its own: reads /proc at once, as a process that lives for a few
// milliseconds would be gone before an event loop that is busy elsewhere came to it.

#pragma once

#include "events.h"
#include "native_error.h"
#include "process_snapshot.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
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

struct ObservedEvent {
  process_event event;
  std::optional<ProcessSnapshot> snapshot;
};

class ProcessEvents {
public:
  // `notify` is called on the thread when take() has something new.
  explicit ProcessEvents(std::function<void()> notify) : notify_(std::move(notify)) {}
  ~ProcessEvents();
  ProcessEvents(const ProcessEvents &) = delete;
  ProcessEvents &operator=(const ProcessEvents &) = delete;

  // Of the maps `process_events` and `processes`.
  MaybeError start(int ring_map_descriptor, int processes_map_descriptor);

  // Ends the thread after it has served what is in the ring. Idempotent.
  void stop();

  // Waits for what was announced until now.
  void catch_up();

  // Puts in an event that comes from the addon itself.
  void add(ObservedEvent observed);

  // The oldest events, at most `max_events`.
  std::vector<ObservedEvent> take(size_t max_events);

  void append_counters(std::vector<std::pair<std::string, uint64_t>> &counters) const;
  uint64_t malformed() const { return malformed_; }

private:
  void run();
  int on_event(void *data, size_t size);
  bool has_replaced_program(const process_event &event) const;

  const std::function<void()> notify_;
  ring_buffer *ring_ = nullptr;
  int processes_map_descriptor_ = -1;
  int wake_descriptor_ = -1;
  int epoll_descriptor_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable caught_up_;
  uint64_t catch_up_requested_ = 0;
  uint64_t catch_up_done_ = 0;
  bool notified_ = false;
  std::deque<ObservedEvent> queue_;

  std::atomic<uint64_t> malformed_{0};
  std::atomic<uint64_t> snapshots_read_{0};
  std::atomic<uint64_t> snapshots_missed_{0};
  std::atomic<uint64_t> snapshots_truncated_{0};
  std::atomic<uint64_t> queue_full_{0};
  std::atomic<uint64_t> waits_expired_{0};
};

} // namespace hearthscope
