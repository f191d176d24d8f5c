// SPDX-License-Identifier: Apache-2.0
//
// Prints the virtual address of a call that stands in a function which was inlined, for tests of naming:
// `capture` was called by `inner`, inlined into `middle`.

#include <stdint.h>
#include <stdio.h>

/* Where the linker places the file's first byte. */
extern char __executable_start;

/* Makes each program another one, with another build id. */
const char program_name[] = PROGRAM_NAME;

static uintptr_t captured;

__attribute__((noinline)) static void capture(void) {
  captured = (uintptr_t)__builtin_return_address(0);
}

static inline __attribute__((always_inline)) void inner(int times) {
  for (volatile int i = 0; i < times; i++)
    capture();
}

__attribute__((noinline)) int middle(int times) {
  inner(times);
  return times + 1;
}

int main(int count, char **arguments) {
  (void)arguments;
  int result = middle(count);
  printf("%lx %lx\n", (unsigned long)(captured - 1), (unsigned long)(uintptr_t)&__executable_start);
  return result == 0;
}
