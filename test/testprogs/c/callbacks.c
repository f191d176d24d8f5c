// SPDX-License-Identifier: Apache-2.0
//
// libc calls back into the program (qsort, bsearch) and works for it (snprintf, malloc).
//
//   callbacks SECONDS

#include "work.h"
#include <string.h>

#define COUNT 64

KNOWN static int compare_numbers(const void *left, const void *right)
{
	burn();
	STAYS_A_CALL();
	return *(const int *)left - *(const int *)right;
}

KNOWN static void sort_numbers(int *numbers)
{
	qsort(numbers, COUNT, sizeof(*numbers), compare_numbers);
	STAYS_A_CALL();
}

KNOWN static void find_number(const int *numbers, int wanted)
{
	work_sink += (uintptr_t)bsearch(&wanted, numbers, COUNT, sizeof(*numbers), compare_numbers);
	STAYS_A_CALL();
}

KNOWN static void format_text(void)
{
	char text[256];
	for (int i = 0; i < 400; i++)
		work_sink += (uint64_t)snprintf(text, sizeof(text), "%d %s %.17g %p", i, "text", i / 7.0, (void *)text);
	STAYS_A_CALL();
}

KNOWN static void allocate(void)
{
	void *blocks[256];
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 256; i++)
			blocks[i] = malloc((size_t)(i * 37 % 3000 + 1));
		for (int i = 0; i < 256; i++)
			free(blocks[(i * 53) % 256]);
	}
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	int numbers[COUNT];
	say(argc, argv, "libc calls back: qsort, bsearch; libc works: snprintf, malloc");
	while (!out_of_time()) {
		for (int i = 0; i < COUNT; i++)
			numbers[i] = (i * 29) % COUNT;
		sort_numbers(numbers);
		for (int i = 0; i < COUNT; i++)
			find_number(numbers, i);
		format_text();
		allocate();
	}
	return 0;
}
