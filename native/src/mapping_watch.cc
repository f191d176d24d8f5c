// SPDX-License-Identifier: Apache-2.0

#include "mapping_watch.h"

#include "perf_events.h"
#include "thread_priority.h"
#include "wait_set.h"

#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hearthscope {
namespace {

size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

size_t ring_bytes() { return (1 + kMappingRingPages) * page_bytes(); }

// PERF_RECORD_MMAP up to the name of what was mapped.
struct MappedRecord {
  perf_event_header header;
  uint32_t pid, tid;
  uint64_t address, bytes, page_offset;
};

struct LostRecord {
  perf_event_header header;
  uint64_t id, lost;
};

// A JIT maps memory without a file all the time, and none of it takes the place of a table.
bool is_file(const char *name) {
  return name[0] == '/' && std::strncmp(name, "//anon", 6) && std::strncmp(name, "/memfd:", 7) &&
         std::strncmp(name, "/dev/zero", 9);
}

} // namespace

MaybeError MappingWatch::start() {
  wake_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_descriptor_ = wait_set({wake_descriptor_});
  if (epoll_descriptor_ < 0)
    return system_error("could not wait for mappings", errno);
  thread_ = std::thread([this] { run(); });
  return {};
}

void MappingWatch::stop() {
  if (thread_.joinable()) {
    stopping_ = true;
    eventfd_write(wake_descriptor_, 1);
    thread_.join();
  }
  for (const auto &[cpu, ring] : rings_)
    close_ring(ring);
  rings_.clear();
  for (int *descriptor : {&epoll_descriptor_, &wake_descriptor_}) {
    if (*descriptor >= 0)
      close(*descriptor);
    *descriptor = -1;
  }
}

void MappingWatch::run() {
  pthread_setname_np(pthread_self(), "hearth-maps");
  urgent_thread().start();
  auto next_look_at_cpus = std::chrono::steady_clock::now();
  while (!stopping_) {
    if (std::chrono::steady_clock::now() >= next_look_at_cpus) {
      watch_online_cpus();
      next_look_at_cpus = std::chrono::steady_clock::now() + kCpuCheckInterval;
    }
    wait_for_any(epoll_descriptor_, wake_descriptor_, std::chrono::milliseconds(kCpuCheckInterval).count());
    tell_of_mappings();
    if (!stopping_)
      std::this_thread::sleep_for(kMappingPause);
  }
}

void MappingWatch::watch_online_cpus() {
  std::vector<uint32_t> cpus = online_cpus();
  for (uint32_t cpu : cpus)
    if (!rings_.count(cpu) && !open(cpu))
      failures_++;
  for (auto entry = rings_.begin(); entry != rings_.end();) {
    if (std::find(cpus.begin(), cpus.end(), entry->first) == cpus.end()) {
      close_ring(entry->second);
      entry = rings_.erase(entry);
    } else {
      ++entry;
    }
  }
}

bool MappingWatch::open(uint32_t cpu) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap = 1; // executable ones only
  attributes.watermark = 1;
  attributes.wakeup_watermark = 1;
  int descriptor =
      static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, static_cast<int>(cpu), -1, PERF_FLAG_FD_CLOEXEC));
  if (descriptor < 0)
    return false;
  void *memory = mmap(nullptr, ring_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) {
    close(descriptor);
    return false;
  }
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.fd = descriptor;
  rings_[cpu] = {descriptor, memory};
  return epoll_ctl(epoll_descriptor_, EPOLL_CTL_ADD, descriptor, &interest) == 0;
}

void MappingWatch::close_ring(const Ring &ring) {
  munmap(ring.memory, ring_bytes());
  close(ring.descriptor);
}

void MappingWatch::tell_of_mappings() {
  std::vector<uint32_t> pids;
  for (const auto &[cpu, ring] : rings_)
    read(ring, pids);
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  for (uint32_t pid : pids)
    mapped_(pid);
}

void MappingWatch::read(const Ring &ring, std::vector<uint32_t> &pids) {
  auto *control = static_cast<perf_event_mmap_page *>(ring.memory);
  const char *data = static_cast<const char *>(ring.memory) + page_bytes();
  const uint64_t size = kMappingRingPages * page_bytes();
  uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
  uint64_t tail = control->data_tail;
  std::vector<char> record;
  while (tail < head) {
    // Records are aligned to eight bytes, so a header never wraps, but what follows may.
    auto *header = reinterpret_cast<const perf_event_header *>(data + tail % size);
    if (header->size < sizeof(*header))
      break;
    record.resize(header->size + 1);
    uint64_t first = std::min<uint64_t>(header->size, size - tail % size);
    std::memcpy(record.data(), header, first);
    std::memcpy(record.data() + first, data, header->size - first);
    record.back() = 0;
    if (header->type == PERF_RECORD_MMAP && header->size > sizeof(MappedRecord)) {
      auto *mapped = reinterpret_cast<const MappedRecord *>(record.data());
      if (is_file(record.data() + sizeof(MappedRecord)))
        pids.push_back(mapped->pid);
    } else if (header->type == PERF_RECORD_LOST && header->size >= sizeof(LostRecord)) {
      lost_ += reinterpret_cast<const LostRecord *>(record.data())->lost;
    }
    tail += header->size;
  }
  __atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
}

} // namespace hearthscope
