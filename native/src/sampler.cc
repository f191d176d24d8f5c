// SPDX-License-Identifier: Apache-2.0

#include "sampler.h"

#include "libbpf_log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <iterator>
#include <pthread.h>

namespace hearthscope {
namespace {

// The thread has little to do but must do it before a short-lived process is gone: ahead of ordinary busy ones.
constexpr int kThreadNiceness = -10;

constexpr std::chrono::milliseconds kCpuCheckInterval{1000};

uint64_t unix_nanos() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

bool add_to_epoll(int epoll, int descriptor) {
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.fd = descriptor;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &interest) == 0;
}

} // namespace

Sampler::Sampler(SamplerConfig config, std::function<void()> notify)
    : config_(std::move(config)), notify_(std::move(notify)) {}

Sampler::~Sampler() { stop(); }

MaybeError Sampler::start() {
  BpfConfig bpf_config;
  bpf_config.excluded_tgid = config_.exclude_self ? getpid() : 0;
  bpf_config.follow = config_.follow;
  bpf_config.sample_ring_bytes = config_.ring_bytes;
  bpf_config.max_processes = config_.max_processes;
  bpf_ = std::make_unique<BpfObject>();
  if (MaybeError error = bpf_->load(bpf_config))
    return error;
  if (config_.run_statistics) {
    statistics_descriptor_ = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (statistics_descriptor_ < 0)
      return system_error("could not switch on the kernel's BPF run statistics", errno);
  }
  if (MaybeError error = open_rings())
    return error;
  if (MaybeError error = bpf_->attach_tracepoints())
    return error;
  if (config_.follow)
    if (MaybeError error = follow_processes(bpf_->map_descriptor("followed"), config_.followed))
      return error;

  batch_start_ = Clock::now();
  stacks_ = std::make_unique<StackTable>(config_.max_stacks_per_batch, config_.max_batch_bytes);
  clocks_ = std::make_unique<PerfEvents>();
  if (MaybeError error = clocks_->open(bpf_->sampling_program(), config_.frequency_hz))
    return error;
  next_drain_ = batch_start_ + std::chrono::milliseconds(config_.drain_interval_millis);
  next_cpu_check_ = batch_start_ + kCpuCheckInterval;
  thread_ = std::thread([this] { run(); });
  return {};
}

MaybeError Sampler::open_rings() {
  auto sample = [](void *self, void *data, size_t size) { return static_cast<Sampler *>(self)->on_sample(data, size); };
  auto event = [](void *self, void *data, size_t size) {
    return static_cast<Sampler *>(self)->on_process_event(data, size);
  };
  samples_ring_ = ring_buffer__new(bpf_->map_descriptor("samples"), sample, this, nullptr);
  if (!samples_ring_)
    return system_error("could not map the sample ring", errno);
  events_ring_ = ring_buffer__new(bpf_->map_descriptor("process_events"), event, this, nullptr);
  if (!events_ring_)
    return system_error("could not map the ring of process events", errno);
  wake_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_descriptor_ < 0)
    return system_error("could not create an eventfd", errno);
  epoll_descriptor_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_descriptor_ < 0 || !add_to_epoll(epoll_descriptor_, wake_descriptor_) ||
      !add_to_epoll(epoll_descriptor_, ring_buffer__epoll_fd(events_ring_)))
    return system_error("could not wait for the ring of process events", errno);
  return {};
}

void Sampler::stop() {
  if (stopped_)
    return;
  stopped_ = true;
  if (thread_.joinable()) {
    stopping_ = true;
    eventfd_write(wake_descriptor_, 1);
    thread_.join();
  }
  if (clocks_)
    clocks_->close_all();
  drain_samples();
  if (events_ring_)
    ring_buffer__consume(events_ring_);
  if (clocks_)
    final_counters_ = read_counters();
  {
    std::lock_guard lock(samples_mutex_);
    ring_buffer__free(samples_ring_);
    samples_ring_ = nullptr;
  }
  ring_buffer__free(events_ring_);
  events_ring_ = nullptr;
  bpf_.reset();
  for (int *descriptor : {&statistics_descriptor_, &epoll_descriptor_, &wake_descriptor_}) {
    if (*descriptor >= 0)
      close(*descriptor);
    *descriptor = -1;
  }
}

void Sampler::run() {
  pthread_setname_np(pthread_self(), "hearth-drain");
  setpriority(PRIO_PROCESS, gettid(), kThreadNiceness); // a wish: without it only latency suffers
  while (!stopping_) {
    auto until = std::min(next_drain_, next_cpu_check_) - Clock::now();
    int timeout_millis = std::chrono::ceil<std::chrono::milliseconds>(until).count();
    epoll_event ready[2];
    epoll_wait(epoll_descriptor_, ready, 2, std::max(timeout_millis, 0));
    eventfd_t ignored;
    eventfd_read(wake_descriptor_, &ignored);
    uint64_t requested;
    {
      std::lock_guard lock(events_mutex_);
      requested = catch_up_requested_;
    }
    ring_buffer__consume(events_ring_);
    {
      std::lock_guard lock(events_mutex_);
      catch_up_done_ = requested;
    }
    events_caught_up_.notify_all();
    drain_if_due();
    check_cpus_if_due();
  }
}

void Sampler::drain_samples() {
  std::lock_guard lock(samples_mutex_);
  if (samples_ring_)
    ring_buffer__consume(samples_ring_);
}

void Sampler::drain_if_due() {
  Clock::time_point now = Clock::now();
  if (now < next_drain_)
    return;
  drain_samples();
  next_drain_ = now + std::chrono::milliseconds(config_.drain_interval_millis);
}

