// SPDX-License-Identifier: Apache-2.0
//
// Small programs for comparing with LLVM: inlining through templates, lambdas, lexical blocks, local classes and headers, with
// cold and exceptional paths. They include next to nothing, so that many variants compile in a moment.

export const cppHeader = `
#pragma once
inline int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }
template <class T, int N> struct Ring {
  T items[N]; unsigned count = 0;
  void push(const T &item) { items[count++ % N] = item; }
  template <class F> T fold(T start, F f) const {
    for (unsigned i = 0; i < count && i < N; i++) { T item = items[i]; { int twice = clamp(i * 2, 0, N); start = f(start, item + twice); } }
    return start;
  }
};
int other(int);
`;

export const cppMain = `
#include "program.h"
extern "C" int printf(const char *, ...);
extern "C" void *malloc(unsigned long);
namespace shapes { namespace {
struct Shape { virtual ~Shape() {} virtual int area() const = 0; };
struct Square final : Shape { int side; explicit Square(int s) : side(clamp(s, 1, 99)) {} int area() const override { return side * side; } };
struct Pair final : Shape { Square a, b; Pair(int x, int y) : a(x), b(y) {} int area() const override { return a.area() + b.area(); } };
} }
static int checked(int value) { if (value < 0) throw value; return value; }
auto global = [](int x) { volatile int k = x; return k * 2 + 1; };
__attribute__((noinline)) static int work(int n) {
  Ring<int, 16> ring;
  for (int i = 0; i < n; i++) ring.push(clamp(i, 3, 11));
  struct Local { int base; int add(int v) { volatile int kept = v; return base + kept; } static int twice(int v) { return v * 2; } };
  Local local{n};
  int total = ring.fold(0, [&](int a, int b) { return a + local.add(b) + Local::twice(a & 3); });
  try { total += checked(total - 500); } catch (int e) { printf("%d\\n", e); total -= e; }
  return total;
}
int main(int argc, char **) {
  shapes::Square square(argc); shapes::Pair pair(argc, 7); const shapes::Shape *all[] = { &square, &pair };
  int sum = global(argc);
  for (auto *shape : all) sum += shape->area();
  for (int i = 0; i < 40; i++) sum += work(i) + other(i);
  switch (argc) { case 1: printf("one\\n"); break; case 2: printf("two %d\\n", sum); break; case 7: __builtin_trap(); default: printf("%d\\n", sum); }
  return sum & 1;
}
`;

export const cppOther = `
#include "program.h"
static Ring<long, 4> kept;
template <class T> static T mix(T a, T b) { return (a ^ b) * 31 + clamp(static_cast<int>(a), 0, 5); }
int other(int value) {
  kept.push(mix<long>(value, value >> 3));
  return static_cast<int>(kept.fold(1L, [](long a, long b) { return mix(a, b); }));
}
`;

export const cProgram = `
#include <stdio.h>
#include <stdlib.h>
struct node { struct node *next; int value; };
static inline int square(int x) { return x * x; }
static inline int around(int x) { return square(x) + square(x + 1); }
static struct node *push(struct node *list, int value) {
  struct node *made = malloc(sizeof *made);
  if (!made) abort();
  made->next = list; made->value = value;
  return made;
}
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
__attribute__((noinline)) int work(int n) {
  struct node *list = 0;
  for (int i = 0; i < n; i++) list = push(list, i);
  int sum = 0, *values = malloc(n * sizeof(int));
  for (struct node *at = list; at; at = at->next) sum += around(at->value);
  for (int i = 0; i < n; i++) values[i] = square(i) % 17;
  qsort(values, n, sizeof(int), compare);
  sum += values[n / 2];
  free(values);
  while (list) { struct node *next = list->next; free(list); list = next; }
  return sum;
}
int main(int argc, char **argv) { (void)argv; printf("%d\\n", work(100 + argc)); return 0; }
`;

export const rustProgram = `
use std::collections::BTreeMap;
#[derive(Debug, Clone)]
struct Point { x: f64, name: String }
trait Area { fn area(&self) -> f64; }
impl Area for Point { fn area(&self) -> f64 { self.x * self.x } }
fn total<T: Area>(all: &[T]) -> f64 { all.iter().map(|p| p.area()).filter(|a| *a > 1.0).sum() }
fn main() {
    let mut map: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for i in 0..100 { map.entry(format!("k{}", i % 7)).or_default().push(Point { x: i as f64, name: format!("n{i}") }); }
    for (key, points) in &map { println!("{} {:?} {:?}", key, total(points), points.first().map(|p| p.name.clone())); }
    if let Err(error) = "12x".parse::<i32>() { eprintln!("{error}"); }
}
`;

export const goProgram = `package main

import (
	"fmt"
	"sort"
	"strings"
)

type counts[K comparable] struct{ of map[K]int }

func (c *counts[K]) add(key K) { c.of[key]++ }

func work(n int) int {
	c := &counts[string]{of: map[string]int{}}
	for i := 0; i < n; i++ {
		c.add(strings.Repeat("a", i%5))
	}
	keys := []string{}
	for key := range c.of {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return len(strings.Join(keys, ","))
}

func main() {
	done := make(chan int)
	go func() { defer close(done); done <- work(100) }()
	fmt.Println(<-done)
}
`;
