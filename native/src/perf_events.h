// SPDX-License-Identifier: Apache-2.0
//
// The sampling clocks: one event per online CPU, with the sampling program attached. CPU cycles where the hardware
// counts them (their interrupt also strikes where others are masked), else the kernel's own cpu-clock.
//
// A CPU that goes offline takes its event's clock with it, and the event stays silent when the CPU returns. So the
// list of online CPUs is compared, and besides a clock that stands still is opened anew, which also covers a CPU
// that left and came back between two looks. The time it has been enabled is read, and not counted by its ticks: an
// idle CPU may stop ticking while its clock goes on.

#pragma once

#include "native_error.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

struct bpf_link;
struct bpf_program;

namespace hearthscope {

constexpr std::chrono::milliseconds kCpuCheckInterval{1000};

// Empty when they cannot be read.
std::vector<uint32_t> online_cpus();

enum class SamplingEvent { kAutomatic, kCycles, kCpuClock };

const char *sampling_event_name(SamplingEvent event);

class PerfEvents {
public:
  PerfEvents() = default;
  ~PerfEvents();
  PerfEvents(const PerfEvents &) = delete;
  PerfEvents &operator=(const PerfEvents &) = delete;

  // Attaches to all online CPUs. An error when a CPU that is online cannot be sampled.
  MaybeError open(bpf_program *program, SamplingEvent event, uint32_t frequency_hz);

  // The event in use, never kAutomatic once open.
  SamplingEvent event() const { return event_; }

  // Follows CPUs that came and went since the last call. Failures are counted and tried again at the next call.
  void refresh();

  // Detaches from all CPUs.
  void close_all();

  // Ascending ids of the CPUs that are sampled.
  std::vector<uint32_t> cpus() const;

  uint64_t attach_failures() const { return attach_failures_; }
  uint64_t reattached() const { return reattached_; }

private:
  struct Clock {
    int descriptor;
    bpf_link *link;
    uint64_t nanos_seen;
  };

  MaybeError attach(uint32_t cpu);
  static void detach(Clock &clock);
  // Whether the clock has gone on since it was last asked.
  static bool has_advanced(Clock &clock);

  bpf_program *program_ = nullptr;
  SamplingEvent event_ = SamplingEvent::kCpuClock;
  uint32_t frequency_hz_ = 0;
  std::map<uint32_t, Clock> clocks_;
  uint64_t attach_failures_ = 0;
  uint64_t reattached_ = 0;
};

// Opens the clock of one CPU, for an event that is not kAutomatic; a descriptor, or a negative errno.
int open_sampling_clock(int cpu, SamplingEvent event, uint32_t frequency_hz);

// The ids in a list such as "0-3,7". Empty when the text is malformed or an id is above `limit`.
std::vector<uint32_t> parse_cpu_list(const char *text, uint32_t limit);

} // namespace hearthscope
