// SPDX-License-Identifier: Apache-2.0
//
// Lives in the kernel: reads, writes, a pipe between two threads, futexes. The user's side of each stack is known.
//
//   syscalls SECONDS

#include "work.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static char buffer[256 * 1024];
static int pipe_ends[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

KNOWN static void read_zeros(int zero)
{
	for (int i = 0; i < 50; i++)
		work_sink += (uint64_t)read(zero, buffer, sizeof(buffer));
	STAYS_A_CALL();
}

KNOWN static void write_nothing(int null)
{
	for (int i = 0; i < 2000; i++)
		work_sink += (uint64_t)write(null, buffer, 1);
	STAYS_A_CALL();
}

KNOWN static void through_pipe(void)
{
	for (int i = 0; i < 200; i++) {
		if (write(pipe_ends[1], buffer, 4096) < 0 || read(pipe_ends[0], buffer, 4096) < 0)
			abort();
	}
	STAYS_A_CALL();
}

KNOWN static void take_turns(int mine, int turns)
{
	for (int i = 0; i < turns; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != mine)
			pthread_cond_wait(&condition, &mutex);
		turn = !mine;
		pthread_cond_signal(&condition);
		pthread_mutex_unlock(&mutex);
	}
	STAYS_A_CALL();
}

static void *partner(void *turns)
{
	take_turns(1, (int)(intptr_t)turns);
	STAYS_A_CALL();
	return NULL;
}

KNOWN static void with_partner(int turns)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, partner, (void *)(intptr_t)turns) != 0)
		abort();
	take_turns(0, turns);
	pthread_join(thread, NULL);
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	say(argc, argv, "system calls");
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	if (zero < 0 || null < 0 || pipe(pipe_ends) != 0)
		return 1;
	while (!out_of_time()) {
		read_zeros(zero);
		write_nothing(null);
		through_pipe();
		with_partner(500);
	}
	return 0;
}
