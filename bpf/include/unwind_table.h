// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How unwind tables and the mappings of processes lie in the maps that the addon fills and the programs read.
//
// One arena of 4-byte cells holds them all. It is an array of parts, each an array map that the addon maps into its
// memory and writes without system calls; a part has 64 values of 64 KiB. What a search runs over (the rows of a
// page, the mappings of a process) never crosses a value, so one lookup gives a pointer to all of it.
//
//   cell number   | part            | value (6 bits) | cell in the value (14 bits) |
//
//   table         unwind_page[pages]        may cross values; even cell, so that an entry does not
//                   └▶ row[row_count]       u32: low 12 bits of the address from which it holds | rule << 16, ascending
//                        └▶ unwind_rule     in the map `unwind_rules`, shared by all tables of the host
//   process       known_process             in the hash `processes` (process_table.h)
//                   └▶ unwind_mapping[n]    ascending, at most MAX_PROCESS_MAPPINGS
//                        └▶ unwind_page     of the mapping's first page

#ifndef HEARTHSCOPE_UNWIND_TABLE_H
#define HEARTHSCOPE_UNWIND_TABLE_H

#include <linux/types.h>

#include "layout_assert.h"

#define CELL_BYTES 4
#define CELLS_PER_VALUE (16 * 1024)
#define VALUES_PER_PART 64
#define CELLS_PER_PART (CELLS_PER_VALUE * VALUES_PER_PART)
#define VALUE_BYTES (CELLS_PER_VALUE * CELL_BYTES)

#define CELL_PART(cell) ((cell) / CELLS_PER_PART)
#define CELL_VALUE(cell) (((cell) / CELLS_PER_VALUE) % VALUES_PER_PART)
#define CELL_OFFSET(cell) ((cell) % CELLS_PER_VALUE)

#define TABLE_PAGE_BYTES 4096
#define MAX_PAGE_ROWS 4096
#define MAX_UNWIND_RULES 32768
#define MAX_PROCESS_MAPPINGS 4096

enum cfa_kind {
  CFA_REGISTER, // R[cfa_register] + cfa_offset
  CFA_DEREF,    // *(R[cfa_register] + cfa_offset) + cfa_add
  CFA_PLT,      // sp + 8 + ((pc & 15) >= cfa_offset ? 8 : 0)
  CFA_INDEXED,  // *(R[cfa_register] + R[cfa_add & 0xff] * 8 + cfa_offset) + (cfa_add >> 8)
};

enum fp_kind {
  FP_SAME,
  FP_AT_CFA,      // *(cfa + fp_offset)
  FP_AT_REGISTER, // *(R[fp_register] + fp_offset)
  FP_IN_REGISTER, // R[fp_register]
  FP_UNKNOWN,     // the caller's rule must not use it
};

enum ra_kind {
  RA_AT_CFA,      // *(cfa + ra_offset)
  RA_IN_REGISTER, // R[ra_register]
  RA_AT_REGISTER, // *(R[ra_register] + ra_offset)
};

// fp_register of rules whose fp_kind needs none, on x86-64: where the caller's rbx is, as a signed byte. 0: still in its
// register; LOST_RBX_SLOT: lost; else at cfa + 8 * slot.
#define LOST_RBX_SLOT (-128)

// Registers have their DWARF numbers.
struct unwind_rule {
  __u8 cfa_kind;
  __u8 cfa_register;
  __u8 fp_kind;
  __u8 ra_kind;
  __s32 cfa_offset;
  __s16 cfa_add;
  __s16 fp_offset;
  __s16 ra_offset;
  __u8 fp_register;
  __u8 ra_register;
};

LAYOUT_ASSERT(sizeof(struct unwind_rule) == 16, "rule size");
LAYOUT_ASSERT(MEMBER_OFFSET(struct unwind_rule, cfa_offset) == 4, "rule CFA offset");
LAYOUT_ASSERT(MEMBER_OFFSET(struct unwind_rule, ra_offset) == 12, "rule return address offset");
LAYOUT_ASSERT(MEMBER_OFFSET(struct unwind_rule, ra_register) == 15, "rule return address register");

// In place of a rule's number.
#define UNWIND_COMMAND 0x8000
enum unwind_command {
  UNWIND_UNKNOWN = UNWIND_COMMAND, // no information: a validated frame-pointer step
  UNWIND_END,                      // outermost frame
  UNWIND_SIGNAL,                   // signal trampoline: all registers lie in the ucontext at the stack pointer
  UNWIND_FRAME_POINTER,            // a frame-pointer step that needs no validation
  UNWIND_GO_ASMCGOCALL,            // Go's switch to the system stack: depth and g lie at the stack pointer
  UNWIND_UNSUPPORTED,              // there is information that no rule can express
  // In no table; what the mapping itself says.
  UNWIND_ANONYMOUS, // as UNKNOWN, where there is no file
  UNWIND_PENDING,   // the table is not built yet
};

struct unwind_page {
  __u32 first_cell;
  __u16 row_count;
  __u16 rule_before; // in effect at the page's first byte
};

LAYOUT_ASSERT(sizeof(struct unwind_page) == 8, "page size");

// In place of the first page's cell. Frame pointers, as there is no file: JIT code, anonymous memory.
#define MAPPING_ANONYMOUS 0xffffffffu
// The table is not built yet; `asked` once the addon has been told that it is wanted.
#define MAPPING_PENDING 0xfffffffeu
#define MAPPING_PENDING_ASKED 0xfffffffdu
// A file without unwind information here: frame pointers.
#define MAPPING_UNDESCRIBED 0xfffffffcu
#define MAPPING_FIRST_SPECIAL MAPPING_UNDESCRIBED

struct unwind_mapping {
  __u64 start;
  __u32 pages;
  __u32 page_index_cell; // or one of the above
};

LAYOUT_ASSERT(sizeof(struct unwind_mapping) == 16, "mapping size");
LAYOUT_ASSERT(MAX_PROCESS_MAPPINGS * sizeof(struct unwind_mapping) <= VALUE_BYTES, "mappings fit into a value");
LAYOUT_ASSERT(MAX_PAGE_ROWS <= CELLS_PER_VALUE, "the rows of a page fit into a value");

// What the addon tells of a process, and asks the program `publish_mappings` to note.
struct process_mappings {
  __u64 start_time_nanos;
  __u32 tgid;
  __u32 generation; // of the process when the mappings were read
  __u32 version;    // of these mappings: never used before, so that what is remembered of others does not count
  __u32 first_cell; // a multiple of four, or NO_MAPPINGS
  __u32 count;
  __u32 reserved;
};

#define NO_MAPPINGS 0xffffffffu

LAYOUT_ASSERT(sizeof(struct process_mappings) == 32, "process mappings size");

#endif
