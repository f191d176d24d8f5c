// SPDX-License-Identifier: Apache-2.0
//
// C++ names against LLVM's demangler: of sources compiled here, of installed libraries, and made-up ones.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { demangle } from './demangle.ts';
import { rareNames } from './testing/rare-names.ts';
import { compile, filterNames, findTool, llvmCxxfilt, mangledNames } from './testing/reference-demangler.ts';

const sources = ['classes', 'concepts', 'expressions', 'operators', 'scopes', 'templates', 'types'];
const compilers = [
  { name: 'clang++', path: findTool('clang++-19', 'clang++'), options: ['-std=c++23', '-w', '-c'] },
  { name: 'g++', path: findTool('g++'), options: ['-std=c++20', '-w', '-c'] },
];

/** The first of each list that is installed is taken. */
const libraries = [
  ['/usr/lib/x86_64-linux-gnu/libstdc++.so.6', '/usr/lib/aarch64-linux-gnu/libstdc++.so.6'],
  ['/usr/lib/llvm-19/lib/libclang-cpp.so.19.1', '/usr/lib/x86_64-linux-gnu/libclang-cpp.so.14'],
];
const namesPerLibrary = 15_000;

const withoutLlvm = llvmCxxfilt === undefined ? 'SKIPPED: llvm-cxxfilt-19 is not installed' : false;

/** Where LLVM 19 is known to be wrong: it forgets that a template template parameter can be referred to again. */
function llvmMisreads(name: string): boolean {
  return /T\d*_I/.test(name);
}

function compareWithLlvm(names: readonly string[]): void {
  const llvms = filterNames(llvmCxxfilt!, names);
  const different = names.flatMap((name, i) => {
    const llvm = llvms[i]!;
    const ours = demangle(name, 'full');
    // Names that LLVM leaves as they are may be readable for us.
    return ours === llvm || llvm === name || llvmMisreads(name) ? [] : [{ name, llvm, ours }];
  });
  assert.deepEqual(different, []);
}

test('made-up names', () => {
  for (const [mangled, readable] of rareNames) assert.equal(demangle(mangled, 'full'), readable, mangled);
});

test('made-up names are read as LLVM reads them', { skip: withoutLlvm }, () => {
  const llvms = filterNames(
    llvmCxxfilt!,
    rareNames.map(([mangled]) => mangled),
  );
  assert.deepEqual(
    llvms,
    rareNames.map(([, readable]) => readable),
  );
});

describe('compiled sources', () => {
  const folder = mkdtempSync(join(tmpdir(), 'demangle-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const { name: compiler, path, options } of compilers) {
    const skip = withoutLlvm || (path === undefined ? `SKIPPED: ${compiler} is not installed` : false);
    for (const source of sources) {
      test(`${source}.cpp of ${compiler}`, { skip }, () => {
        const object = join(folder, `${source}.${compiler}.o`);
        compile(path!, options, `${source}.cpp`, object);
        const names = mangledNames(object);
        assert.ok(names.length > 10, `only ${names.length} names`);
        compareWithLlvm(names);
      });
    }
  }
});

describe('installed libraries', () => {
  for (const candidates of libraries) {
    const path = candidates.find(existsSync);
    const skip =
      withoutLlvm || (path === undefined ? `SKIPPED: none of ${candidates.join(', ')} is installed` : false);
    test(path ?? candidates[0]!, { skip }, () => {
      const names = mangledNames(path!);
      const step = Math.max(1, Math.floor(names.length / namesPerLibrary));
      compareWithLlvm(names.filter((_, i) => i % step === 0));
    });
  }
});

test('modes keep to their parts of a name', () => {
  for (const [mangled, readable] of rareNames) {
    const templates = demangle(mangled, 'templates');
    assert.ok(templates.length <= readable.length, `${mangled}: ${templates}`);
    assert.ok(demangle(mangled, 'simplified').length <= templates.length, mangled);
  }
});
