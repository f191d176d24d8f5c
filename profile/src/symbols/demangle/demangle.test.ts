// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { demangle } from './demangle.ts';
import { demangleLimits } from './demangle-limits.ts';

/** Mangled name, simplified, templates, full. */
const modes: readonly (readonly [string, string, string, string])[] = [
  ['_Z4workPKci', 'work', 'work', 'work(char const*, int)'],
  [
    '_ZNKSt3mapIijE2atEi',
    'std::map::at',
    'std::map<int, unsigned int>::at',
    'std::map<int, unsigned int>::at(int) const',
  ],
  [
    '_ZNSt3mapIijEixERKi',
    'std::map::operator[]',
    'std::map<int, unsigned int>::operator[]',
    'std::map<int, unsigned int>::operator[](int const&)',
  ],
  ['_Z3maxIiET_S0_S0_', 'max', 'max<int>', 'int max<int>(int, int)'],
  ['_ZltIiEvT_', 'operator<', 'operator<<int>', 'void operator<<int>(int)'],
  ['_ZlsIiEvT_', 'operator<<', 'operator<<<int>', 'void operator<<<int>(int)'],
  ['_ZgtIiEbT_', 'operator>', 'operator><int>', 'bool operator><int>(int)'],
  ['_ZN1A1BIiEptEv', 'A::B::operator->', 'A::B<int>::operator->', 'A::B<int>::operator->()'],
  ['_ZN1AclIiEEvT_', 'A::operator()', 'A::operator()<int>', 'void A::operator()<int>(int)'],
  [
    '_ZN1AcvSt6vectorIT_EIiEEv',
    'A::operator std::vector',
    'A::operator std::vector<int><int>',
    'A::operator std::vector<int><int>()',
  ],
  ['_ZN6VectorIiED2Ev', 'Vector::~Vector', 'Vector<int>::~Vector', 'Vector<int>::~Vector()'],
  [
    '_ZNSsC1EPKc',
    'std::basic_string::basic_string',
    'std::basic_string<char, std::char_traits<char>, std::allocator<char>>::basic_string',
    'std::basic_string<char, std::char_traits<char>, std::allocator<char>>::basic_string(char const*)',
  ],
  [
    '_ZZ4mainENKUlT_E0_clIiEEDaS_',
    "main::'lambda0'::operator()",
    "main::'lambda0'::operator()<int>",
    "auto main::'lambda0'(auto)::operator()<int>(auto) const",
  ],
  ['_ZZN4PoolIiE3runEvE5state', 'Pool::run::state', 'Pool<int>::run::state', 'Pool<int>::run()::state'],
  [
    '_ZNSt8functionIFiPKcEE4callEv',
    'std::function::call',
    'std::function<int (char const*)>::call',
    'std::function<int (char const*)>::call()',
  ],
  ['_ZTV6VectorIiE', 'vtable for Vector', 'vtable for Vector<int>', 'vtable for Vector<int>'],
  [
    '_ZThn8_N1AIiE1fEv',
    'non-virtual thunk to A::f',
    'non-virtual thunk to A<int>::f',
    'non-virtual thunk to A<int>::f()',
  ],
  ['_Z4workv.cold', 'work (.cold)', 'work (.cold)', 'work() (.cold)'],
  ['_Z2c1ITk5SmalliEvT_Q5OtherIT_E', 'c1', 'c1<int>', 'void c1<int>(int) requires Other<T>'],
  [
    '_RINvNtCs123_5crate3mod4workNtB2_4TypejE',
    'crate::mod::work',
    'crate::mod::work::<crate::mod::Type, usize>',
    'crate::mod::work::<crate::mod::Type, usize>',
  ],
  [
    '_RNvXCs123_5crateINtNtB2_3vec3VechENtB2_5Trait4drop',
    '<crate::vec::Vec as crate::Trait>::drop',
    '<crate::vec::Vec<u8> as crate::Trait>::drop',
    '<crate::vec::Vec<u8> as crate::Trait>::drop',
  ],
  [
    '_RNvXCs123_5crateDINtB2_5TraithEp4ItemjEL_NtB2_5Other4drop',
    '<dyn crate::Trait as crate::Other>::drop',
    '<dyn crate::Trait<u8, Item = usize> as crate::Other>::drop',
    '<dyn crate::Trait<u8, Item = usize> as crate::Other>::drop',
  ],
  [
    '_RNCNvCs123_5crate4main0',
    'crate::main::{closure#0}',
    'crate::main::{closure#0}',
    'crate::main::{closure#0}',
  ],
  [
    '_ZN70_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE',
    '<alloc::vec::Vec as core::ops::drop::Drop>::drop',
    '<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop',
    '<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop',
  ],
  [
    '_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE.llvm.42',
    'core::ptr::drop_in_place',
    'core::ptr::drop_in_place<alloc::string::String>',
    'core::ptr::drop_in_place<alloc::string::String>',
  ],
  [
    '_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE',
    'std::rt::lang_start::{{closure}}',
    'std::rt::lang_start::{{closure}}',
    'std::rt::lang_start::{{closure}}',
  ],
];

describe('modes', () => {
  for (const [name, simplified, templates, full] of modes) {
    test(full, () => {
      assert.equal(demangle(name, 'none'), name);
      assert.equal(demangle(name, 'simplified'), simplified);
      assert.equal(demangle(name, 'templates'), templates);
      assert.equal(demangle(name, 'full'), full);
    });
  }
});

test('an additional underscore does not matter', () => {
  assert.equal(demangle('__Z4workPKci', 'full'), 'work(char const*, int)');
  assert.equal(demangle('__RNvCs123_5crate4work', 'full'), 'crate::work');
  assert.equal(demangle('__ZN4core3fmt17h0123456789abcdefE', 'full'), 'core::fmt');
});

