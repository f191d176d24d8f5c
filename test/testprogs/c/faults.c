// SPDX-License-Identifier: Apache-2.0
//
// Touches new pages all the time, so that samples fall into the kernel's page fault handler; and asks the vdso for the
// time, so that others fall into code without a file.
//
//   faults SECONDS

#include "work.h"
#include <sys/mman.h>

#define BYTES (16u << 20)

KNOWN static void touch_pages(volatile char *pages)
{
	for (size_t i = 0; i < BYTES; i += 4096)
		pages[i] = 1;
}

KNOWN static void map_and_touch(void)
{
	void *pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		abort();
	touch_pages((volatile char *)pages);
	STAYS_A_CALL();
	munmap(pages, BYTES);
	STAYS_A_CALL();
}

KNOWN static void ask_the_time(void)
{
	struct timespec t;
	for (int i = 0; i < 50000; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
	work_sink += (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	say(argc, argv, "page faults and the vdso");
	while (!out_of_time()) {
		map_and_touch();
		ask_the_time();
	}
	return 0;
}
