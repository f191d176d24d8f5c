// SPDX-License-Identifier: Apache-2.0
//
// Rust names of a source compiled here: v0 against LLVM's demangler, legacy against the same source's v0 names.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { demangle } from './demangle.ts';
import { decodePunycode } from './punycode.ts';
import { filterNames, findTool, llvmCxxfilt, mangledNames } from './testing/reference-demangler.ts';

const found = findTool('rustc');
// What rustup puts in the place of rustc may have no compiler behind it.
const rustc = found !== undefined && spawnSync(found, ['--version']).status === 0 ? found : undefined;
const withoutRust = rustc === undefined ? 'SKIPPED: rustc is not installed' : false;
const withoutLlvm = llvmCxxfilt === undefined ? 'SKIPPED: llvm-cxxfilt-19 is not installed' : false;

describe('a compiled source', () => {
  const folder = mkdtempSync(join(tmpdir(), 'demangle-'));
  after(() => rmSync(folder, { recursive: true }));

  function namesOf(scheme: 'legacy' | 'v0'): string[] {
    const library = join(folder, `${scheme}.so`);
    const source = new URL('testing/names.rs', import.meta.url).pathname;
    // Newer compilers take the legacy scheme as unstable.
    const options = ['-Zunstable-options', `-Csymbol-mangling-version=${scheme}`, '--crate-name=names'];
    execFileSync(rustc!, ['--edition=2021', '--crate-type=cdylib', ...options, '-o', library, source], {
      env: { ...process.env, RUSTC_BOOTSTRAP: '1' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return mangledNames(library);
  }

  test('v0 names are read as LLVM reads them', { skip: withoutRust || withoutLlvm }, () => {
    const names = namesOf('v0').filter((name) => name.startsWith('_R'));
    assert.ok(names.length > 100, `only ${names.length} names`);
    assert.deepEqual(
      names.map((name) => demangle(name, 'full')),
      filterNames(llvmCxxfilt!, names),
    );
  });

  test('own functions of the legacy scheme', { skip: withoutRust }, () => {
    const readable = new Set(namesOf('legacy').map((name) => demangle(name, 'full')));
    for (const name of [
      'names::boxed',
      'names::dynamic',
      'names::made',
      'names::made::nested',
      'names::Größe<T,_>::länge',
      'names::Größe<T,_>::länge::{{closure}}',
      'names::Größe<T,_>::länge::{{closure}}::{{closure}}',
      '<names::Square as names::Shape>::area',
      '<names::outer::inner::Unit as core::ops::arith::Add>::add',
      'names::outer::inner::<impl core::ops::drop::Drop for names::outer::Guard>::drop',
    ]) {
      assert.ok(
        readable.has(name),
        `${name} is not among ${[...readable].filter((n) => n.includes('names::')).join('\n')}`,
      );
    }
  });
});

test('v0 names', () => {
  const names = [
    ['_RNvC6_123foo3bar', '123foo::bar'],
    [
      '_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y',
      'utf8_idents::საჭმელად_გემრიელი_სადილი',
    ],
    ['_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_', 'cc::spawn::{closure#0}::{closure#0}'],
    ['_RNSNvC5crate4work6vtable', 'crate::work::{shim:vtable#0}'],
    ['_RMC0INtC8arrayvec8ArrayVechKj7b_E', '<arrayvec::ArrayVec<u8, 123>>'],
    ['_RMC0FUKCRLB_uEu', ''],
    ['_RMC0FG_RL0_hEu', "<for<'a> fn(&'a u8)>"],
    ['_RMC0FUK3C_ahEj', '<unsafe extern "C-a" fn(u8) -> usize>'],
    ['_RMC0DNtC4core4SendEL_', '<dyn core::Send>'],
    ['_RMC0Thuzup_E', ''],
    ['_RMC0ThuzE', '<(u8, (), !)>'],
    ['_RIC1aKc27_E', "a::<'\\''>"],
    ['_RIC1aKb1_Kin5_Kp_E', ''],
    ['_RIC1aKb1_Kin5_KpE', 'a::<true, -5, _>'],
    ['_RIC1aKRe616263_E', 'a::<{"abc"}>'],
    ['_RIC1aKe616263_E', 'a::<{*"abc"}>'],
    ['_RIC1aKRAh1_h2_EE', 'a::<{&[1, 2]}>'],
    ['_RIC1aKQTh1_EE', 'a::<{&mut (1,)}>'],
    ['_RIC1aKVNtC1b1CUE', 'a::<{b::C}>'],
    ['_RIC1aKVNtC1b1CTh1_EE', 'a::<{b::C(1)}>'],
    ['_RIC1aKVNtC1b1CS1xh1_1yb0_EE', 'a::<{b::C { x: 1, y: false }}>'],
    ['_RNvC5crate4work.llvm.123', 'crate::work (.llvm.123)'],
  ] as const;
  for (const [mangled, readable] of names)
    assert.equal(demangle(mangled, 'full'), readable || mangled, mangled);
});

test('Punycode', () => {
  assert.equal(decodePunycode('Gre_6ka8i'), 'Größe');
  assert.equal(decodePunycode('lnge_loa'), 'länge');
  assert.equal(decodePunycode('n3h'), '☃');
  assert.equal(decodePunycode(''), '');
  assert.equal(decodePunycode('abc_'), 'abc');
  assert.equal(decodePunycode('A'), undefined);
  assert.equal(decodePunycode('99999999'), undefined);
  assert.equal(decodePunycode('a'.repeat(1025)), undefined);
});
