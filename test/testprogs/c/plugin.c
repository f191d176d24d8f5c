// SPDX-License-Identifier: Apache-2.0
//
// The two libraries of plugins.c, of one source: BETA has other names, one frame more, and larger frames, at the
// addresses where ALPHA has its own.

#include <stdint.h>

#ifdef __clang__
#define KNOWN __attribute__((noinline))
#else
#define KNOWN __attribute__((noipa))
#endif
#define STAYS_A_CALL() __asm__ volatile("" ::: "memory")

static volatile uint64_t sink;

#ifdef BETA
#define OUTER beta_outer
#define INNER beta_inner
#define LEAF beta_leaf
#define ROOM 200
#else
#define OUTER alpha_outer
#define INNER alpha_inner
#define LEAF alpha_leaf
#define ROOM 2
#endif

KNOWN static void LEAF(volatile uint64_t *room)
{
	uint64_t value = sink;
	for (int i = 0; i < 20000; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
	room[0] = value;
	sink = room[0];
}

KNOWN static void INNER(void)
{
	volatile uint64_t room[ROOM];
	LEAF(room);
	STAYS_A_CALL();
}

#ifdef BETA
KNOWN static void beta_middle(void)
{
	volatile uint64_t room[ROOM];
	room[0] = sink;
	INNER();
	STAYS_A_CALL();
	sink = room[0];
}
#else
#define beta_middle INNER
#endif

KNOWN static void OUTER(int slices)
{
	for (int i = 0; i < slices; i++)
		beta_middle();
	STAYS_A_CALL();
}

__attribute__((visibility("default"))) void plugin_entry(int slices);
void plugin_entry(int slices)
{
	OUTER(slices);
	STAYS_A_CALL();
}
