// SPDX-License-Identifier: Apache-2.0
//
// Libraries that come and go: each is opened, called and closed again in turn, so that one lies where the other was.
// Says at the end how many times the second one got the address of the first.
//
//   plugins SECONDS LIBRARY LIBRARY

#include "work.h"
#include <dlfcn.h>

typedef void (*plugin_entry)(int slices);

KNOWN static void *use_plugin(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	plugin_entry entry = (plugin_entry)dlsym(library, "plugin_entry");
	/* Long enough for a look at the mappings to be of use: whatever a compiler makes of the work. */
	double end = seconds_of(CLOCK_MONOTONIC) + 0.1;
	while (seconds_of(CLOCK_MONOTONIC) < end)
		entry(50);
	STAYS_A_CALL();
	dlclose(library);
	return (void *)entry;
}

int main(int argc, char **argv)
{
	int rounds = 0, same = 0;
	say(argc, argv, "libraries opened and closed, one at the address of the other");
	if (argc < 4)
		return 2;
	while (!out_of_time()) {
		void *first = use_plugin(argv[2]);
		void *second = use_plugin(argv[3]);
		rounds++;
		same += ((uintptr_t)first & ~(uintptr_t)4095) == ((uintptr_t)second & ~(uintptr_t)4095);
	}
	printf("{\"rounds\":%d,\"sameAddress\":%d}\n", rounds, same);
	return 0;
}
