// SPDX-License-Identifier: Apache-2.0

#include "bpf_object.h"

#include "embedded_object.h"
#include "libbpf_log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <csignal>
#include <string_view>

namespace hearthscope {
namespace {

// The layout of the object's .rodata: `const volatile` globals in the order of their declaration.
struct ReadOnlyConfig {
  uint32_t excluded_tgid;
  uint32_t follow_enabled;
};

NativeError bpf_error(std::string what, int error_number) {
  NativeError error = system_error(std::move(what), error_number);
  error.log = libbpf_log_tail();
  return error;
}

// Defers this thread's signals while it lives. The verifier gives up with EAGAIN when one is pending, and a profiler's
// timer (SIGPROF) would make it do so again and again.
class DeferredSignals {
public:
  DeferredSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~DeferredSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  DeferredSignals(const DeferredSignals &) = delete;
  DeferredSignals &operator=(const DeferredSignals &) = delete;

private:
  sigset_t before_;
};

MaybeError configure(bpf_object *object, const BpfConfig &config) {
  bpf_map *read_only = bpf_object__find_map_by_name(object, ".rodata");
  ReadOnlyConfig values{config.excluded_tgid, config.follow ? 1u : 0u};
  if (int error = bpf_map__set_initial_value(read_only, &values, sizeof(values)))
    return bpf_error("could not configure the BPF programs", -error);
  if (int error = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "samples"), config.sample_ring_bytes))
    return bpf_error("could not size the sample ring", -error);
  if (int error = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "processes"), config.max_processes))
    return bpf_error("could not size the process table", -error);
  if (!config.follow)
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, "process_fork"), false);
  return {};
}

} // namespace

BpfObject::~BpfObject() {
  for (bpf_link *link : links_)
    bpf_link__destroy(link);
  bpf_object__close(object_);
}

MaybeError BpfObject::load(const BpfConfig &config) {
  capture_libbpf_log();
  clear_libbpf_log();
  EmbeddedObject embedded = embedded_bpf_object();
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "hearthscope");
  object_ = bpf_object__open_mem(embedded.data, embedded.size, &options);
  if (!object_)
    return bpf_error("could not open the BPF object", errno);
  if (MaybeError error = configure(object_, config))
    return error;
  DeferredSignals deferred;
  if (int error = bpf_object__load(object_))
    return bpf_error("the kernel refused the BPF programs", -error);
  return {};
}

MaybeError BpfObject::attach_tracepoints() {
  bpf_program *program;
  bpf_object__for_each_program(program, object_) {
    if (!bpf_program__autoload(program) || bpf_program__type(program) != BPF_PROG_TYPE_TRACING)
      continue;
    bpf_link *link = bpf_program__attach(program);
    if (!link)
      return bpf_error(std::string("could not attach ") + bpf_program__name(program), errno);
    links_.push_back(link);
  }
  return {};
}

bpf_program *BpfObject::sampling_program() const {
  return bpf_object__find_program_by_name(object_, "sample_stack");
}

int BpfObject::map_descriptor(const char *name) const { return bpf_object__find_map_fd_by_name(object_, name); }

std::vector<cpu_counters> BpfObject::counters_by_cpu() const {
  std::vector<cpu_counters> by_cpu(libbpf_num_possible_cpus());
  uint32_t key = 0;
  if (bpf_map_lookup_elem(map_descriptor("counters"), &key, by_cpu.data()))
    by_cpu.clear();
  return by_cpu;
}

std::vector<ProgramStats> BpfObject::program_stats() const {
  std::vector<ProgramStats> all;
  bpf_program *program;
  bpf_object__for_each_program(program, object_) {
    bpf_prog_info info{};
    uint32_t length = sizeof(info);
    if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
      continue;
    all.push_back({bpf_program__name(program), info.run_time_ns, info.run_cnt, info.verified_insns});
  }
  return all;
}

} // namespace hearthscope
