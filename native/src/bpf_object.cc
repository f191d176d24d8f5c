// SPDX-License-Identifier: Apache-2.0

#include "bpf_object.h"

#include "embedded_object.h"
#include "libbpf_log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

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

constexpr uint32_t kPartBytes = CELLS_PER_PART * CELL_BYTES;
constexpr size_t kRuleTableBytes = MAX_UNWIND_RULES * sizeof(unwind_rule);

// Room for a few of the largest captured stacks on every CPU.
constexpr uint32_t kMinCaptureRingBytes = 1024 * 1024;
constexpr uint32_t kMaxCaptureRingBytes = 16 * 1024 * 1024;
constexpr uint32_t kCaptureRingBytesPerCpu = 256 * 1024;

uint32_t capture_ring_bytes(uint32_t cpus) {
  uint32_t bytes = kMinCaptureRingBytes;
  while (bytes < cpus * kCaptureRingBytesPerCpu && bytes < kMaxCaptureRingBytes)
    bytes *= 2;
  return bytes;
}

MaybeError set_entries(bpf_object *object, const char *map, uint32_t entries) {
  if (int error = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, map), entries))
    return bpf_error(std::string("could not size the map ") + map, -error);
  return {};
}

// The line "memlock: N" of a map's descriptor.
uint64_t memory_of(int descriptor) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(descriptor);
  FILE *file = fopen(path.c_str(), "re");
  if (!file)
    return 0;
  unsigned long long bytes = 0;
  char line[128];
  while (fgets(line, sizeof(line), file) && sscanf(line, "memlock: %llu", &bytes) != 1)
    ;
  fclose(file);
  return bytes;
}

MaybeError configure(bpf_object *object, const BpfConfig &config) {
  bpf_map *read_only = bpf_object__find_map_by_name(object, ".rodata");
  ReadOnlyConfig values{config.excluded_tgid, config.follow ? 1u : 0u};
  if (int error = bpf_map__set_initial_value(read_only, &values, sizeof(values)))
    return bpf_error("could not configure the BPF programs", -error);
  uint32_t cpus = libbpf_num_possible_cpus();
  uint32_t parts = std::max<uint64_t>(config.max_unwind_bytes / kPartBytes, 1);
  const std::pair<const char *, uint32_t> entries[] = {
      {"samples", config.sample_ring_bytes},
      {"captures", capture_ring_bytes(cpus)},
      {"capture_buffers", cpus},
      {"processes", config.max_processes},
      {"unwind_parts", parts},
  };
  for (auto [map, count] : entries)
    if (MaybeError error = set_entries(object, map, count))
      return error;
  if (!config.follow)
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, "process_fork"), false);
  return {};
}

} // namespace

BpfObject::~BpfObject() {
  unload();
  if (unwind_rules_)
    munmap(unwind_rules_, kRuleTableBytes);
}

void BpfObject::unload() {
  for (bpf_link *link : links_)
    bpf_link__destroy(link);
  links_.clear();
  bpf_object__close(object_);
  object_ = nullptr;
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
  bpf_map *states = bpf_object__find_map_by_name(object_, "cpu_states");
  size_t stride = (bpf_map__value_size(states) + 7) / 8 * 8;
  std::vector<char> values(stride * libbpf_num_possible_cpus());
  uint32_t key = 0;
  std::vector<cpu_counters> by_cpu;
  if (bpf_map_lookup_elem(bpf_map__fd(states), &key, values.data()))
    return by_cpu;
  by_cpu.resize(values.size() / stride);
  for (size_t cpu = 0; cpu < by_cpu.size(); cpu++)
    std::memcpy(&by_cpu[cpu], values.data() + cpu * stride, sizeof(cpu_counters));
  return by_cpu;
}

std::vector<ProgramStats> BpfObject::program_stats() const {
  std::vector<ProgramStats> all;
  if (!object_)
    return all;
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

MaybeError BpfObject::map_unwind_rules() {
  void *memory =
      mmap(nullptr, kRuleTableBytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_descriptor("unwind_rules"), 0);
  if (memory == MAP_FAILED)
    return system_error("could not map the table of unwind rules", errno);
  unwind_rules_ = static_cast<unwind_rule *>(memory);
  return {};
}

int BpfObject::add_unwind_part(uint32_t part) {
  if (!object_)
    return -ESHUTDOWN;
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  int descriptor = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_part", sizeof(uint32_t), VALUE_BYTES, VALUES_PER_PART,
                                  &options);
  if (descriptor < 0)
    return descriptor;
  if (bpf_map_update_elem(map_descriptor("unwind_parts"), &part, &descriptor, BPF_ANY)) {
    int error = -errno;
    close(descriptor);
    return error;
  }
  return descriptor;
}

int BpfObject::publish_mappings(const process_mappings &mappings) {
  if (!object_)
    return 0;
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &mappings, .ctx_size_in = sizeof(mappings));
  int program = bpf_program__fd(bpf_object__find_program_by_name(object_, "publish_mappings"));
  return bpf_prog_test_run_opts(program, &options);
}

void BpfObject::void_mappings(uint32_t pid) {
  uint64_t words[] = {pid};
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = words, .ctx_size_in = sizeof(words));
  int program = bpf_program__fd(bpf_object__find_program_by_name(object_, "void_mappings"));
  bpf_prog_test_run_opts(program, &options);
}

uint64_t BpfObject::map_bytes(const std::vector<int> &more_descriptors) const {
  uint64_t bytes = 0;
  if (!object_)
    return bytes;
  bpf_map *map;
  bpf_object__for_each_map(map, object_) bytes += memory_of(bpf_map__fd(map));
  for (int descriptor : more_descriptors)
    bytes += memory_of(descriptor);
  return bytes;
}

} // namespace hearthscope
