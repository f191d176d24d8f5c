// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// One step of the walk of a user stack, from a frame to its caller, by unwind tables. The same code runs in the kernel
// (unwind_user.h) and, for stacks that were kept, in the addon (native/src/stack_walker.cc), there for both architectures.
//
// Who includes it says how memory is read:
//   int walk_read(struct walk *, __u64 address, void *to, __u32 bytes)   user memory; 0 when it could be read
//   __u32 *walk_cells(struct walk *, __u32 cell)                         the CELLS_PER_VALUE cells of the value it lies in, or NULL
//   struct unwind_rule *walk_rule(struct walk *, __u32 index)            or NULL
//
// Written for the verifier: searches are free of branches that depend on data, indexes are masked where they are used,
// and what lives longer than a few lines lies in `struct walk`, where the verifier knows nothing of its value.

#ifndef HEARTHSCOPE_UNWIND_STEP_H
#define HEARTHSCOPE_UNWIND_STEP_H

#include "stop_reasons.h"
#include "walk.h"

// Keeps the compiler from turning arithmetic back into branches.
#define OPAQUE(value) asm volatile("" : "+r"(value))

#define MAX_VALIDATED_FRAME_BYTES (512 * 1024)

// All bits set when a <= b, else none. Both below 2^63.
static __always_inline __u64 mask_if_not_above(__u64 a, __u64 b) {
  __u64 difference = a - b - 1;
  OPAQUE(difference);
  return (__u64)((__s64)difference >> 63);
}

// What the end of a walk means, given what the thread was doing. NO_USER_STACK: whatever was found is no stack.
static __always_inline int meaning_of_stop(const struct walk *walk, int stop, __u32 user_frames) {
  if (stop != STOP_READ_FAILED && stop != STOP_NO_MAPPING && stop != STOP_RETURN_ADDRESS_INVALID &&
      stop != STOP_FRAME_POINTER_INVALID && stop != STOP_NO_UNWIND_INFO && stop != STOP_STACK_NOT_CAPTURED)
    return stop;
  if (walk->system_call == SYSTEM_CALL_EXEC)
    return STOP_NO_USER_STACK;
  return walk->system_call == SYSTEM_CALL_NEW_THREAD && user_frames == 1 ? STOP_END_OF_STACK : stop;
}

// The frame's address: exact in a leaf and where a signal struck, else within the call.
static __always_inline __u64 frame_address(const struct walk *walk) { return walk->pc - walk->frame_bias; }

// Finds the mapping of `address` and leaves it in walk->mapping. False when there is none.
static __always_inline int find_mapping(struct walk *walk, __u64 address) {
  if (address - walk->mapping.start < (__u64)walk->mapping.pages * TABLE_PAGE_BYTES)
    return 1;
  __u32 first = walk->mappings_cell;
  char *value = (char *)walk_cells(walk, first);
  if (!value)
    return 0;
  __u32 base = (CELL_OFFSET(first) * CELL_BYTES) & (VALUE_BYTES - 16);
  __u32 count = walk->mapping_count;
  if (!count)
    return 0;
  for (int i = 0; i < 12; i++) {
    if (count <= 1)
      break;
    __u32 half = count / 2;
    __u32 middle = (base + half * 16) & (VALUE_BYTES - 16);
    __u64 start = ((struct unwind_mapping *)(value + middle))->start;
    __u64 up = mask_if_not_above(start, address);
    base = (base + ((half * 16) & (__u32)up)) & (VALUE_BYTES - 16);
    count -= half;
  }
  const struct unwind_mapping *found = (const struct unwind_mapping *)(value + base);
  if (address - found->start >= (__u64)found->pages * TABLE_PAGE_BYTES)
    return 0;
  walk->mapping = *found;
  walk->mapping_cell = first - CELL_OFFSET(first) + base / CELL_BYTES;
  return 1;
}

