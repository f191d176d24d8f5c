// SPDX-License-Identifier: Apache-2.0
//
// The compiled BPF programs, linked into the addon so that the two can never be of different versions.

#pragma once

#include <cstddef>

namespace hearthscope {

struct EmbeddedObject {
  const void *data;
  size_t size;
};

EmbeddedObject embedded_bpf_object();

} // namespace hearthscope
