// SPDX-License-Identifier: Apache-2.0
//
// Functions that take less time than the way to them.

#include "library.h"

#define DEFINE(number)                                                                                                 \
	uint64_t library_small_##number(uint64_t value)                                                                \
	{                                                                                                              \
		return value * (2 * number + 3) + number;                                                              \
	}
EACH_NUMBER(DEFINE)

void library_calls_back(void (*callback)(void))
{
	callback();
	__asm__ volatile("" ::: "memory");
}
