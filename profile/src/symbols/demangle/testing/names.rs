// SPDX-License-Identifier: Apache-2.0
//
// Rust names of every kind: generics, constants, closures, trait objects, function pointers, Unicode.
#![allow(dead_code)]
use std::collections::{BTreeMap, HashMap};
use std::fmt::{Debug, Display};

pub struct Größe<T, const N: usize>(pub [T; N]);
impl<T: Clone + Debug, const N: usize> Größe<T, N> {
    #[inline(never)]
    pub fn länge(&self) -> usize {
        let outer = |x: usize| {
            let inner = move |y: usize| x + y + N;
            inner(1)
        };
        outer(N)
    }
}

pub trait Shape {
    type Unit;
    fn area(&self) -> f64;
    fn name(&self) -> String {
        String::from("shape")
    }
}
pub struct Square<'a>(pub f64, pub &'a str);
impl<'a> Shape for Square<'a> {
    type Unit = u8;
    #[inline(never)]
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

#[inline(never)]
pub fn dynamic(shape: &dyn Shape<Unit = u8>) -> f64 {
    shape.area()
}
#[inline(never)]
pub fn boxed<'a>(f: Box<dyn for<'b> Fn(&'b str, &'a [u8]) -> Option<&'b str> + Send + 'a>) -> usize {
    f("a", b"b").map_or(0, str::len)
}
#[inline(never)]
pub fn generic<T: Display + ?Sized, F: Fn(&T) -> R, R>(t: &T, f: F) -> R {
    f(t)
}
#[inline(never)]
pub fn size<T>(_: T) -> usize {
    std::mem::size_of::<T>()
}
#[inline(never)]
pub fn constants<const B: bool, const C: char, const I: i8, const U: u64, const W: u128>() -> usize {
    size(B) + C as usize + I as usize + U as usize + W as usize
}

pub mod outer {
    pub mod inner {
        pub struct Unit;
        impl std::ops::Add for Unit {
            type Output = Unit;
            #[inline(never)]
            fn add(self, _: Unit) -> Unit {
                Unit
            }
        }
        impl std::ops::Drop for super::Guard {
            #[inline(never)]
            fn drop(&mut self) {
                println!("dropped")
            }
        }
    }
    pub struct Guard;
}

macro_rules! make {
    ($name:ident) => {
        #[inline(never)]
        pub fn $name() -> usize {
            fn nested() -> usize {
                std::process::id() as usize
            }
            nested()
        }
    };
}
make!(r#try);
make!(made);
static TABLE: [fn() -> usize; 2] = [r#try, made];

extern "C" fn foreign(x: i32, y: *const u8) -> i32 {
    x + (y as usize as i32)
}
unsafe extern "C" fn unsafe_foreign(x: i32) -> i32 {
    x
}

#[no_mangle]
pub extern "C" fn entry() -> usize {
    let sized = Größe([1u8; 3]);
    let square = Square(2.0, "x");
    let mut total = sized.länge() + dynamic(&square) as usize + square.name().len();
    total += boxed(Box::new(|a, _| Some(a)));
    total += generic("abc", |s| s.len()) + generic(&5u32, |x| *x as usize);
    total += size::<(i8, u16)>((1, 2)) + size::<(u8,)>((1,)) + size::<()>(());
    total += size::<&mut [i32]>(&mut []) + size::<*const str>("") + size::<*mut ()>(&mut ());
    total += size::<fn(i32) -> bool>(|x| x > 0) + size::<for<'a> fn(&'a str) -> &'a str>(|x| x);
    total += size::<extern "C" fn(i32, *const u8) -> i32>(foreign);
    total += size::<unsafe extern "C" fn(i32) -> i32>(unsafe_foreign);
    total += size::<[[f32; 2]; 3]>([[0.0; 2]; 3]) + size::<Option<Box<dyn Debug + Send + Sync>>>(None);
    total += size::<&dyn for<'a> Fn(&'a u8) -> &'a u8>(&|x| x);
    total += size::<HashMap<String, BTreeMap<i64, Vec<char>>>>(HashMap::new());
    total += constants::<true, 'u', -5, 0xffff_ffff_ffff, 0x1_0000_0000_0000_0000_0000>();
    total += constants::<false, '\n', 127, 0, 1>() + constants::<false, '\'', 0, 1, 1>();
    let _unit = outer::inner::Unit + outer::inner::Unit;
    let _guard = outer::Guard;
    let mut texts: Vec<String> = (0..total).map(|i| format!("{i:?}")).filter(|s| s.len() > 1).collect();
    texts.sort_by(|a, b| b.cmp(a));
    texts.iter().map(|x| x.len()).sum::<usize>() + TABLE[total % 2]() + std::thread::spawn(move || total).join().unwrap()
}
