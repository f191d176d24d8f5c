// SPDX-License-Identifier: Apache-2.0

#include "feature_probes.h"

#include "bpf_object.h"
#include "perf_events.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hearthscope {
namespace {

// The first pid namespace has this inode on every kernel (PROC_PID_INIT_INO).
constexpr char kHostPidNamespace[] = "pid:[4026531836]";

std::string error_text(int error_number) { return std::strerror(error_number < 0 ? -error_number : error_number); }

FeatureProbe probe_type_information() {
  bool available = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  return {"btf", available, true, available ? "/sys/kernel/btf/vmlinux" : error_text(errno),
          "everything: the programs find kernel structures by it (CONFIG_DEBUG_INFO_BTF)"};
}

FeatureProbe probe_sampling_clock() {
  int descriptor = open_sampling_clock(0, SamplingEvent::kCpuClock, 19);
  if (descriptor >= 0)
    close(descriptor);
  return {"sampling_clock", descriptor >= 0, true,
          descriptor >= 0 ? "perf_event_open of cpu-clock on CPU 0" : error_text(descriptor),
          "everything: no CPU can be sampled (CAP_PERFMON, kernel.perf_event_paranoid)"};
}

// libbpf's probes answer 1 (yes), 0 (no) or a negative errno.
FeatureProbe from_answer(const char *name, int answer, bool required, const char *detail, const char *lost) {
  return {name, answer > 0, required, answer < 0 ? error_text(answer) : detail, lost};
}

FeatureProbe probe_tracepoints() {
  btf *kernel = btf__load_vmlinux_btf();
  std::string missing;
  for (const char *name : {"sched_process_fork", "sched_process_exec", "sched_process_exit"}) {
    std::string type = std::string("btf_trace_") + name;
    if (!kernel || btf__find_by_name_kind(kernel, type.c_str(), BTF_KIND_TYPEDEF) < 0)
      missing += (missing.empty() ? "missing: " : ", ") + std::string(name);
  }
  btf__free(kernel);
  return {"process_tracepoints", missing.empty(), true,
          missing.empty() ? "sched_process_fork, sched_process_exec, sched_process_exit" : missing,
          "exec, exit and children of processes are not seen"};
}

FeatureProbe probe_programs() {
  BpfConfig config;
  config.follow = true;
  config.sample_ring_bytes = 64 * 1024;
  config.max_processes = 64;
  BpfObject object;
  MaybeError error = object.load(config);
  if (!error)
    error = object.attach_tracepoints();
  std::string detail = "all programs verified and attached";
  if (error)
    detail = error->message;
  return {"profiler_programs", !error, true, detail, "everything: the programs of the profiler do not run here"};
}

FeatureProbe probe_run_statistics() {
  int descriptor = bpf_enable_stats(BPF_STATS_RUN_TIME);
  std::string detail = descriptor >= 0 ? "BPF_ENABLE_STATS" : error_text(errno);
  if (descriptor >= 0)
    close(descriptor);
  return {"run_statistics", descriptor >= 0, false, detail, "the agent cannot report its own time in the kernel"};
}

FeatureProbe probe_pid_namespace() {
  bool available = in_host_pid_namespace();
  return {"host_pid_namespace", available, true,
          available ? "the agent sees the host's pids" : "the agent runs in a pid namespace of its own",
          "processes cannot be identified; start the container with the host's pids (hostPID, --pid=host)"};
}

} // namespace

bool in_host_pid_namespace() {
  char target[64];
  ssize_t length = readlink("/proc/self/ns/pid", target, sizeof(target));
  return length > 0 && std::string(target, length) == kHostPidNamespace;
}

std::vector<FeatureProbe> probe_features() {
  return {
      probe_type_information(),
      probe_pid_namespace(),
      probe_sampling_clock(),
      from_answer("perf_event_programs", libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, nullptr), true,
                  "BPF_PROG_TYPE_PERF_EVENT", "everything: no program can run on the sampling clock"),
      from_answer("ring_buffer", libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr), true,
                  "BPF_MAP_TYPE_RINGBUF", "everything: samples cannot leave the kernel (5.8)"),
      from_answer("task_registers",
                  libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs, nullptr), false,
                  "bpf_task_pt_regs", "user registers of samples in the kernel are found by the stack's size (5.15)"),
      probe_tracepoints(),
      probe_programs(),
      probe_run_statistics(),
  };
}

} // namespace hearthscope
