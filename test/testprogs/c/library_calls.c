// SPDX-License-Identifier: Apache-2.0
//
// Does little but call small functions of a shared library through the procedure linkage table. With LD_BIND_NOT=1 the
// dynamic linker looks each of them up on every call.
//
//   library_calls SECONDS

#include "library.h"
#include "work.h"

KNOWN static void call_library(void)
{
	uint64_t value = work_sink;
	for (int i = 0; i < 2000; i++) {
#define CALL(number) value += library_small_##number(value);
		EACH_NUMBER(CALL)
#undef CALL
	}
	work_sink = value;
}

KNOWN static void call_back(void)
{
	library_calls_back(burn);
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	say(argc, argv, "small functions of a library, through the procedure linkage table");
	while (!out_of_time()) {
		call_library();
		for (int i = 0; i < 20; i++)
			call_back();
	}
	return 0;
}
