// SPDX-License-Identifier: Apache-2.0

#include "embedded_object.h"

// libbpf reads the ELF headers in place and wants them aligned.
asm(".section .rodata\n"
    ".balign 16\n"
    ".global hearthscope_bpf_object\n"
    ".hidden hearthscope_bpf_object\n"
    "hearthscope_bpf_object:\n"
    ".incbin \"" BPF_OBJECT_PATH "\"\n"
    ".global hearthscope_bpf_object_end\n"
    ".hidden hearthscope_bpf_object_end\n"
    "hearthscope_bpf_object_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" {
__attribute__((visibility("hidden"))) extern const char hearthscope_bpf_object[];
__attribute__((visibility("hidden"))) extern const char hearthscope_bpf_object_end[];
}

namespace hearthscope {

EmbeddedObject embedded_bpf_object() {
  return {hearthscope_bpf_object, static_cast<size_t>(hearthscope_bpf_object_end - hearthscope_bpf_object)};
}

} // namespace hearthscope
