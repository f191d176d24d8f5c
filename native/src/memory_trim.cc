// SPDX-License-Identifier: Apache-2.0

#include "memory_trim.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hearthscope {
namespace {

// Private pages that were written must not be dropped, since they would come back as they are in the file. The loader
// writes into read-only segments for text relocations alone.
bool has_text_relocations(const dl_phdr_info &object) {
  for (int index = 0; index < object.dlpi_phnum; index++) {
    const ElfW(Phdr) &header = object.dlpi_phdr[index];
    if (header.p_type != PT_DYNAMIC)
      continue;
    for (auto *entry = reinterpret_cast<const ElfW(Dyn) *>(object.dlpi_addr + header.p_vaddr); entry->d_tag; entry++) {
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
        return true;
    }
  }
  return false;
}

int drop_read_only_segments(dl_phdr_info *object, size_t, void *) {
  if (has_text_relocations(*object))
    return 0;
  const uintptr_t page = sysconf(_SC_PAGESIZE);
  for (int index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) &header = object->dlpi_phdr[index];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W))
      continue;
    // Whole pages of the segment only: it may share its first and last with another one.
    uintptr_t start = (object->dlpi_addr + header.p_vaddr + page - 1) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + header.p_vaddr + header.p_filesz) & ~(page - 1);
    if (start < end)
      madvise(reinterpret_cast<void *>(start), end - start, MADV_DONTNEED);
  }
  return 0;
}

} // namespace

void trim_memory() {
  malloc_trim(0);
  dl_iterate_phdr(drop_read_only_segments, nullptr);
}

} // namespace hearthscope
