// SPDX-License-Identifier: Apache-2.0
//
// Processes that come and go: children that never exec, and chains of processes that exec this program again and again
// under the same pid. Each takes a few milliseconds of CPU.
//
//   processes SECONDS
//   processes chain LINKS LEFT          what it starts itself

#include "work.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINKS 4

KNOWN static void child_work(void)
{
	for (int i = 0; i < 1000; i++)
		burn();
	STAYS_A_CALL();
}

KNOWN static void wait_for(pid_t pid)
{
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		abort();
}

KNOWN static void fork_only(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		child_work();
		_exit(0);
	}
	wait_for(pid);
	STAYS_A_CALL();
}

KNOWN static void link_work(void)
{
	for (int i = 0; i < 500; i++)
		burn();
	STAYS_A_CALL();
}

KNOWN static void next_link(int left)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", left);
	char *arguments[] = {"processes", "chain", text, NULL};
	execv("/proc/self/exe", arguments);
	abort();
}

KNOWN static void exec_chain(void)
{
	pid_t pid = fork();
	if (pid == 0)
		next_link(LINKS);
	wait_for(pid);
	STAYS_A_CALL();
}

KNOWN static void be_link(int left)
{
	link_work();
	if (left > 1)
		next_link(left - 1);
	STAYS_A_CALL();
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "chain") == 0) {
		be_link(atoi(argv[2]));
		return 0;
	}
	say(argc, argv, "children without exec, chains of exec");
	/* Its own time is next to nothing: the wall clock of out_of_time would be much too long. */
	double start = seconds_of(CLOCK_MONOTONIC);
	while (seconds_of(CLOCK_MONOTONIC) - start < 1.5 * work_seconds) {
		fork_only();
		exec_chain();
	}
	return 0;
}
