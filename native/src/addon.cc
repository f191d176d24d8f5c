// SPDX-License-Identifier: Apache-2.0
//
// The addon's door: one class and a few functions for native/lib/index.ts, which checks every argument first.
// Node-API only, no exceptions: errors are JS errors with `code` (errno name is left to JS) and `log`.

#include "batch_arrays.h"
#include "column_arguments.h"
#include "feature_probes.h"
#include "libbpf_log.h"
#include "memory_trim.h"
#include "sampler.h"
#include "walk_simulation.h"

#include <bpf/libbpf.h>
#include <napi.h>

#include <algorithm>
#include <memory>
#include <variant>
#include <vector>

namespace hearthscope {
namespace {

void throw_to_js(Napi::Env env, const NativeError &failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("errorNumber", Napi::Number::New(env, failure.error_number));
  error.Set("log", Napi::String::New(env, failure.log));
  error.ThrowAsJavaScriptException();
}

uint32_t uint32_of(const Napi::Object &object, const char *name) {
  return object.Get(name).As<Napi::Number>().Uint32Value();
}

bool bool_of(const Napi::Object &object, const char *name) { return object.Get(name).As<Napi::Boolean>().Value(); }

FollowedProcess followed_of(const Napi::Object &object) {
  return {uint32_of(object, "pid"), bool_of(object, "sampleItself")};
}

SamplingEvent event_of(const std::string &name) {
  return name == "cycles" ? SamplingEvent::kCycles
         : name == "cpu-clock" ? SamplingEvent::kCpuClock
                               : SamplingEvent::kAutomatic;
}

SamplerConfig config_of(const Napi::Object &options) {
  SamplerConfig config{};
  config.frequency_hz = uint32_of(options, "frequencyHz");
  config.ring_bytes = uint32_of(options, "ringBytes");
  config.drain_interval_millis = uint32_of(options, "drainIntervalMillis");
  config.max_stacks_per_batch = uint32_of(options, "maxStacksPerBatch");
  config.max_batch_bytes = uint32_of(options, "maxBatchBytes");
  config.max_processes = uint32_of(options, "maxProcesses");
  config.max_unwind_bytes = options.Get("maxUnwindBytes").As<Napi::Number>().Int64Value();
  config.max_captured_bytes = options.Get("maxCapturedBytes").As<Napi::Number>().Int64Value();
  config.event = event_of(options.Get("event").As<Napi::String>().Utf8Value());
  config.exclude_self = bool_of(options, "excludeSelf");
  config.run_statistics = bool_of(options, "runStatistics");
  Napi::Value follow = options.Get("follow");
  config.follow = follow.IsArray();
  if (config.follow) {
    Napi::Array list = follow.As<Napi::Array>();
    for (uint32_t index = 0; index < list.Length(); index++)
      config.followed.push_back(followed_of(list.Get(index).As<Napi::Object>()));
  }
  return config;
}

class SamplerObject : public Napi::ObjectWrap<SamplerObject> {
public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeSampler",
                       {
                           InstanceMethod("cutBatch", &SamplerObject::cut_batch),
                           InstanceMethod("takeBatch", &SamplerObject::take_batch),
                           InstanceMethod("takeEvents", &SamplerObject::take_events),
                           InstanceMethod("counters", &SamplerObject::counters),
                           InstanceMethod("onlineCpus", &SamplerObject::online_cpus),
                           InstanceMethod("programStats", &SamplerObject::program_stats),
                           InstanceMethod("follow", &SamplerObject::follow),
                           InstanceMethod("unfollow", &SamplerObject::unfollow),
                           InstanceMethod("addUnwindTable", &SamplerObject::add_unwind_table),
                           InstanceMethod("removeUnwindTable", &SamplerObject::remove_unwind_table),
                           InstanceMethod("setProcessMappings", &SamplerObject::set_process_mappings),
                           InstanceMethod("forgetProcess", &SamplerObject::forget_process),
                           InstanceMethod("unwindUsage", &SamplerObject::unwind_usage),
                           InstanceMethod("event", &SamplerObject::event),
                           InstanceMethod("stop", &SamplerObject::stop),
                       });
  }

