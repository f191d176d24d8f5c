// SPDX-License-Identifier: Apache-2.0
//
// Ground truth for profiles: spends exactly 70, 20 and 10 % of its CPU time in three functions. The split is kept by
// reading the thread's CPU clock, not by counting iterations, so it holds whatever the compiler or the CPU makes of the loops.
// Prints the seconds that each function really took when it ends.
//
//   split SECONDS_OF_CPU

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))
#define SLICE_NANOS 10000000 /* A round is 10 slices: short against a sampling interval of many rounds. */

static volatile uint64_t sink;

static uint64_t cpu_nanos(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Enough work between two looks at the clock that the looks do not show in the profile. */
static inline __attribute__((always_inline)) uint64_t burn_until(uint64_t deadline, uint64_t seed)
{
	uint64_t now;
	do {
		for (int i = 0; i < 200000; i++)
			seed = seed * 6364136223846793005u + 1442695040888963407u;
		sink = seed;
		now = cpu_nanos();
	} while (now < deadline);
	return now;
}

NOINLINE uint64_t spend_seventy(uint64_t deadline) { uint64_t t = burn_until(deadline, 7); sink++; return t; }
NOINLINE uint64_t spend_twenty(uint64_t deadline) { uint64_t t = burn_until(deadline, 2); sink++; return t; }
NOINLINE uint64_t spend_ten(uint64_t deadline) { uint64_t t = burn_until(deadline, 1); sink++; return t; }

int main(int argc, char **argv)
{
	static uint64_t (*const spend[3])(uint64_t) = {spend_seventy, spend_twenty, spend_ten};
	static const uint64_t share[3] = {7, 2, 1};
	double seconds = argc > 1 ? atof(argv[1]) : 10;
	uint64_t spent[3] = {0, 0, 0};
	uint64_t start = cpu_nanos(), now = start;

	/* What a function owes is its share of all rounds so far less what it spent, so a late look at the clock in one
	 * round is made up for in the next and errors do not add up. */
	for (uint64_t rounds = 1; (double)(now - start) < seconds * 1e9; rounds++) {
		for (int i = 0; i < 3; i++) {
			uint64_t owed = share[i] * SLICE_NANOS * rounds;
			if (owed <= spent[i])
				continue;
			uint64_t before = now;
			now = spend[i](now + owed - spent[i]);
			spent[i] += now - before;
		}
	}
	printf("{\"spend_seventy\":%.6f,\"spend_twenty\":%.6f,\"spend_ten\":%.6f}\n", spent[0] / 1e9, spent[1] / 1e9,
	       spent[2] / 1e9);
	return 0;
}
