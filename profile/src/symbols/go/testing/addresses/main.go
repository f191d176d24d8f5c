// A program with known inlining that prints what Go itself says about its own addresses: for each address read from
// standard input a line "@address" and the frames of runtime.CallersFrames, innermost first.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	_ "runtime/pprof"
	"sort"
	"strconv"
	"strings"
	_ "unsafe"
)

type shape interface{ Area() float64 }
type square struct{ side float64 }

func (s square) Area() float64 { return multiply(s.side, s.side) }

type list[T any] struct{ items []T }

func (l *list[T]) Push(item T) { l.items = append(l.items, item) }

func apply[T, U any](in []T, f func(T) U) []U {
	out := &list[U]{}
	for _, v := range in {
		out.Push(f(v))
	}
	return out.items
}

func multiply(a, b float64) float64 { return a * b }
func add(a, b float64) float64      { return multiply(a, 1) + multiply(b, 1) }

//go:noinline
func outer(a, b float64) float64 {
	x := add(a, b)
	y := add(b, a)
	f := func(z float64) float64 { return add(z, x) }
	return f(y)
}

// Releases before Go 1.21 do not expand inlined calls in CallersFrames.
//
//go:linkname expandInlined runtime/pprof.runtime_expandFinalInlineFrame
func expandInlined(stack []uintptr) []uintptr

func main() {
	total := outer(1, 2)
	for _, s := range []shape{square{2}, &square{3}} {
		total += s.Area()
	}
	words := apply([]int{1, 2, 3}, func(i int) string { return strconv.Itoa(i) })
	sort.Strings(words)
	if regexp.MustCompile("a+b").MatchString(strings.Join(words, "")) {
		fmt.Println(total)
	}
	// Where the linker placed main.main is the argument: the difference is the load bias.
	linked, _ := strconv.ParseUint(os.Args[1], 0, 64)
	bias := uint64(reflect.ValueOf(main).Pointer()) - linked
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		address, _ := strconv.ParseUint(in.Text(), 0, 64)
		fmt.Fprintf(out, "@%x\n", address)
		// CallersFrames looks at the byte before a return address.
		stack := expandInlined([]uintptr{uintptr(address + bias + 1)})
		frames := runtime.CallersFrames(append(stack, 0))
		for {
			frame, more := frames.Next()
			if frame.PC != 0 {
				fmt.Fprintf(out, "%s\t%s\t%d\n", frame.Function, frame.File, frame.Line)
			}
			if !more {
				break
			}
		}
	}
}
