// SPDX-License-Identifier: Apache-2.0
//
// The shared library of library_calls.c.

#include <stdint.h>

#define EACH_NUMBER(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)

#define DECLARE(number) uint64_t library_small_##number(uint64_t value);
EACH_NUMBER(DECLARE)
#undef DECLARE

void library_calls_back(void (*callback)(void));
