// SPDX-License-Identifier: Apache-2.0
//
// By hand: compares all names of the files given with LLVM's and, where those differ, with GNU's demangler, and measures
// the time. `rustc-demangle` in the form `{:#}` may be given as a filter in RUSTC_DEMANGLE.
//
//   node --conditions=source profile/src/symbols/demangle/testing/compare-libraries.ts /usr/lib/…/libstdc++.so.6 …

import { demangle } from '../demangle.ts';
import { filterNames, findTool, llvmCxxfilt, mangledNames } from './reference-demangler.ts';

const rustLegacy = /17h[0-9a-f]{16}E/;
const shownExamples = 5;

const gnu = findTool('c++filt');
const rust = process.env.RUSTC_DEMANGLE;
if (llvmCxxfilt === undefined) throw new Error('llvm-cxxfilt-19 is not installed');

const withoutSpaces = (name: string) => name.replaceAll(' ', '');

for (const path of process.argv.slice(2)) {
  const names = mangledNames(path);
  const before = process.cpuUsage();
  const ours = names.map((name) => demangle(name, 'full'));
  const { user, system } = process.cpuUsage(before);

  // LLVM shows Rust's legacy names as C++ names with their hash.
  const chosen = names.flatMap((name, i) => (rustLegacy.test(name) ? [] : [{ name, ours: ours[i]! }]));
  const llvms = filterNames(
    llvmCxxfilt,
    chosen.map(({ name }) => name),
  );
  const different = chosen.flatMap((entry, i) =>
    entry.ours === llvms[i] ? [] : [{ ...entry, llvm: llvms[i]! }],
  );
  const gnus =
    gnu === undefined
      ? []
      : filterNames(
          gnu,
          different.map(({ name }) => name),
        );
  const unexplained = different.filter(
    (entry, i) => withoutSpaces(gnus[i] ?? '') !== withoutSpaces(entry.ours),
  );
  console.log(
    `${path}: ${chosen.length} names, ${different.length} other than LLVM's` +
      ` (${different.filter(({ name, llvm }) => name === llvm).length} that LLVM cannot read),` +
      ` ${unexplained.length} of them other than GNU's too;` +
      ` ${((user + system) / names.length).toFixed(2)} µs each`,
  );
  for (const entry of unexplained.slice(0, shownExamples)) {
    console.log(`  ${entry.name}\n    LLVM ${entry.llvm}\n    ours ${entry.ours}`);
  }

  const rustNames =
    rust === undefined ? [] : names.filter((name) => rustLegacy.test(name) || name.startsWith('_R'));
  // The crate hides LLVM's suffix and shows others as they are.
  const plain = rustNames.map((name) => name.replace(/\..*$/, ''));
  const crates = rust === undefined ? [] : filterNames(rust, plain);
  const differentRust = plain.filter((name, i) => demangle(name, 'full') !== crates[i]);
  if (rust !== undefined)
    console.log(`  ${plain.length} Rust names, ${differentRust.length} other than the crate's`);
  for (const name of differentRust.slice(0, shownExamples))
    console.log(`  ${name}\n    ours ${demangle(name, 'full')}`);
}
