// Goroutines that are busy in Go code, in the allocator (on the system stack), in system calls, in the vDSO's clock and in
// growing stacks, all below calls of a known depth.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"
)

type node struct{ left, right *node }

//go:noinline
func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

//go:noinline
func below(depth int, f func()) {
	var frame [8]int
	frame[depth%8] = depth
	if depth == 0 {
		f()
		return
	}
	below(depth-1, f)
	if frame[depth%8] != depth {
		panic("the frame was overwritten")
	}
}

func allocates() {
	for {
		below(20, func() { tree(12) })
	}
}

func readsClock() {
	for {
		below(10, func() {
			for i := 0; i < 1000; i++ {
				_ = time.Now()
			}
		})
	}
}

func sorts() {
	for {
		words := make([]string, 0, 1000)
		for i := 0; i < 1000; i++ {
			words = append(words, strings.Repeat(fmt.Sprint(i*7919%1000), 3))
		}
		sort.Strings(words)
	}
}

func reads() {
	zero, _ := os.Open("/dev/zero")
	buffer := make([]byte, 64)
	for {
		below(5, func() { zero.Read(buffer) })
	}
}

func growsStacks() {
	for {
		done := make(chan int)
		go func() {
			below(2000, func() {})
			close(done)
		}()
		<-done
		runtime.Gosched()
	}
}

func main() {
	go allocates()
	go readsClock()
	go sorts()
	go reads()
	go growsStacks()
	fmt.Println("ready")
	time.Sleep(time.Minute)
}
