// SPDX-License-Identifier: Apache-2.0
//
// A stack of known depth: `descend` as often as asked, then `bottom`.
//
//   recursion SECONDS [DEPTH, default 300]

#include "work.h"

KNOWN static void bottom(void)
{
	for (int i = 0; i < 100; i++)
		burn();
	STAYS_A_CALL();
}

KNOWN static void descend(int depth)
{
	if (depth > 1)
		descend(depth - 1);
	else
		bottom();
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	int depth = argc > 2 ? atoi(argv[2]) : 300;
	say(argc, argv, "recursion of known depth");
	while (!out_of_time())
		descend(depth);
	return 0;
}
