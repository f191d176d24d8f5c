// SPDX-License-Identifier: Apache-2.0
//
// Frames of every shape: variable-length, allocated, large, with arguments on the stack, with every register in use
// (the frame pointer among them), realigned for vectors, left by a jump instead of a return, and none at all.
//
//   frames SECONDS

#include "work.h"
#include <alloca.h>
#include <string.h>

KNOWN static void use(volatile char *room, size_t bytes)
{
	room[0] = 1;
	room[bytes - 1] = 2;
	burn();
	STAYS_A_CALL();
}

KNOWN static void big_frame(void)
{
	volatile char room[80 * 1024];
	use(room, sizeof(room));
	STAYS_A_CALL();
}

KNOWN static void variable_length(size_t bytes)
{
	volatile char room[bytes];
	use(room, bytes);
	STAYS_A_CALL();
}

KNOWN static void allocated(size_t bytes)
{
	for (int i = 0; i < 3; i++)
		use((volatile char *)alloca(bytes), bytes);
	STAYS_A_CALL();
}

KNOWN static uint64_t ten_arguments(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g,
				    uint64_t h, uint64_t i, uint64_t j)
{
	burn();
	STAYS_A_CALL();
	return a + b * c + d * e + f * g + h * i + j;
}

KNOWN static void stack_arguments(void)
{
	uint64_t v = work_sink;
	work_sink += ten_arguments(v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9);
	STAYS_A_CALL();
}

/* Seven values live across a call: one more than there are callee-saved registers but for the frame pointer. */
KNOWN static void every_register(void)
{
	uint64_t a = work_sink, b = a ^ 0x1234, c = b * 3, d = c + 7, e = d * 5, f = e ^ a, g = f + c;
	for (int i = 0; i < 4; i++) {
		burn();
		a = a * 3 + g;
		b ^= a;
		c += b;
		d ^= c;
		e += d;
		f ^= e;
		g += f;
	}
	work_sink = a + b + c + d + e + f + g;
}

KNOWN static void aligned_leaf(volatile double *values)
{
	values[0] += 1;
	burn();
	STAYS_A_CALL();
}

KNOWN static void aligned_frame(void)
{
	volatile double values[16] __attribute__((aligned(64)));
	values[0] = (double)work_sink;
	aligned_leaf(values);
	STAYS_A_CALL();
}

/* Alignment, arguments on the stack and a variable size together need a register of their own for the arguments. */
KNOWN static uint64_t aligned_variable(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f,
				       uint64_t g, uint64_t bytes)
{
	volatile double values[8] __attribute__((aligned(64)));
	volatile char room[bytes];
	values[0] = (double)a;
	room[0] = 1;
	aligned_leaf(values);
	STAYS_A_CALL();
	return a + b + c + d + e + f + g + (uint64_t)room[0];
}

KNOWN static void vectors(void)
{
	uint64_t v = work_sink;
	aligned_frame();
	work_sink += aligned_variable(v, 1, 2, 3, 4, 5, v, 100 + (v & 63));
}

KNOWN static void jump_target(int slices)
{
	for (int i = 0; i < slices; i++)
		burn();
	STAYS_A_CALL();
}

/* With optimisation this ends in a jump, and its caller appears to call `jump_target`. */
KNOWN static void jumps(int slices)
{
	jump_target(slices + 1);
}

KNOWN static uint64_t frameless_leaf(uint64_t value)
{
	for (int i = 0; i < 20000; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
	return value;
}

KNOWN static void calls_leaf(void)
{
	work_sink += frameless_leaf(work_sink);
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	say(argc, argv, "frames of every shape");
	for (size_t i = 0; !out_of_time(); i = (i + 977) % 5000) {
		big_frame();
		variable_length(i + 16);
		allocated(i + 16);
		stack_arguments();
		every_register();
		vectors();
		jumps(3);
		calls_leaf();
	}
	return 0;
}
