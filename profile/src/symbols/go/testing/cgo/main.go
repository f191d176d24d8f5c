// Goroutines that are busy in C, and in Go code that C called back, on stacks that grow meanwhile.
package main

/*
extern void callBack(int);
static volatile int sink;
__attribute__((noinline)) static void spin(int n) { for (int i = 0; i < n; i++) sink += i; }
__attribute__((noinline)) static void below(int depth, int n) {
	if (depth == 0) spin(n); else below(depth - 1, n);
	sink++;
}
static void callsBack(int n) { callBack(n); spin(2000000); sink++; }
*/
import "C"

import (
	"fmt"
	"time"
)

//go:noinline
func grow(depth int) int {
	var frame [8]int
	frame[depth%8] = depth
	if depth == 0 {
		return 0
	}
	return grow(depth-1) + frame[depth%8]
}

//export callBack
func callBack(n C.int) {
	sum := grow(2000)
	for i := 0; i < 3000000; i++ {
		sum += i * int(n)
	}
	if sum == 1 {
		fmt.Println(sum)
	}
}

func main() {
	go func() {
		for {
			C.below(10, 5000000)
		}
	}()
	go func() {
		for {
			done := make(chan int)
			go func() { C.callsBack(3); close(done) }()
			<-done
		}
	}()
	fmt.Println("ready")
	time.Sleep(time.Minute)
}