// The rule's number or the command that holds at `address`, by the table of walk->mapping, which it lies in.
static __always_inline __u32 find_row(struct walk *walk, __u64 address) {
  __u32 cell = walk->mapping.page_index_cell + (__u32)((address - walk->mapping.start) / TABLE_PAGE_BYTES) * 2;
  __u32 *value = walk_cells(walk, cell);
  if (!value)
    return UNWIND_UNKNOWN;
  const struct unwind_page *page = (const struct unwind_page *)(value + (CELL_OFFSET(cell) & ~1u));
  __u32 count = page->row_count;
  __u32 rule = page->rule_before;
  __u32 base = page->first_cell;
  if (!count)
    return rule;
  value = walk_cells(walk, base);
  if (!value)
    return UNWIND_UNKNOWN;
  base = CELL_OFFSET(base);
  __u64 low = address % TABLE_PAGE_BYTES;
  for (int i = 0; i < 13; i++) {
    if (count <= 1)
      break;
    __u32 half = count / 2;
    __u64 row = *(volatile __u32 *)&value[(base + half) % CELLS_PER_VALUE];
    __u64 up = mask_if_not_above(row & 0xffff, low);
    base = (base + (half & (__u32)up)) % CELLS_PER_VALUE;
    count -= half;
  }
  __u32 row = *(volatile __u32 *)&value[base];
  return (row & 0xffff) <= low ? row >> 16 : rule;
}

// What holds where the walk stands, in walk->mapping: a rule's number or a command.
static __always_inline __u32 find_rule(struct walk *walk) {
  __u32 index = walk->mapping.page_index_cell;
  if (index < MAPPING_FIRST_SPECIAL)
    return find_row(walk, walk->pc - walk->rule_bias);
  if (index == MAPPING_ANONYMOUS)
    return UNWIND_ANONYMOUS;
  return index == MAPPING_UNDESCRIBED ? UNWIND_UNKNOWN : UNWIND_PENDING;
}

static __always_inline int is_known(const struct walk *walk, __u32 number) {
  return number < WALK_REGISTERS && (walk->known >> number) & 1;
}

static __always_inline __u64 register_of(const struct walk *walk, __u32 number) {
  return walk->registers[number & (WALK_REGISTERS - 1)];
}

// Goes to the caller at `pc`, of which the stack pointer and maybe the frame pointer are known.
static __always_inline int enter_caller(struct walk *walk, __u64 pc, __u64 sp) {
  pc = STRIP_POINTER_AUTHENTICATION(pc);
  if (!pc)
    return STOP_END_OF_STACK;
  if (!is_user_address(pc) || (pc == walk->pc && sp == walk->registers[WALK_SP]))
    return STOP_RETURN_ADDRESS_INVALID;
  walk->pc = pc;
  walk->registers[WALK_SP] = sp;
  walk->known &= KNOWN_IN_CALLERS;
  walk->frame_bias = 1;
  walk->rule_bias = 1;
  return WALK_ON;
}

// The frame pointer points at the caller's, and the return address lies above it. `otherwise` says why the walk ends
// where that cannot be, when it is only tried.
static __always_inline int step_by_frame_pointer(struct walk *walk, int validated, int otherwise) {
  __u64 fp = walk->registers[WALK_FP];
  __u64 sp = walk->registers[WALK_SP];
  if (!is_known(walk, WALK_FP))
    return otherwise;
  if (!fp)
    return STOP_END_OF_STACK;
  if (fp % 8 || (validated && fp - sp >= MAX_VALIDATED_FRAME_BYTES))
    return otherwise;
  struct {
    __u64 fp;
    __u64 pc;
  } pair;
  if (walk_read(walk, fp, &pair, sizeof(pair)))
    return validated ? otherwise : STOP_READ_FAILED;
  int stop = enter_caller(walk, pair.pc, fp + 16);
  if (stop != WALK_ON)
    return stop == STOP_RETURN_ADDRESS_INVALID ? otherwise : stop;
  walk->registers[WALK_FP] = pair.fp;
  lose_rbx(walk);
  walk->must_be_mapped = validated;
  return WALK_ON;
}

#if defined(WALK_X86_64)

