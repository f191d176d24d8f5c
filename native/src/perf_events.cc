// SPDX-License-Identifier: Apache-2.0

#include "perf_events.h"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>

namespace hearthscope {

std::vector<uint32_t> online_cpus() {
  char text[4096];
  int descriptor = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return {};
  ssize_t length = read(descriptor, text, sizeof(text) - 1);
  close(descriptor);
  if (length <= 0)
    return {};
  text[length] = 0;
  return parse_cpu_list(text, libbpf_num_possible_cpus());
}

std::vector<uint32_t> parse_cpu_list(const char *text, uint32_t limit) {
  std::vector<uint32_t> cpus;
  while (*text && *text != '\n') {
    char *end;
    unsigned long first = strtoul(text, &end, 10);
    unsigned long last = first;
    if (end == text)
      return {};
    if (*end == '-') {
      text = end + 1;
      last = strtoul(text, &end, 10);
      if (end == text)
        return {};
    }
    if (last < first || last >= limit)
      return {};
    for (unsigned long cpu = first; cpu <= last; cpu++)
      cpus.push_back(cpu);
    text = *end == ',' ? end + 1 : end;
    if (end == text && *end && *end != '\n')
      return {};
  }
  return cpus;
}

const char *sampling_event_name(SamplingEvent event) {
  return event == SamplingEvent::kCycles ? "cycles" : "cpu-clock";
}

int open_sampling_clock(int cpu, SamplingEvent event, uint32_t frequency_hz) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  bool cycles = event == SamplingEvent::kCycles;
  attributes.type = cycles ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE;
  attributes.config = cycles ? uint64_t{PERF_COUNT_HW_CPU_CYCLES} : uint64_t{PERF_COUNT_SW_CPU_CLOCK};
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED;
  attributes.freq = 1;
  attributes.sample_freq = frequency_hz;
  long descriptor = syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  return descriptor < 0 ? -errno : static_cast<int>(descriptor);
}

PerfEvents::~PerfEvents() { close_all(); }

void PerfEvents::close_all() {
  for (auto &[cpu, clock] : clocks_)
    detach(clock);
  clocks_.clear();
}

MaybeError PerfEvents::attach(uint32_t cpu) {
  int descriptor = open_sampling_clock(cpu, event_, frequency_hz_);
  if (descriptor < 0)
    return system_error(std::string("could not open a sampling clock (") + sampling_event_name(event_) + ") of " + std::to_string(frequency_hz_) + " Hz on CPU " +
                            std::to_string(cpu),
                        -descriptor);
  bpf_link *link = bpf_program__attach_perf_event(program_, descriptor);
  if (!link) {
    int error_number = errno;
    close(descriptor);
    return system_error("could not attach the sampling program on CPU " + std::to_string(cpu), error_number);
  }
  clocks_[cpu] = {descriptor, link, 0};
  return {};
}

void PerfEvents::detach(Clock &clock) {
  bpf_link__destroy(clock.link); // closes the descriptor too
}

MaybeError PerfEvents::open(bpf_program *program, SamplingEvent event, uint32_t frequency_hz) {
  program_ = program;
  frequency_hz_ = frequency_hz;
  std::vector<uint32_t> online = online_cpus();
  if (online.empty())
    return NativeError{"could not read the online CPUs from /sys/devices/system/cpu/online", 0, {}};
  event_ = event;
  if (event == SamplingEvent::kAutomatic) {
    int descriptor = open_sampling_clock(online[0], SamplingEvent::kCycles, frequency_hz);
    event_ = descriptor < 0 ? SamplingEvent::kCpuClock : SamplingEvent::kCycles;
    if (descriptor >= 0)
      close(descriptor);
  }
  for (uint32_t cpu : online) {
    MaybeError error = attach(cpu);
    if (error && error->error_number == ENODEV)
      attach_failures_++; // it went offline just now; refresh() looks again
    else if (error)
      return error;
  }
  return {};
}

bool PerfEvents::has_advanced(Clock &clock) {
  struct {
    uint64_t count;
    uint64_t enabled_nanos;
  } now{};
  bool advanced = read(clock.descriptor, &now, sizeof(now)) == sizeof(now) && now.enabled_nanos > clock.nanos_seen;
  clock.nanos_seen = now.enabled_nanos;
  return advanced;
}

void PerfEvents::refresh() {
  std::vector<uint32_t> online = online_cpus();
  if (online.empty()) {
    attach_failures_++;
    return;
  }
  std::map<uint32_t, Clock> previous;
  previous.swap(clocks_);
  for (uint32_t cpu : online) {
    auto known = previous.find(cpu);
    if (known != previous.end() && has_advanced(known->second)) {
      clocks_[cpu] = known->second;
      previous.erase(known);
      continue;
    }
    if (attach(cpu))
      attach_failures_++;
    else
      reattached_ += known != previous.end();
  }
  for (auto &[cpu, clock] : previous)
    detach(clock);
}

std::vector<uint32_t> PerfEvents::cpus() const {
  std::vector<uint32_t> ids;
  for (const auto &[cpu, clock] : clocks_)
    ids.push_back(cpu);
  return ids;
}

} // namespace hearthscope
