// SPDX-License-Identifier: Apache-2.0

#include "batch_arrays.h"

#include <cstring>
#include <map>
#include <string>

namespace hearthscope {
namespace {

std::string comm_of(const char (&comm)[COMM_BYTES]) { return std::string(comm, strnlen(comm, sizeof(comm))); }

const char *const kEventKinds[] = {"first-seen", "exec", "mapped", "exit", "needs-table"};

Napi::Value snapshot_to_js(Napi::Env env, const ProcessSnapshot &snapshot) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("exe", snapshot.executable);
  object.Set("cgroup", snapshot.cgroup);
  object.Set("mapsTruncated", snapshot.mappings_truncated);
  Napi::Array mappings = Napi::Array::New(env, snapshot.mappings.size());
  uint32_t index = 0;
  for (const Mapping &mapping : snapshot.mappings) {
    Napi::HandleScope scope(env);
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("start", Napi::BigInt::New(env, mapping.start));
    entry.Set("limit", Napi::BigInt::New(env, mapping.limit));
    entry.Set("fileOffset", Napi::BigInt::New(env, mapping.file_offset));
    entry.Set("device", mapping.device);
    entry.Set("inode", Napi::BigInt::New(env, mapping.inode));
    entry.Set("path", mapping.path);
    mappings.Set(index++, entry);
  }
  object.Set("mappings", mappings);
  return object;
}

} // namespace

Napi::Object batch_to_js(Napi::Env env, const Batch &batch, uint32_t frequency_hz) {
  static const std::vector<StackTable::Entry> none;
  const auto &entries = batch.stacks ? batch.stacks->entries() : none;
  size_t length = entries.size();
  size_t total_frames = 0;
  for (const auto &entry : entries)
    total_frames += (entry.size - SAMPLE_HEADER_BYTES) / sizeof(uint64_t);

  auto pid = Napi::Uint32Array::New(env, length);
  auto tid = Napi::Uint32Array::New(env, length);
  auto start_time = Napi::BigUint64Array::New(env, length);
  auto cgroup_id = Napi::BigUint64Array::New(env, length);
  auto comm = Napi::Uint32Array::New(env, length);
  auto stop_reason = Napi::Uint8Array::New(env, length);
  auto kernel_thread = Napi::Uint8Array::New(env, length);
  auto kernel_frames = Napi::Uint16Array::New(env, length);
  auto generation = Napi::Uint16Array::New(env, length);
  auto frame_start = Napi::Uint32Array::New(env, length + 1);
  auto frames = Napi::BigUint64Array::New(env, total_frames);
  auto count = Napi::Uint32Array::New(env, length);

  // Node-API hands out the memory by a call per access: fetch each array's address once.
  uint32_t *pids = pid.Data(), *tids = tid.Data(), *comm_indexes = comm.Data(), *counts = count.Data();
  uint32_t *frame_starts = frame_start.Data();
  uint64_t *start_times = start_time.Data(), *cgroup_ids = cgroup_id.Data(), *all_frames = frames.Data();
  uint8_t *stop_reasons = stop_reason.Data(), *kernel_threads = kernel_thread.Data();
  uint16_t *kernel_counts = kernel_frames.Data(), *generations = generation.Data();

  std::map<std::string, uint32_t> comms;
  uint32_t next_frame = 0;
  for (size_t i = 0; i < length; i++) {
    const sample_record *record = batch.stacks->record(entries[i]);
    uint32_t frame_count = (entries[i].size - SAMPLE_HEADER_BYTES) / sizeof(uint64_t);
    const sample_header &header = record->header;
    pids[i] = header.tgid;
    tids[i] = header.tid;
    start_times[i] = header.start_time_nanos;
    cgroup_ids[i] = header.cgroup_id;
    comm_indexes[i] = comms.try_emplace(comm_of(header.comm), comms.size()).first->second;
    stop_reasons[i] = header.stop_reason;
    kernel_threads[i] = header.kernel_thread;
    kernel_counts[i] = header.kernel_frames;
    generations[i] = header.generation;
    counts[i] = entries[i].count;
    frame_starts[i] = next_frame;
    if (frame_count)
      std::memcpy(all_frames + next_frame, record->frames, frame_count * sizeof(uint64_t));
    next_frame += frame_count;
  }
  frame_starts[length] = next_frame;

  Napi::Array comm_names = Napi::Array::New(env, comms.size());
  for (const auto &[name, index] : comms)
    comm_names.Set(index, name);

  Napi::Object object = Napi::Object::New(env);
  object.Set("startUnixNanos", Napi::BigInt::New(env, batch.start_unix_nanos));
  object.Set("endUnixNanos", Napi::BigInt::New(env, batch.end_unix_nanos));
  object.Set("frequencyHz", frequency_hz);
  object.Set("length", static_cast<double>(length));
  object.Set("pid", pid);
  object.Set("tid", tid);
  object.Set("startTimeNanos", start_time);
  object.Set("cgroupId", cgroup_id);
  object.Set("comm", comm);
  object.Set("comms", comm_names);
  object.Set("stopReason", stop_reason);
  object.Set("kernelThread", kernel_thread);
  object.Set("kernelFrameCount", kernel_frames);
  object.Set("generation", generation);
  object.Set("frameStart", frame_start);
  object.Set("frames", frames);
  object.Set("count", count);
  return object;
}

Napi::Array events_to_js(Napi::Env env, const std::vector<ObservedEvent> &events) {
  Napi::Array array = Napi::Array::New(env, events.size());
  uint32_t index = 0;
  for (const ObservedEvent &observed : events) {
    Napi::HandleScope scope(env);
    const process_event &event = observed.event;
    Napi::Object object = Napi::Object::New(env);
    object.Set("kind", kEventKinds[event.kind]);
    object.Set("pid", event.tgid);
    object.Set("startTimeNanos", Napi::BigInt::New(env, static_cast<uint64_t>(event.start_time_nanos)));
    object.Set("comm", comm_of(event.comm));
    object.Set("kernelThread", event.kernel_thread != 0);
    object.Set("generation", static_cast<uint32_t>(event.generation));
    object.Set("address", Napi::BigInt::New(env, static_cast<uint64_t>(event.address)));
    object.Set("snapshot", observed.snapshot ? snapshot_to_js(env, *observed.snapshot) : env.Null());
    array.Set(index++, object);
  }
  return array;
}

} // namespace hearthscope