// Callers are hardly ever asked for their rbx, so it is only noted where it is.
static __always_inline void follow_rbx(struct walk *walk, const struct unwind_rule *rule, __u64 cfa) {
  __u32 kind = rule->fp_kind;
  if (kind == FP_AT_REGISTER || kind == FP_IN_REGISTER) {
    lose_rbx(walk);
  } else if (rule->fp_register) {
    __s64 slot = (__s8)rule->fp_register;
    walk->rbx_address = slot == LOST_RBX_SLOT ? 0 : cfa + slot * 8;
    walk->known &= ~(1u << WALK_RBX);
  }
}

static __always_inline int recover_rbx(struct walk *walk, __u32 number) {
  if (number != WALK_RBX || !walk->rbx_address ||
      walk_read(walk, walk->rbx_address, &walk->registers[WALK_RBX], sizeof(__u64)))
    return 0;
  walk->known |= 1u << WALK_RBX;
  return 1;
}

#else

static __always_inline void follow_rbx(struct walk *walk, const struct unwind_rule *rule, __u64 cfa) {
  (void)walk, (void)rule, (void)cfa;
}

static __always_inline int recover_rbx(struct walk *walk, __u32 number) {
  (void)walk, (void)number;
  return 0;
}

#endif

static __always_inline int step_by_rule(struct walk *walk, const struct unwind_rule *rule) {
  __u64 cfa;
  __u32 kind = rule->cfa_kind;
  if (kind == CFA_PLT) {
    cfa = walk->registers[WALK_SP] + 8 + ((walk->pc & 15) >= (__u64)(__s64)rule->cfa_offset ? 8 : 0);
  } else {
    if (!is_known(walk, rule->cfa_register) && !recover_rbx(walk, rule->cfa_register))
      return STOP_UNSUPPORTED_RULE;
    cfa = register_of(walk, rule->cfa_register) + (__s64)rule->cfa_offset;
    if (kind != CFA_REGISTER) {
      __s64 add = rule->cfa_add;
      if (kind == CFA_INDEXED) {
        __u32 index = rule->cfa_add & 0xff;
        if (!is_known(walk, index))
          return STOP_UNSUPPORTED_RULE;
        cfa += register_of(walk, index) * 8;
        add >>= 8;
      }
      if (walk_read(walk, cfa, &cfa, sizeof(cfa)))
        return STOP_READ_FAILED;
      cfa += add;
    }
  }

  __u64 fp = walk->registers[WALK_FP];
  __u32 fp_kind = rule->fp_kind;
  struct {
    __u64 fp;
    __u64 pc;
  } pair;
  if (fp_kind == FP_AT_CFA && rule->ra_kind == RA_AT_CFA && rule->fp_offset + 8 == rule->ra_offset) {
    if (walk_read(walk, cfa + (__s64)rule->fp_offset, &pair, sizeof(pair)))
      return STOP_READ_FAILED;
    fp = pair.fp;
    walk->known |= 1u << WALK_FP;
  } else {
    __u64 base = cfa;
    if (rule->ra_kind != RA_AT_CFA) {
      if (!is_known(walk, rule->ra_register))
        return STOP_UNSUPPORTED_RULE;
      base = register_of(walk, rule->ra_register);
    }
    if (rule->ra_kind == RA_IN_REGISTER)
      pair.pc = base;
    else if (walk_read(walk, base + (__s64)rule->ra_offset, &pair.pc, sizeof(pair.pc)))
      return STOP_READ_FAILED;
    if (fp_kind == FP_AT_CFA || fp_kind == FP_AT_REGISTER) {
      __u64 address = cfa;
      if (fp_kind == FP_AT_REGISTER) {
        if (!is_known(walk, rule->fp_register))
          return STOP_UNSUPPORTED_RULE;
        address = register_of(walk, rule->fp_register);
      }
      if (walk_read(walk, address + (__s64)rule->fp_offset, &fp, sizeof(fp)))
        return STOP_READ_FAILED;
      walk->known |= 1u << WALK_FP;
    } else if (fp_kind == FP_IN_REGISTER) {
      fp = register_of(walk, rule->fp_register);
      if (is_known(walk, rule->fp_register))
        walk->known |= 1u << WALK_FP;
      else
        walk->known &= ~(1u << WALK_FP);
    } else if (fp_kind == FP_UNKNOWN) {
      walk->known &= ~(1u << WALK_FP);
    }
  }
  follow_rbx(walk, rule, cfa);
  int stop = enter_caller(walk, pair.pc, cfa);
  walk->registers[WALK_FP] = fp;
  return stop;
}

