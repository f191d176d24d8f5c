// SPDX-License-Identifier: Apache-2.0
//
// Go: goroutines, deep recursion with stacks that grow, closures, generics, callbacks from the standard library,
// interfaces, and enough garbage that the collector works beside all of them.
//
//	known SECONDS
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
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

//go:noinline
func descend(depth int) {
	if depth > 1 {
		descend(depth - 1)
	} else {
		for i := 0; i < 20; i++ {
			burn()
		}
	}
}

//go:noinline
func less(left, right int) bool {
	burn()
	return left < right
}

//go:noinline
func sortNumbers() {
	numbers := make([]int, 60)
	for i := range numbers {
		numbers[i] = (i * 37) % 60
	}
	sort.Slice(numbers, func(i, j int) bool { return less(numbers[i], numbers[j]) })
}

type shape interface{ draw() }

type circle struct{ radius int }

//go:noinline
func (c *circle) draw() { burn() }

//go:noinline
func drawAll(shapes []shape) {
	for _, s := range shapes {
		s.draw()
	}
}

//go:noinline
func generic[T int | float64](value T) T {
	burn()
	return value + value
}

//go:noinline
func generics() {
	for i := 0; i < 20; i++ {
		generic(i)
		generic(float64(i))
	}
}

type node struct {
	left, right *node
	text        string
}

//go:noinline
func makeTree(depth int) *node {
	if depth == 0 {
		return &node{text: strconv.Itoa(depth) + strings.Repeat("x", 10)}
	}
	return &node{left: makeTree(depth - 1), right: makeTree(depth - 1)}
}

//go:noinline
func makeGarbage() {
	sink += uint64(len(makeTree(12).left.text))
}

//go:noinline
func recovers() {
	defer func() {
		recover()
		burn()
	}()
	panics(8)
}

//go:noinline
func panics(depth int) {
	defer burn()
	if depth == 0 {
		panic("caught")
	}
	panics(depth - 1)
}

//go:noinline
func inGoroutine(group *sync.WaitGroup) {
	defer group.Done()
	for i := 0; i < 20; i++ {
		burn()
	}
}

//go:noinline
func goroutines() {
	var group sync.WaitGroup
	for i := 0; i < 20; i++ {
		group.Add(1)
		go inGoroutine(&group)
	}
	group.Wait()
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
	fmt.Println("Go: goroutines, recursion, closures, generics, interfaces, panics, garbage")
	shapes := make([]shape, 40)
	for i := range shapes {
		shapes[i] = &circle{i}
	}
	for cpuSeconds() < seconds {
		descend(300)
		sortNumbers()
		drawAll(shapes)
		generics()
		makeGarbage()
		recovers()
		goroutines()
	}
}
