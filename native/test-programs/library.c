// SPDX-License-Identifier: Apache-2.0
//
// A library for replaced-library.c; compiled twice, so that two files of one shape exist.

unsigned long work(unsigned long turns) {
  volatile unsigned long sum = 0;
  for (unsigned long i = 0; i < turns; i++)
    sum += i;
  return sum;
}