// Where the walk stands now a signal struck: nothing has been pushed there, so its pc is exact and all is known.
static __always_inline int step_over_signal(struct walk *walk) {
  if (walk_read(walk, walk->registers[WALK_SP] + SIGNAL_REGISTERS_OFFSET, walk->signal_registers,
                sizeof(walk->signal_registers)))
    return STOP_READ_FAILED;
  load_signal_registers(walk);
  if (!is_user_address(walk->pc))
    return STOP_RETURN_ADDRESS_INVALID;
  walk->known = ALL_WALK_REGISTERS;
  walk->frame_bias = 0;
  walk->rule_bias = 0;
  return WALK_ON;
}

#if defined(WALK_X86_64)

// asmcgocall (from Go 1.22 on) has pushed its caller's frame pointer, and keeps the stack pointer of after that.
static __always_inline int leave_go_asmcgocall(struct walk *walk, __u64 sp) {
  __u64 pair[2];
  if (walk_read(walk, sp, pair, sizeof(pair)))
    return STOP_READ_FAILED;
  int stop = enter_caller(walk, pair[1], sp + 16);
  walk->registers[WALK_FP] = pair[0];
  walk->known |= 1u << WALK_FP;
  return stop;
}

#else

// asmcgocall has a frame of 16 bytes, lr at the old stack pointer, and its caller's frame pointer below.
static __always_inline int leave_go_asmcgocall(struct walk *walk, __u64 sp) {
  __u64 pair[2];
  if (walk_read(walk, sp - 8, pair, sizeof(pair)))
    return STOP_READ_FAILED;
  int stop = enter_caller(walk, pair[1], sp + 16);
  walk->registers[WALK_FP] = pair[0];
  walk->known |= 1u << WALK_FP;
  return stop;
}

#endif

static __always_inline int step_over_go_asmcgocall(struct walk *walk) {
  __u64 saved[2];
  if (walk_read(walk, walk->registers[WALK_SP], saved, sizeof(saved)))
    return STOP_READ_FAILED;
  // Without a g the old stack pointer itself is there. A stack may move during the call, so else it is kept as a
  // distance from the end of the stack, the second word of g.
  __u64 sp = saved[GO_SAVED_DEPTH];
  if (saved[GO_SAVED_G]) {
    __u64 end;
    if (walk_read(walk, saved[GO_SAVED_G] + 8, &end, sizeof(end)))
      return STOP_READ_FAILED;
    sp = end - sp;
  }
  return leave_go_asmcgocall(walk, sp);
}

// One step from the frame at walk->pc to its caller, by what find_rule() has found. WALK_ON, or why it ends here.
static __always_inline int step(struct walk *walk, __u32 number) {
  walk->must_be_mapped = 0;
  if (number < UNWIND_COMMAND) {
    const struct unwind_rule *rule = walk_rule(walk, number);
    return rule ? step_by_rule(walk, rule) : STOP_UNSUPPORTED_RULE;
  }
  if (number == UNWIND_FRAME_POINTER)
    return step_by_frame_pointer(walk, 0, STOP_FRAME_POINTER_INVALID);
  if (number == UNWIND_UNKNOWN)
    return step_by_frame_pointer(walk, 1, STOP_NO_UNWIND_INFO);
  if (number == UNWIND_ANONYMOUS)
    return step_by_frame_pointer(walk, 1, STOP_FRAME_POINTER_INVALID);
  if (number == UNWIND_END)
    return STOP_END_OF_STACK;
  if (number == UNWIND_SIGNAL)
    return step_over_signal(walk);
  if (number == UNWIND_GO_ASMCGOCALL)
    return step_over_go_asmcgocall(walk);
  return number == UNWIND_PENDING ? STOP_TABLE_PENDING : STOP_UNSUPPORTED_RULE;
}

#endif