  // new NativeSampler(options, onEvents): samples until stop().
  explicit SamplerObject(const Napi::CallbackInfo &info) : Napi::ObjectWrap<SamplerObject>(info) {
    Napi::Env env = info.Env();
    SamplerConfig config = config_of(info[0].As<Napi::Object>());
    frequency_hz_ = config.frequency_hz;
    notifier_ = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "hearthscope events", 0, 1);
    notifier_.Unref(env); // a sampler does not keep the process alive
    notifier_open_ = true;
    sampler_ = std::make_unique<Sampler>(std::move(config), [this] { notifier_.NonBlockingCall(); });
    MaybeError error = sampler_->start();
    if (error) {
      shut_down();
      throw_to_js(env, *error);
      return;
    }
    napi_add_env_cleanup_hook(env, on_environment_end, this);
    has_cleanup_hook_ = true;
  }

  ~SamplerObject() override {
    if (has_cleanup_hook_)
      napi_remove_env_cleanup_hook(Env(), on_environment_end, this);
    shut_down();
  }

private:
  // The environment (a worker, or the process) ends while sampling: the thread must not outlive it.
  static void on_environment_end(void *self) {
    auto *object = static_cast<SamplerObject *>(self);
    object->has_cleanup_hook_ = false;
    object->shut_down();
  }

  void shut_down() {
    sampler_->stop();
    if (notifier_open_)
      notifier_.Release();
    notifier_open_ = false;
  }

  Napi::Value cut_batch(const Napi::CallbackInfo &info) {
    sampler_->cut_batch();
    return info.Env().Undefined();
  }

  Napi::Value take_batch(const Napi::CallbackInfo &info) {
    return batch_to_js(info.Env(), sampler_->take_batch(), frequency_hz_);
  }

  Napi::Value take_events(const Napi::CallbackInfo &info) {
    return events_to_js(info.Env(), sampler_->take_events(info[0].As<Napi::Number>().Uint32Value()));
  }

  Napi::Value counters(const Napi::CallbackInfo &info) {
    Napi::Object object = Napi::Object::New(info.Env());
    for (const auto &[name, value] : sampler_->counters())
      object.Set(name, static_cast<double>(value));
    return object;
  }

  Napi::Value online_cpus(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> cpus = sampler_->cpus();
    Napi::Array array = Napi::Array::New(info.Env(), cpus.size());
    for (uint32_t index = 0; index < cpus.size(); index++)
      array.Set(index, cpus[index]);
    return array;
  }

  Napi::Value program_stats(const Napi::CallbackInfo &info) {
    Napi::Object object = Napi::Object::New(info.Env());
    for (const ProgramStats &program : sampler_->program_stats()) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("runTimeNanos", static_cast<double>(program.run_time_nanos));
      entry.Set("runCount", static_cast<double>(program.run_count));
      entry.Set("verifiedInstructions", program.verified_instructions);
      object.Set(program.name, entry);
    }
    return object;
  }

  Napi::Value follow(const Napi::CallbackInfo &info) {
    if (MaybeError error = sampler_->follow(followed_of(info[0].As<Napi::Object>())))
      throw_to_js(info.Env(), *error);
    return info.Env().Undefined();
  }

  Napi::Value unfollow(const Napi::CallbackInfo &info) {
    sampler_->unfollow(info[0].As<Napi::Number>().Uint32Value());
    return info.Env().Undefined();
  }

  Napi::Value add_unwind_table(const Napi::CallbackInfo &info) {
    auto result = sampler_->add_unwind_table(table_columns_of(info[0].As<Napi::Object>()));
    if (const NativeError *error = std::get_if<NativeError>(&result)) {
      throw_to_js(info.Env(), *error);
      return info.Env().Undefined();
    }
    return Napi::Number::New(info.Env(), std::get<uint32_t>(result));
  }

  Napi::Value remove_unwind_table(const Napi::CallbackInfo &info) {
    if (MaybeError error = sampler_->remove_unwind_table(info[0].As<Napi::Number>().Uint32Value()))
      throw_to_js(info.Env(), *error);
    return info.Env().Undefined();
  }

  // (pid, startTimeNanos, generation, mappings)
  Napi::Value set_process_mappings(const Napi::CallbackInfo &info) {
    if (MaybeError error = sampler_->set_process_mappings(
            info[0].As<Napi::Number>().Uint32Value(), uint64_of(info[1]), info[2].As<Napi::Number>().Uint32Value(),
            mapping_columns_of(info[3].As<Napi::Object>())))
      throw_to_js(info.Env(), *error);
    return info.Env().Undefined();
  }

  Napi::Value forget_process(const Napi::CallbackInfo &info) {
    sampler_->forget_process(info[0].As<Napi::Number>().Uint32Value(), uint64_of(info[1]));
    return info.Env().Undefined();
  }

  Napi::Value unwind_usage(const Napi::CallbackInfo &info) {
    UnwindUsage usage = sampler_->unwind_usage();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("tableBytes", static_cast<double>(usage.table_bytes));
    object.Set("ruleCount", usage.rule_count);
    object.Set("tables", static_cast<double>(usage.tables));
    object.Set("processes", static_cast<double>(usage.processes));
    object.Set("capturedBytes", static_cast<double>(usage.captured_bytes));
    object.Set("bpfMapBytes", static_cast<double>(sampler_->bpf_map_bytes()));
    return object;
  }

  Napi::Value event(const Napi::CallbackInfo &info) { return Napi::String::New(info.Env(), sampler_->event_name()); }

  Napi::Value stop(const Napi::CallbackInfo &info) {
    shut_down();
    return info.Env().Undefined();
  }

  uint32_t frequency_hz_ = 0;
  Napi::ThreadSafeFunction notifier_;
  bool notifier_open_ = false;
  bool has_cleanup_hook_ = false;
  std::unique_ptr<Sampler> sampler_;
};

