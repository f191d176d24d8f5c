// SPDX-License-Identifier: Apache-2.0
//
// Rust: closures, iterators, trait objects, generics, threads, recursion, and panics that are caught, with destructors
// that work on the way.
//
//   known SECONDS

use std::hint::black_box;
use std::panic;

extern "C" {
    fn clock() -> i64;
}

/// Of all threads.
#[inline(never)]
fn cpu_seconds() -> f64 {
    unsafe { clock() as f64 / 1e6 }
}

#[inline(never)]
fn burn() {
    let mut value: u64 = black_box(1);
    for _ in 0..20000 {
        value = value.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    }
    black_box(value);
}

#[inline(never)]
fn compare(left: &u32, right: &u32) -> std::cmp::Ordering {
    burn();
    black_box(left.cmp(right))
}

#[inline(never)]
fn sort_numbers() {
    let mut numbers: Vec<u32> = (0..60).map(|i| (i * 37) % 60).collect();
    numbers.sort_by(compare);
    black_box(&numbers);
}

#[inline(never)]
fn in_iterator(value: u64) -> u64 {
    burn();
    black_box(value)
}

#[inline(never)]
fn iterate() -> u64 {
    let list: Vec<u64> = (0..40).collect();
    black_box(list.iter().map(|v| in_iterator(*v)).filter(|v| v % 3 == 0).sum())
}

trait Shape {
    fn draw(&self);
}

struct Circle;

impl Shape for Circle {
    #[inline(never)]
    fn draw(&self) {
        burn();
        black_box(());
    }
}

#[inline(never)]
fn draw_all(shapes: &[Box<dyn Shape>]) {
    for shape in shapes {
        shape.draw();
    }
    black_box(());
}

#[inline(never)]
fn generic<T: std::ops::Add<Output = T> + Copy>(value: T) -> T {
    burn();
    black_box(value + value)
}

#[inline(never)]
fn generics() {
    for _ in 0..20 {
        black_box(generic(1u64));
        black_box(generic(1.5f32));
    }
}

#[inline(never)]
fn descend(depth: u32) {
    if depth > 1 {
        descend(depth - 1);
    } else {
        for _ in 0..20 {
            burn();
        }
    }
    black_box(depth);
}

struct Guard;

impl Drop for Guard {
    #[inline(never)]
    fn drop(&mut self) {
        burn();
        black_box(());
    }
}

#[inline(never)]
fn panics(depth: u32) {
    let _guard = Guard;
    if depth == 0 {
        panic!("caught");
    }
    panics(depth - 1);
    black_box(depth);
}

#[inline(never)]
fn catches() {
    let caught = panic::catch_unwind(|| panics(5));
    assert!(caught.is_err());
    for _ in 0..5 {
        burn();
    }
    black_box(());
}

#[inline(never)]
fn in_thread() {
    for _ in 0..200 {
        burn();
    }
    black_box(());
}

#[inline(never)]
fn threads() {
    let handles: Vec<_> = (0..4).map(|_| std::thread::spawn(in_thread)).collect();
    for handle in handles {
        handle.join().unwrap();
    }
    black_box(());
}

fn main() {
    let seconds: f64 = std::env::args().nth(1).map_or(1.0, |text| text.parse().unwrap());
    println!("Rust: closures, iterators, trait objects, generics, threads, recursion, panics");
    panic::set_hook(Box::new(|_| {}));
    let shapes: Vec<Box<dyn Shape>> = (0..40).map(|_| Box::new(Circle) as Box<dyn Shape>).collect();
    while cpu_seconds() < seconds {
        sort_numbers();
        black_box(iterate());
        draw_all(&shapes);
        generics();
        descend(50);
        catches();
        threads();
    }
}
