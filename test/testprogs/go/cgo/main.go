// SPDX-License-Identifier: Apache-2.0
//
// Go and C: Go calls C, which works on the system stack and calls Go back.
//
//	cgo SECONDS
package main

/*
#include <stdint.h>

extern void calledBack(void);

static volatile uint64_t c_sink;

static __attribute__((noinline)) void c_burn(void)
{
	uint64_t value = c_sink;
	for (int i = 0; i < 20000; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
	c_sink = value;
}

static __attribute__((noinline)) void c_work(int slices)
{
	for (int i = 0; i < slices; i++)
		c_burn();
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void c_calls_back(void)
{
	calledBack();
	__asm__ volatile("" ::: "memory");
}
*/
import "C"

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

var sink uint64

//go:noinline
func burn() {
	value := sink
	for i := 0; i < 20000; i++ {
		value = value*6364136223846793005 + 1442695040888963407
	}
	sink = value
}

// Go's own idea of this stack leads from here to the goroutine's call of C: the C code between lies on another stack.
//
//export calledBack
//go:noinline
func calledBack() {
	for i := 0; i < 50; i++ {
		burn()
	}
}

//go:noinline
func callC() {
	C.c_work(50)
}

//go:noinline
func callCThatCallsBack() {
	C.c_calls_back()
}

// Of all threads.
//
//go:noinline
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func main() {
	seconds := 1.0
	if len(os.Args) > 1 {
		seconds, _ = strconv.ParseFloat(os.Args[1], 64)
	}
	fmt.Println("Go calls C, and C calls Go")
	for cpuSeconds() < seconds {
		callC()
		callCThatCallsBack()
	}
}
