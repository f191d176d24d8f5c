// SPDX-License-Identifier: Apache-2.0
//
// Turns aggregated stacks and process events into what JS reads: typed arrays, and objects for the few events.

#pragma once

#include "sampler.h"

#include <napi.h>

#include <vector>

namespace hearthscope {

// The columns of `SampleBatch` in native/lib/index.ts.
Napi::Object batch_to_js(Napi::Env env, const Batch &batch, uint32_t frequency_hz);

// An array of `ProcessEvent`.
Napi::Array events_to_js(Napi::Env env, const std::vector<ObservedEvent> &events);

} // namespace hearthscope
