// SPDX-License-Identifier: Apache-2.0
//
// The loaded BPF programs and maps: opened from the embedded object, configured, verified, attached, read.

#pragma once

#include "events.h"
#include "native_error.h"
#include "unwind_table.h"

#include <cstdint>
#include <string>
#include <vector>

struct bpf_link;
struct bpf_object;
struct bpf_program;

namespace hearthscope {

struct BpfConfig {
  uint32_t excluded_tgid = 0; // 0: no process
  bool follow = false;
  uint32_t sample_ring_bytes = 0; // a power of two, a multiple of the page size
  uint32_t max_processes = DEFAULT_MAX_PROCESSES;
  uint64_t max_unwind_bytes = 0; // below one part: one part
};

struct ProgramStats {
  std::string name;
  uint64_t run_time_nanos = 0; // 0 unless the kernel keeps BPF statistics
  uint64_t run_count = 0;
  uint32_t verified_instructions = 0; // 0 before kernel 5.16
};

class BpfObject {
public:
  BpfObject() = default;
  ~BpfObject();
  BpfObject(const BpfObject &) = delete;
  BpfObject &operator=(const BpfObject &) = delete;

  // Opens, sets the read-only configuration and has the kernel verify the programs.
  MaybeError load(const BpfConfig &config);

  // Attaches the programs on the life of processes; the sampling program is attached by PerfEvents.
  MaybeError attach_tracepoints();

  // Detaches the programs and gives the maps back. Memory shared with the programs stays readable here.
  void unload();

  bpf_program *sampling_program() const;
  int map_descriptor(const char *name) const;

  // The counters of each possible CPU. Empty when the kernel refuses the read.
  std::vector<cpu_counters> counters_by_cpu() const;

  std::vector<ProgramStats> program_stats() const;

  // Maps the rules into memory; they are the programs' until this object ends.
  MaybeError map_unwind_rules();
  unwind_rule *unwind_rules() const { return unwind_rules_; }

  // Makes a part of the arena and shows it to the programs: its descriptor, which the caller closes, or a negative errno.
  int add_unwind_part(uint32_t part);

  // Tells the programs of the mappings of a process; 0 or a negative errno. They know nothing of a process that has not
  // been sampled, and take nothing from before its last exec: neither is an error.
  int publish_mappings(const process_mappings &mappings);
  // Has the process announced when it is sampled next: what was published of its mappings may be wrong. For any thread.
  void void_mappings(uint32_t pid);

  // Memory of all maps, and of these, as the kernel accounts for it.
  uint64_t map_bytes(const std::vector<int> &more_descriptors) const;

private:
  bpf_object *object_ = nullptr;
  std::vector<bpf_link *> links_;
  unwind_rule *unwind_rules_ = nullptr;
};

} // namespace hearthscope
