// SPDX-License-Identifier: Apache-2.0
//
// Work inside of signal handlers: on the stack of what was interrupted, on an alternate stack, and after a timer that
// interrupts wherever the program is, prologues and libc included.
//
//   signals SECONDS

#include "work.h"
#include <signal.h>
#include <string.h>
#include <sys/time.h>

static char alternate_stack[64 * 1024] __attribute__((aligned(16)));

KNOWN static void handler_work(void)
{
	for (int i = 0; i < 50; i++)
		burn();
	STAYS_A_CALL();
}

static void on_raise(int signal)
{
	(void)signal;
	handler_work();
	STAYS_A_CALL();
}

static void on_alternate(int signal)
{
	(void)signal;
	handler_work();
	STAYS_A_CALL();
}

static void on_tick(int signal)
{
	(void)signal;
	handler_work();
	STAYS_A_CALL();
}

KNOWN static uint64_t small_frames(uint64_t depth)
{
	volatile uint64_t room[4];
	room[depth & 3] = depth;
	uint64_t value = depth == 0 ? 1 : small_frames(depth - 1) + room[depth & 3];
	STAYS_A_CALL();
	return value;
}

KNOWN static void interrupted(void)
{
	for (int i = 0; i < 20000; i++)
		work_sink += small_frames(8);
	STAYS_A_CALL();
}

KNOWN static void raise_here(void)
{
	raise(SIGUSR1);
	STAYS_A_CALL();
}

KNOWN static void raise_on_alternate(void)
{
	raise(SIGUSR2);
	STAYS_A_CALL();
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	if (sigaction(signal, &action, NULL) != 0)
		abort();
}

int main(int argc, char **argv)
{
	say(argc, argv, "work inside of signal handlers");
	stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
	if (sigaltstack(&stack, NULL) != 0)
		abort();
	handle(SIGUSR1, on_raise, SA_RESTART);
	handle(SIGUSR2, on_alternate, SA_RESTART | SA_ONSTACK);
	handle(SIGALRM, on_tick, SA_RESTART);
	struct itimerval every = {.it_interval = {.tv_usec = 5000}, .it_value = {.tv_usec = 5000}};
	setitimer(ITIMER_REAL, &every, NULL);
	while (!out_of_time()) {
		raise_here();
		raise_on_alternate();
		interrupted();
	}
	return 0;
}
