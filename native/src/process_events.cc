// SPDX-License-Identifier: Apache-2.0

#include "process_events.h"

#include "known_process.h"
#include "thread_priority.h"
#include "wait_set.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <pthread.h>

namespace hearthscope {

ProcessEvents::~ProcessEvents() { stop(); }

MaybeError ProcessEvents::start(int ring_map_descriptor, int processes_map_descriptor) {
  processes_map_descriptor_ = processes_map_descriptor;
  auto event = [](void *self, void *data, size_t size) {
    return static_cast<ProcessEvents *>(self)->on_event(data, size);
  };
  ring_ = ring_buffer__new(ring_map_descriptor, event, this, nullptr);
  if (!ring_)
    return system_error("could not map the ring of process events", errno);
  wake_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_descriptor_ = wait_set({wake_descriptor_, ring_buffer__epoll_fd(ring_)});
  if (epoll_descriptor_ < 0)
    return system_error("could not wait for the ring of process events", errno);
  thread_ = std::thread([this] { run(); });
  return {};
}

void ProcessEvents::stop() {
  if (thread_.joinable()) {
    stopping_ = true;
    eventfd_write(wake_descriptor_, 1);
    thread_.join();
  }
  ring_buffer__free(ring_);
  ring_ = nullptr;
  for (int *descriptor : {&epoll_descriptor_, &wake_descriptor_}) {
    if (*descriptor >= 0)
      close(*descriptor);
    *descriptor = -1;
  }
}

void ProcessEvents::run() {
  pthread_setname_np(pthread_self(), "hearth-events");
  urgent_thread().start();
  bool last;
  do {
    last = stopping_;
    if (!last)
      wait_for_any(epoll_descriptor_, wake_descriptor_, -1);
    uint64_t requested;
    {
      std::lock_guard lock(mutex_);
      requested = catch_up_requested_;
    }
    ring_buffer__consume(ring_);
    {
      std::lock_guard lock(mutex_);
      catch_up_done_ = requested;
    }
    caught_up_.notify_all();
  } while (!last);
}

bool ProcessEvents::has_replaced_program(const process_event &event) const {
  known_process known;
  return bpf_map_lookup_elem(processes_map_descriptor_, &event.tgid, &known) == 0 &&
         known.start_time_nanos == event.start_time_nanos &&
         static_cast<int32_t>(known.exec_generation - event.generation) > 0;
}

int ProcessEvents::on_event(void *data, size_t size) {
  if (size != sizeof(process_event)) {
    malformed_++;
    return 0;
  }
  urgent_thread().check();
  ObservedEvent observed{*static_cast<const process_event *>(data), {}};
  uint32_t kind = observed.event.kind;
  if (kind != PROCESS_EXIT && kind != PROCESS_NEEDS_TABLE && !observed.event.kernel_thread) {
    observed.snapshot = read_process_snapshot(observed.event, [&] { return has_replaced_program(observed.event); });
    (observed.snapshot ? snapshots_read_ : snapshots_missed_)++;
    if (observed.snapshot && observed.snapshot->mappings_truncated)
      snapshots_truncated_++;
  }
  add(std::move(observed));
  return 0;
}

void ProcessEvents::add(ObservedEvent observed) {
  bool must_notify = false;
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= kMaxQueuedEvents) {
      queue_full_++;
    } else {
      queue_.push_back(std::move(observed));
      must_notify = !notified_;
      notified_ = true;
    }
  }
  if (must_notify && !stopping_)
    notify_();
}

void ProcessEvents::catch_up() {
  std::unique_lock lock(mutex_);
  uint64_t ticket = ++catch_up_requested_;
  eventfd_write(wake_descriptor_, 1);
  if (!caught_up_.wait_for(lock, kMaxEventWait, [&] { return catch_up_done_ >= ticket; }))
    waits_expired_++;
}

std::vector<ObservedEvent> ProcessEvents::take(size_t max_events) {
  std::lock_guard lock(mutex_);
  auto end = queue_.begin() + std::min(max_events, queue_.size());
  std::vector<ObservedEvent> taken(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  notified_ = !queue_.empty();
  return taken;
}

void ProcessEvents::append_counters(std::vector<std::pair<std::string, uint64_t>> &counters) const {
  counters.emplace_back("snapshots_read", snapshots_read_);
  counters.emplace_back("snapshots_missed", snapshots_missed_);
  counters.emplace_back("snapshots_truncated", snapshots_truncated_);
  counters.emplace_back("events_queue_full", queue_full_);
  counters.emplace_back("event_waits_expired", waits_expired_);
}

} // namespace hearthscope
