// SPDX-License-Identifier: Apache-2.0
//
// Many threads; new ones come all the time.
//
//   threads SECONDS [THREADS AT A TIME, default 32]

#include "work.h"
#include <pthread.h>

#define MAX_THREADS 256

KNOWN static void thread_inner(void)
{
	for (int i = 0; i < 50; i++)
		burn();
	STAYS_A_CALL();
}

KNOWN static void thread_outer(void)
{
	thread_inner();
	STAYS_A_CALL();
}

static void *thread_main(void *argument)
{
	thread_outer();
	STAYS_A_CALL();
	return argument;
}

KNOWN static void start_and_join(int count)
{
	pthread_t threads[MAX_THREADS];
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, thread_main, NULL) != 0)
			abort();
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 32;
	say(argc, argv, "many short threads");
	while (!out_of_time())
		start_and_join(count < MAX_THREADS ? count : MAX_THREADS);
	return 0;
}
