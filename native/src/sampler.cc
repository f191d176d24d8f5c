// SPDX-License-Identifier: Apache-2.0

#include "sampler.h"

#include "libbpf_log.h"
#include "thread_priority.h"
#include "wait_set.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <pthread.h>

namespace hearthscope {
namespace {


uint64_t unix_nanos() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

} // namespace

Sampler::Sampler(SamplerConfig config, std::function<void()> notify)
    : config_(std::move(config)), events_(std::move(notify)) {}

Sampler::~Sampler() { stop(); }

MaybeError Sampler::start() {
  BpfConfig bpf_config;
  bpf_config.excluded_tgid = config_.exclude_self ? getpid() : 0;
  bpf_config.follow = config_.follow;
  bpf_config.sample_ring_bytes = config_.ring_bytes;
  bpf_config.max_processes = config_.max_processes;
  bpf_config.max_unwind_bytes = config_.max_unwind_bytes;
  bpf_ = std::make_unique<BpfObject>();
  if (MaybeError error = bpf_->load(bpf_config))
    return error;
  if (config_.run_statistics) {
    statistics_descriptor_ = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (statistics_descriptor_ < 0)
      return system_error("could not switch on the kernel's BPF run statistics", errno);
  }
  if (MaybeError error = make_unwinder())
    return error;
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
  if (MaybeError error = clocks_->open(bpf_->sampling_program(), config_.event, config_.frequency_hz))
    return error;
  next_drain_ = batch_start_ + std::chrono::milliseconds(config_.drain_interval_millis);
  next_cpu_check_ = batch_start_ + kCpuCheckInterval;
  thread_ = std::thread([this] { run(); });
  return mapping_watch_.start();
}

MaybeError Sampler::make_unwinder() {
  if (MaybeError error = bpf_->map_unwind_rules())
    return error;
  unwinder_ = std::make_unique<Unwinder>(
      config_.max_unwind_bytes, config_.max_captured_bytes, [this](uint32_t part) { return bpf_->add_unwind_part(part); },
      bpf_->unwind_rules(),
      [this](const process_mappings &mappings) { return bpf_->publish_mappings(mappings); },
      [this](const sample_record &record, uint32_t size) { add_walked_later(record, size); },
      [this](const capture_header &header, uint64_t address) { ask_for_table(header.sample, header.generation, address); });
  return {};
}

MaybeError Sampler::open_rings() {
  auto sample = [](void *self, void *data, size_t size) { return static_cast<Sampler *>(self)->on_sample(data, size); };
  auto capture = [](void *self, void *data, size_t size) {
    return static_cast<Sampler *>(self)->on_capture(data, size);
  };
  samples_ring_ = ring_buffer__new(bpf_->map_descriptor("samples"), sample, this, nullptr);
  if (!samples_ring_)
    return system_error("could not map the sample ring", errno);
  captures_ring_ = ring_buffer__new(bpf_->map_descriptor("captures"), capture, this, nullptr);
  if (!captures_ring_)
    return system_error("could not map the ring of captured stacks", errno);
  wake_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_descriptor_ = wait_set({wake_descriptor_, ring_buffer__epoll_fd(captures_ring_)});
  if (epoll_descriptor_ < 0)
    return system_error("could not wait for the ring of captured stacks", errno);
  return events_.start(bpf_->map_descriptor("process_events"), bpf_->map_descriptor("processes"));
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
  mapping_watch_.stop();
  if (clocks_)
    clocks_->close_all();
  drain_samples();
  events_.stop();
  if (clocks_)
    final_bpf_counters_ = read_bpf_counters();
  {
    std::lock_guard lock(samples_mutex_);
    ring_buffer__free(samples_ring_);
    samples_ring_ = nullptr;
    ring_buffer__free(captures_ring_);
    captures_ring_ = nullptr;
  }
  if (bpf_)
    bpf_->unload();
  for (int *descriptor : {&statistics_descriptor_, &epoll_descriptor_, &wake_descriptor_}) {
    if (*descriptor >= 0)
      close(*descriptor);
    *descriptor = -1;
  }
}

void Sampler::run() {
  pthread_setname_np(pthread_self(), "hearth-drain");
  prefer_this_thread();
  while (!stopping_) {
    auto until = std::min(next_drain_, next_cpu_check_) - Clock::now();
    int timeout_millis = std::chrono::ceil<std::chrono::milliseconds>(until).count();
    wait_for_any(epoll_descriptor_, wake_descriptor_, std::max(timeout_millis, 0));
    {
      std::lock_guard lock(samples_mutex_);
      ring_buffer__consume(captures_ring_);
    }
    drain_if_due();
    check_cpus_if_due();
  }
}

void Sampler::drain_samples() {
  std::lock_guard lock(samples_mutex_);
  if (samples_ring_)
    ring_buffer__consume(samples_ring_);
  if (captures_ring_)
    ring_buffer__consume(captures_ring_);
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
  add_sample(*stacks_, data, size);
  return 0;
}

void Sampler::add_sample(StackTable &stacks, const void *record, uint32_t size) {
  if (!stacks.add(record, size))
    lost_batch_full_++;
}

int Sampler::on_capture(void *data, size_t size) {
  if (!KeptStacks::is_capture(data, size)) {
    malformed_records_++;
    return 0;
  }
  if (pending_capture_bytes_ + size > config_.max_captured_bytes) {
    captures_evicted_++;
    KeptStacks::finish_unwalked(
        data, [this](const sample_record &record, uint32_t bytes) { add_sample(*stacks_, &record, bytes); });
    return 0;
  }
  CaptureRecord record(size / sizeof(uint64_t));
  std::memcpy(record.data(), data, size);
  pending_captures_.push_back(std::move(record));
  pending_capture_bytes_ += size;
  return 0;
}

// Takes over what the thread has read of captured stacks, and has those that can be walked already finished.
void Sampler::keep_pending_captures() {
  std::vector<CaptureRecord> records;
  {
    std::lock_guard lock(samples_mutex_);
    if (captures_ring_)
      ring_buffer__consume(captures_ring_);
    records.swap(pending_captures_);
    pending_capture_bytes_ = 0;
  }
  for (const CaptureRecord &record : records)
    unwinder_->kept_stacks().add(record.data(), record.size() * sizeof(uint64_t));
}

// Into the batch that is being handed out, else into the one that is being filled.
void Sampler::add_walked_later(const sample_record &record, uint32_t size) {
  truncated_later_ += record.header.stop_reason == STOP_TRUNCATED_MAX_FRAMES;
  if (cut_.stacks)
    return add_sample(*cut_.stacks, &record, size);
  std::lock_guard lock(samples_mutex_);
  add_sample(*stacks_, &record, size);
}

void Sampler::ask_for_table(const sample_header &sample, uint32_t generation, uint64_t address) {
  process_event event{};
  event.start_time_nanos = sample.start_time_nanos;
  event.address = address;
  event.kind = PROCESS_NEEDS_TABLE;
  event.tgid = sample.tgid;
  event.tid = sample.tid;
  event.generation = generation;
  std::memcpy(event.comm, sample.comm, sizeof(event.comm));
  events_.add({event, {}});
}

void Sampler::cut_batch() {
  auto fresh = std::make_unique<StackTable>(config_.max_stacks_per_batch, config_.max_batch_bytes);
  drain_samples();
  keep_pending_captures();
  {
    std::lock_guard lock(samples_mutex_);
    std::swap(fresh, stacks_);
    Clock::time_point now = Clock::now();
    // One reading of the wall clock, so that a step of it cannot make a batch end before it starts.
    cut_.end_unix_nanos = unix_nanos();
    cut_.start_unix_nanos =
        cut_.end_unix_nanos - std::chrono::duration_cast<std::chrono::nanoseconds>(now - batch_start_).count();
    batch_start_ = now;
  }
  cut_.stacks = std::move(fresh);
  if (!stopped_)
    events_.catch_up();
}

Batch Sampler::take_batch() {
  unwinder_->kept_stacks().retry(0);
  unwinder_->end_batch(stopped_);
  return std::exchange(cut_, {});
}

std::vector<ObservedEvent> Sampler::take_events(size_t max_events) {
  std::vector<ObservedEvent> events = events_.take(max_events);
  for (const ObservedEvent &observed : events) {
    const process_event &event = observed.event;
    if (event.kind == PROCESS_EXEC)
      unwinder_->note_exec(event.tgid, event.start_time_nanos, event.generation);
    else if (event.kind == PROCESS_EXIT)
      unwinder_->note_exit(event.tgid, event.start_time_nanos);
  }
  return events;
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

std::variant<uint32_t, NativeError> Sampler::add_unwind_table(const UnwindTableColumns &table) {
  return unwinder_->add_table(table);
}

MaybeError Sampler::remove_unwind_table(uint32_t id) { return unwinder_->remove_table(id); }

MaybeError Sampler::set_process_mappings(uint32_t pid, uint64_t start_time_nanos, uint32_t generation,
                                         const MappingColumns &mappings) {
  keep_pending_captures();
  return unwinder_->set_process_mappings(pid, start_time_nanos, generation, mappings);
}

void Sampler::forget_process(uint32_t pid, uint64_t start_time_nanos) {
  unwinder_->forget_process(pid, start_time_nanos);
}

uint64_t Sampler::bpf_map_bytes() const { return bpf_->map_bytes(unwinder_->part_descriptors()); }

std::vector<uint64_t> Sampler::read_bpf_counters() {
  std::vector<uint64_t> sums(COUNTER_COUNT);
  for (const cpu_counters &cpu : bpf_->counters_by_cpu())
    for (size_t index = 0; index < COUNTER_COUNT; index++)
      sums[index] += cpu.value[index];
  return sums;
}

NamedCounters Sampler::counters() {
  static const char *const names[] = {
#define X(upper, lower) #lower,
      BPF_COUNTER_LIST(X)
#undef X
  };
  std::vector<uint64_t> of_programs = stopped_ ? final_bpf_counters_ : read_bpf_counters();
  of_programs[COUNTER_USER_STACK_TRUNCATED] += truncated_later_;
  NamedCounters all;
  for (size_t index = 0; index < COUNTER_COUNT; index++)
    all.emplace_back(names[index], of_programs[index]);
  all.emplace_back("lost_batch_full", lost_batch_full_);
  all.emplace_back("malformed_records", malformed_records_ + events_.malformed());
  events_.append_counters(all);
  all.emplace_back("mapping_watch_failures", mapping_watch_.failures());
  all.emplace_back("mapping_records_lost", mapping_watch_.lost());
  all.emplace_back("captures_walked", unwinder_->kept_stacks().completed());
  all.emplace_back("captures_expired", unwinder_->kept_stacks().expired());
  all.emplace_back("captures_evicted", captures_evicted_ + unwinder_->kept_stacks().evicted());
  all.emplace_back("unwind_rules_refused", unwinder_->rules_refused());
  all.emplace_back("unwind_mappings_refused", unwinder_->mappings_refused());
  std::lock_guard lock(clocks_mutex_);
  all.emplace_back("cpu_attach_failures", clocks_->attach_failures());
  all.emplace_back("cpu_reattached", clocks_->reattached());
  return all;
}

std::vector<uint32_t> Sampler::cpus() {
  std::lock_guard lock(clocks_mutex_);
  return clocks_ ? clocks_->cpus() : std::vector<uint32_t>();
}

std::vector<ProgramStats> Sampler::program_stats() { return bpf_->program_stats(); }

const char *Sampler::event_name() const { return sampling_event_name(clocks_->event()); }

} // namespace hearthscope