void Sampler::check_cpus_if_due() {
  Clock::time_point now = Clock::now();
  if (now < next_cpu_check_)
    return;
  std::lock_guard lock(clocks_mutex_);
  clocks_->refresh();
  next_cpu_check_ = now + kCpuCheckInterval;
}

int Sampler::on_sample(void *data, size_t size) {
  if (size < SAMPLE_HEADER_BYTES || size > sizeof(sample_record) || size % sizeof(uint64_t)) {
    malformed_records_++;
    return 0;
  }
  if (!stacks_->add(data, size))
    lost_batch_full_++;
  return 0;
}

int Sampler::on_process_event(void *data, size_t size) {
  if (size != sizeof(process_event)) {
    malformed_records_++;
    return 0;
  }
  ObservedEvent observed{*static_cast<const process_event *>(data), {}};
  bool has_mappings = observed.event.kind != PROCESS_EXIT && !observed.event.kernel_thread;
  if (has_mappings) {
    observed.snapshot = read_process_snapshot(observed.event);
    (observed.snapshot ? snapshots_read_ : snapshots_missed_)++;
    if (observed.snapshot && observed.snapshot->mappings_truncated)
      snapshots_truncated_++;
  }
  bool must_notify = false;
  {
    std::lock_guard lock(events_mutex_);
    if (events_.size() >= kMaxQueuedEvents) {
      events_queue_full_++;
    } else {
      events_.push_back(std::move(observed));
      must_notify = !notified_;
      notified_ = true;
    }
  }
  if (must_notify && !stopping_)
    notify_();
  // A flood of new processes must not delay the drain until the ring is full.
  if (!stopping_)
    drain_if_due();
  return 0;
}

Batch Sampler::take_batch() {
  Batch batch;
  batch.stacks = std::make_unique<StackTable>(config_.max_stacks_per_batch, config_.max_batch_bytes);
  {
    std::lock_guard lock(samples_mutex_);
    if (samples_ring_)
      ring_buffer__consume(samples_ring_);
    std::swap(batch.stacks, stacks_);
    Clock::time_point now = Clock::now();
    // One reading of the wall clock, so that a step of it cannot make a batch end before it starts.
    batch.end_unix_nanos = unix_nanos();
    batch.start_unix_nanos =
        batch.end_unix_nanos - std::chrono::duration_cast<std::chrono::nanoseconds>(now - batch_start_).count();
    batch_start_ = now;
  }
  if (!stopped_)
    wait_for_announced_events();
  return batch;
}

void Sampler::wait_for_announced_events() {
  std::unique_lock lock(events_mutex_);
  uint64_t ticket = ++catch_up_requested_;
  eventfd_write(wake_descriptor_, 1);
  if (!events_caught_up_.wait_for(lock, kMaxEventWait, [&] { return catch_up_done_ >= ticket; }))
    event_waits_expired_++;
}

std::vector<ObservedEvent> Sampler::take_events(size_t max_events) {
  std::lock_guard lock(events_mutex_);
  auto end = events_.begin() + std::min(max_events, events_.size());
  std::vector<ObservedEvent> taken(std::make_move_iterator(events_.begin()), std::make_move_iterator(end));
  events_.erase(events_.begin(), end);
  notified_ = !events_.empty();
  return taken;
}

MaybeError Sampler::follow(const FollowedProcess &process) {
  if (stopped_ || !config_.follow)
    return NativeError{"only a running sampler that was started with a filter can follow processes", EINVAL, {}};
  return follow_processes(bpf_->map_descriptor("followed"), {process});
}

void Sampler::unfollow(uint32_t pid) {
  if (!stopped_ && config_.follow)
    bpf_map_delete_elem(bpf_->map_descriptor("followed"), &pid);
}

NamedCounters Sampler::counters() {
  if (stopped_)
    return final_counters_;
  std::lock_guard lock(clocks_mutex_);
  return read_counters();
}

NamedCounters Sampler::read_counters() {
  static const char *const names[] = {
#define X(upper, lower) #lower,
      BPF_COUNTER_LIST(X)
#undef X
  };
  NamedCounters all;
  std::vector<cpu_counters> by_cpu = bpf_->counters_by_cpu();
  for (size_t index = 0; index < COUNTER_COUNT; index++) {
    uint64_t sum = 0;
    for (const cpu_counters &cpu : by_cpu)
      sum += cpu.value[index];
    all.emplace_back(names[index], sum);
  }
  all.emplace_back("lost_batch_full", lost_batch_full_);
  all.emplace_back("malformed_records", malformed_records_);
  all.emplace_back("snapshots_read", snapshots_read_);
  all.emplace_back("snapshots_missed", snapshots_missed_);
  all.emplace_back("snapshots_truncated", snapshots_truncated_);
  all.emplace_back("events_queue_full", events_queue_full_);
  all.emplace_back("event_waits_expired", event_waits_expired_);
  all.emplace_back("cpu_attach_failures", clocks_->attach_failures());
  all.emplace_back("cpu_reattached", clocks_->reattached());
  return all;
}

std::vector<uint32_t> Sampler::cpus() {
  std::lock_guard lock(clocks_mutex_);
  return clocks_ ? clocks_->cpus() : std::vector<uint32_t>();
}

std::vector<ProgramStats> Sampler::program_stats() {
  return bpf_ ? bpf_->program_stats() : std::vector<ProgramStats>();
}

} // namespace hearthscope