test('names that are not mangled or damaged come back as they are', () => {
  const names = [
    '',
    '_',
    'main',
    '_start',
    '__libc_start_main',
    'runtime.mcall',
    'Java_sun_nio_ch_Net_poll',
    '_D3std5stdio4File5closeMFZv',
    '?method@Class@@QEAAXXZ',
    '_Z',
    '_ZN',
    '_Zwork',
    '_Z4wor',
    '_Z4workPKcX',
    '_Z4workv trailing',
    '_Z1fT_',
    '_Z1fS_',
    '_Z1fIiEvT0_',
    '___Z4workv',
    '_R',
    '_RNvC5crate4wor',
    '_R0NvC5crate4work',
    '_RNvB_4work',
    '_RIC1aL0_E',
    '_RNvC5crate4work5extra',
  ];
  for (const name of names) {
    for (const mode of ['none', 'simplified', 'templates', 'full'] as const) {
      assert.equal(demangle(name, mode), name);
    }
  }
});

test('names that LLVM 19 cannot read, but compilers write', () => {
  assert.equal(
    demangle('_ZGTtNSt11logic_errorD1Ev', 'full'),
    'transaction clone for std::logic_error::~logic_error()',
  );
  assert.equal(demangle('_ZNK1ApmEi', 'full'), 'A::operator->*(int) const');
  assert.equal(demangle('_ZN1BILDu120EE1fEv', 'full'), 'B<(char8_t)120>::f()');
  assert.equal(demangle('_Z1fPDF16b', 'full'), 'f(std::bfloat16_t*)');
  assert.equal(demangle('_Z1fPDB17_S0_S_', 'full'), 'f(_BitInt(17)*, _BitInt(17)*, _BitInt(17))');
  assert.equal(demangle('_Z1fIiEDTcp3fooT_EET_', 'full'), 'decltype((foo)(int)) f<int>(int)');
  assert.equal(demangle('_Z1fDF64x', 'full'), 'f(_Float64x)');
  assert.equal(demangle('_Z1fIiEDTawT_ET_', 'full'), 'decltype(co_await int) f<int>(int)');
  assert.equal(demangle('_RIC1aKcfc_E', 'full'), "a::<'ü'>");
  // A template template parameter is a component of its own, besides the type that is made of it.
  assert.equal(demangle('_Z1fI1AEvT_IiEPvS2_', 'full'), 'void f<A>(A<int>, void*, A<int>)');
});

/** `S_`, `S0_`, … */
const substitution = (index: number) => (index === 0 ? 'S_' : `S${(index - 1).toString(36).toUpperCase()}_`);

describe('limits', () => {
  const { maxInputLength, maxOutputLength, maxDepth } = demangleLimits;

  test('length of the mangled name', () => {
    const nameOf = (length: number) => `_Z1fv.${'x'.repeat(length - 6)}`;
    assert.equal(demangle(nameOf(maxInputLength), 'full'), `f() (.${'x'.repeat(maxInputLength - 6)})`);
    assert.equal(demangle(nameOf(maxInputLength + 1), 'full'), nameOf(maxInputLength + 1));
  });

  test('length of the readable name', () => {
    // Each `S_` prints as 100 letters, and a comma and a space between two.
    const nameOf = (count: number) => `_Z1f100${'a'.repeat(100)}${'S_'.repeat(count - 1)}`;
    const fitting = Math.floor((maxOutputLength - 'f()'.length + 2) / 102);
    assert.equal(demangle(nameOf(fitting), 'full').length, fitting * 102 - 2 + 'f()'.length);
    assert.equal(demangle(nameOf(fitting + 1), 'full'), nameOf(fitting + 1));
  });

  test('depth', () => {
    const nameOf = (depth: number) => `_Z1f${'P'.repeat(depth)}i`;
    const deepest = maxDepth - 2;
    assert.equal(demangle(nameOf(deepest), 'full'), `f(int${'*'.repeat(deepest)})`);
    assert.equal(demangle(nameOf(maxDepth), 'full'), nameOf(maxDepth));
    const rustOf = (depth: number) => `_RMC1a${'S'.repeat(depth)}u`;
    assert.equal(demangle(rustOf(deepest), 'full'), `<${'['.repeat(deepest)}()${']'.repeat(deepest)}>`);
    assert.equal(demangle(rustOf(maxDepth), 'full'), rustOf(maxDepth));
  });

  test('substitutions that double what they stand for', () => {
    let doubled = '_Z1f1AIiiE';
    for (let i = 1; i < 60; i++) doubled += `S_I${substitution(i)}${substitution(i)}E`;
    assert.equal(demangle(doubled, 'full'), doubled);
  });

  test('expansions that print nothing', () => {
    let empty = '_Z1fIJEEvDpT_';
    for (let i = 0; i < 60; i++) empty += `Dp1AI${substitution(1 + 3 * i)}${substitution(1 + 3 * i)}E`;
    assert.equal(demangle(empty, 'full'), empty);
  });

  test('references to earlier positions of Rust names', () => {
    const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
    let doubled = '_RIC1aTuuE';
    for (let i = 0, earlier = 4; i < 60; i++) {
      const at = earlier - 1;
      const reference = `B${at < 62 ? digits[at] : digits[Math.floor(at / 62)]! + digits[at % 62]}_`;
      earlier = doubled.length - '_R'.length;
      doubled += `T${reference}${reference}E`;
    }
    doubled += 'E';
    assert.equal(demangle(doubled, 'full'), doubled);
    const lifetimes = '_RIC1aFGzzzzzz_EuE';
    assert.equal(demangle(lifetimes, 'full'), lifetimes);
  });
});
