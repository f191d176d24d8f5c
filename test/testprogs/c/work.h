// SPDX-License-Identifier: Apache-2.0
//
// What the C and C++ test programs share: functions that compilers neither inline nor clone nor leave by a jump, work
// that takes time, and the clock that ends a program.

#ifndef HEARTHSCOPE_TESTPROGS_WORK_H
#define HEARTHSCOPE_TESTPROGS_WORK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __clang__
#define KNOWN __attribute__((noinline, unused))
#else
#define KNOWN __attribute__((noipa, unused))
#endif

/* After a call: the call is then not the last thing its function does, and stays a call. */
#define STAYS_A_CALL() __asm__ volatile("" ::: "memory")

static volatile uint64_t work_sink;

/* About 20 microseconds: nearly all samples fall in here, with the whole chain of callers above. */
KNOWN static void burn(void)
{
	uint64_t value = work_sink;
	for (int i = 0; i < 20000; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
	work_sink = value;
}

static double work_seconds;

KNOWN static double seconds_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The process's own CPU time ends it, so that a busy machine takes no samples away; the wall clock is for programs that
 * mostly wait. */
KNOWN static int out_of_time(void)
{
	static double wall_start;
	double wall = seconds_of(CLOCK_MONOTONIC);
	if (wall_start == 0)
		wall_start = wall;
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID) >= work_seconds || wall - wall_start >= 20 * work_seconds;
}

/* The first argument of every program is how many seconds of CPU time it shall take. */
static inline void say(int argc, char **argv, const char *about)
{
	work_seconds = argc > 1 ? atof(argv[1]) : 1;
	printf("%s\n", about);
	fflush(stdout);
}

#endif