Napi::Value probe_features_to_js(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  capture_libbpf_log();
  std::vector<FeatureProbe> probes = probe_features();
  Napi::Array array = Napi::Array::New(env, probes.size());
  for (uint32_t index = 0; index < probes.size(); index++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", probes[index].name);
    entry.Set("available", probes[index].available);
    entry.Set("required", probes[index].required);
    entry.Set("detail", probes[index].detail);
    entry.Set("lostWithout", probes[index].lost_without);
    array.Set(index, entry);
  }
  return array;
}

Napi::Value host_pid_namespace_to_js(const Napi::CallbackInfo &info) {
  return Napi::Boolean::New(info.Env(), in_host_pid_namespace());
}

Napi::Value trim_memory_from_js(const Napi::CallbackInfo &info) {
  trim_memory();
  return info.Env().Undefined();
}

// For tests: (machine, stack, tables, mappings) => { frames, stop }.
Napi::Value simulate_walk_to_js(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  std::vector<UnwindTableColumns> tables;
  auto list = info[2].As<Napi::Array>();
  for (uint32_t index = 0; index < list.Length(); index++)
    tables.push_back(table_columns_of(list.Get(index).As<Napi::Object>()));
  auto result = simulate_walk(info[0].As<Napi::String>().Utf8Value() == "arm64", kept_stack_of(info[1].As<Napi::Object>()),
                              tables, mapping_columns_of(info[3].As<Napi::Object>()));
  if (const NativeError *error = std::get_if<NativeError>(&result)) {
    throw_to_js(env, *error);
    return env.Undefined();
  }
  const WalkedStack &walked = std::get<WalkedStack>(result);
  auto frames = Napi::BigUint64Array::New(env, walked.frames.size());
  std::copy(walked.frames.begin(), walked.frames.end(), frames.Data());
  Napi::Object object = Napi::Object::New(env);
  object.Set("frames", frames);
  object.Set("stop", walked.stop);
  return object;
}

Napi::Array stop_reason_names(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
#define X(upper, lower) names.Set(names.Length(), #lower);
  STOP_REASON_LIST(X)
#undef X
  return names;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeSampler", SamplerObject::define(env));
  exports.Set("probeFeatures", Napi::Function::New(env, probe_features_to_js));
  exports.Set("inHostPidNamespace", Napi::Function::New(env, host_pid_namespace_to_js));
  exports.Set("trimMemory", Napi::Function::New(env, trim_memory_from_js));
  exports.Set("simulateWalk", Napi::Function::New(env, simulate_walk_to_js));
  exports.Set("libbpfVersion", libbpf_version_string());
  exports.Set("stopReasons", stop_reason_names(env));
  return exports;
}

} // namespace
} // namespace hearthscope

Napi::Object initialize_hearthscope(Napi::Env env, Napi::Object exports) {
  return hearthscope::initialize(env, exports);
}

NODE_API_MODULE(hearthscope, initialize_hearthscope)
