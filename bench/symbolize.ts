// SPDX-License-Identifier: Apache-2.0
//
// Do we say of an address what llvm-symbolizer says of it: the function, the inlined functions around it, file and line of
// each? Random addresses of the code of our own programs in C, C++, Rust and Go, compiled with -g, and of distribution
// libraries whose debug files are installed (libc6-dbg, libstdc++6-12-dbg, python3.11-dbg). Addresses that neither knows
// anything of agree in nothing and are counted apart; so are those that no symbol covers, by readelf, and that llvm-symbolizer
// names after the last symbol before them (all of the PLT is `_init` to it): we do not invent names across gaps.
//
//   HEARTHSCOPE_BENCH_ADDRESSES=100000   HEARTHSCOPE_BENCH_DIFFERENCES=5 (shown for each file)

import { existsSync } from 'node:fs';
import { zstdNames } from '@hearthscope/agent/symbolize/name-compression';
import { BinarySymbols } from '@hearthscope/profile/symbols/binary-symbols';
import { openFileAccess } from '@hearthscope/profile/symbols/dwarf/testing/file-access';
import {
  type ComparedFrame,
  framesOf,
  llvmSymbolizer,
  symbolizeWithLlvm,
  textAddresses,
} from '@hearthscope/profile/symbols/dwarf/testing/llvm-symbolizer';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { goFunctionName } from '@hearthscope/profile/symbols/go/go-names';
import { ProgramBuilder } from '../test/harness/program-builder.ts';
import { KNOWN_PROGRAMS } from '../test/testprogs/catalog.ts';
import type { Variant } from '../test/testprogs/variants.ts';
import { FileSymbols } from './harness/file-symbols.ts';
import { printTable } from './harness/statistics.ts';

const wanted = Number(process.env.HEARTHSCOPE_BENCH_ADDRESSES ?? 100_000);
const shownDifferences = Number(process.env.HEARTHSCOPE_BENCH_DIFFERENCES ?? 0);

interface Subject {
  readonly name: string;
  readonly path: string;
  /** Parts of all addresses. */
  readonly weight: number;
  readonly isGo?: boolean;
}

interface Result {
  readonly subject: Subject;
  readonly addresses: number;
  readonly withLines: number;
  readonly bothUnknown: number;
  /** Only llvm-symbolizer has a name, or we have a stub's: that of a symbol which ends before the address. */
  readonly acrossGap: number;
  readonly equal: number;
  readonly seconds: number;
  readonly llvmSeconds: number;
  readonly differences: readonly string[];
}

const withDebug = (language: Variant['language'], compiler: string, flags: string[]): Variant => ({
  name: `${compiler} ${flags.join(' ')}`,
  language,
  compiler,
  flags,
});

async function ownPrograms(builder: ProgramBuilder): Promise<Subject[]> {
  const variants: readonly (readonly [program: string, variant: Variant, weight: number])[] = [
    ['callbacks', withDebug('c', 'gcc', ['-g', '-O2']), 1],
    ['frames', withDebug('c', 'clang-19', ['-g', '-O2']), 1],
    ['signals', withDebug('c', 'gcc', ['-g', '-O3', '-gdwarf-4']), 1],
    ['standard_library', withDebug('cpp', 'g++', ['-g', '-O2']), 3],
    ['standard_library', withDebug('cpp', 'clang++-19', ['-g', '-O2']), 3],
    ['exceptions', withDebug('cpp', 'g++', ['-g', '-O0', '-gz=zlib']), 1],
    ['rust_known', withDebug('rust', 'rustc', ['-g', '-C', 'opt-level=2']), 4],
    ['go_known', withDebug('go', 'go', []), 4],
  ];
  const subjects: Subject[] = [];
  for (const [name, variant, weight] of variants) {
    if (!builder.hasCompiler(variant.compiler)) {
      console.error(`left out, for want of ${variant.compiler}: ${name}`);
      continue;
    }
    const { path } = await builder.build(KNOWN_PROGRAMS.find((program) => program.name === name)!, variant);
    subjects.push({ name: `${name}, ${variant.name}`, path, weight, isGo: variant.language === 'go' });
  }
  return subjects;
}

function distributionFiles(): Subject[] {
  const libraries = '/usr/lib/x86_64-linux-gnu';
  return [
    { name: 'libc6-dbg: libc', path: `${libraries}/libc.so.6`, weight: 6 },
    { name: 'libc6-dbg: libm', path: `${libraries}/libm.so.6`, weight: 2 },
    { name: 'libstdc++6-12-dbg', path: `${libraries}/debug/libstdc++.so.6`, weight: 4 },
    { name: 'python3.11-dbg: python', path: '/usr/bin/python3.11', weight: 5 },
    { name: 'python3.11-dbg: debug build', path: '/usr/bin/python3.11d', weight: 3 },
    { name: 'libstdc++6, symbols alone', path: `${libraries}/libstdc++.so.6`, weight: 1 },
  ].filter(({ name, path }) => {
    const isThere = existsSync(path);
    if (!isThere) console.error(`left out, not installed: ${name} (${path})`);
    return isThere;
  });
}

function open(path: string): ElfFile {
  return new ElfFile(openFileAccess(path));
}

/** The separate debug file, where distributions install it. */
function debugFileOf(binary: ElfFile): string | undefined {
  const id = binary.buildId;
  if (id === '') return undefined;
  const path = `/usr/lib/debug/.build-id/${id.slice(0, 2)}/${id.slice(2)}.debug`;
  return existsSync(path) ? path : undefined;
}

function measure(subject: Subject, count: number): Result {
  const binary = open(subject.path);
  const debug = debugFileOf(binary);
  const addresses = textAddresses(binary, count, 1);
  const started = performance.now();
  const symbols = BinarySymbols.read(
    { binary, ...(debug === undefined ? {} : { debug: open(debug) }) },
    { compression: zstdNames, lines: true, demangle: 'none' },
  );
  const frames = symbols.lookUp(addresses);
  const seconds = (performance.now() - started) / 1000;
  const llvmStarted = performance.now();
  const theirs = symbolizeWithLlvm(debug ?? subject.path, addresses, 'linkage');
  const llvmSeconds = (performance.now() - llvmStarted) / 1000;

  const known = new FileSymbols([subject.path, ...(debug === undefined ? [] : [debug])]);
  let [withLines, bothUnknown, acrossGap, equal] = [0, 0, 0, 0];
  const differences: string[] = [];
  for (let i = 0; i < addresses.length; i++) {
    const [own, llvm] = [framesOf(frames, i), theirs[i]!];
    if (llvm.some(({ line }) => line > 0)) withLines++;
    if (own.length === 0 && llvm.length === 0) bothUnknown++;
    else if (isEqual(own, llvm, known, subject.isGo)) equal++;
    else if (isNameAlone(llvm) && isNameAlone(own) && !known.covers(Number(addresses[i]))) acrossGap++;
    else if (differences.length < shownDifferences) {
      differences.push(
        `0x${addresses[i]!.toString(16)}\n    ours: ${chainText(own, subject.isGo)}\n    llvm: ${chainText(llvm, subject.isGo)}`,
      );
    }
  }
  return {
    subject,
    addresses: addresses.length,
    withLines,
    bothUnknown,
    acrossGap,
    equal,
    seconds,
    llvmSeconds,
    differences,
  };
}

/** Nothing, or what can come from a symbol table. */
function isNameAlone(chain: readonly ComparedFrame[]): boolean {
  return chain.length <= 1 && chain.every(({ line }) => line === 0);
}

function isEqual(
  own: readonly ComparedFrame[],
  llvm: readonly ComparedFrame[],
  symbols: FileSymbols,
  isGo = false,
): boolean {
  if (chainText(own, isGo) === chainText(llvm, isGo)) return true;
  const [outer, theirs] = [own.at(-1), llvm.at(-1)];
  if (outer === undefined || theirs === undefined || !symbols.areOne(outer.name, theirs.name)) return false;
  return chainText([...own.slice(0, -1), { ...outer, name: theirs.name }], isGo) === chainText(llvm, isGo);
}

/**
 * Function, file and line of each frame. Go's own way of writing type arguments counts as the same name, and a file
 * without a line as none: without debug information, llvm-symbolizer takes it from the symbol table.
 */
function chainText(chain: readonly ComparedFrame[], isGo = false): string {
  const place = (file: string, line: number) => (line === 0 ? '' : `${file}:${line}`);
  return chain
    .map(({ name, file, line }) =>
      isGo
        ? `${goFunctionName(name)} ${place(file.replace(/^\.\//, ''), line)}`
        : `${name} ${place(file, line)}`,
    )
    .join(' < ');
}

const builder = new ProgramBuilder();
try {
  const subjects = [...(await ownPrograms(builder)), ...distributionFiles()];
  const weights = subjects.reduce((sum, { weight }) => sum + weight, 0);
  const results: Result[] = [];
  for (const subject of subjects) {
    const result = measure(subject, Math.ceil((wanted * subject.weight) / weights));
    results.push(result);
    for (const text of result.differences) console.error(`${subject.name} ${text}`);
  }
  const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
  printTable(
    `Function, inlined functions, file and line as ${llvmSymbolizer} has them`,
    ['file', 'addresses', 'with lines', 'both unknown', 'across gaps', 'equal', 'ours, s', 'llvm, s'],
    results.map((r) => [
      r.subject.name,
      `${r.addresses}`,
      `${((100 * r.withLines) / r.addresses).toFixed(1)} %`,
      `${r.bothUnknown}`,
      `${r.acrossGap}`,
      `${((100 * r.equal) / Math.max(1, r.addresses - r.bothUnknown - r.acrossGap)).toFixed(3)} %`,
      r.seconds.toFixed(2),
      r.llvmSeconds.toFixed(2),
    ]),
  );
  const known = sum((r) => r.addresses - r.bothUnknown - r.acrossGap);
  printTable(
    'All together',
    ['figure', 'value', 'target'],
    [
      ['addresses', `${sum((r) => r.addresses)}`, '100000'],
      [
        'with lines from DWARF',
        `${((100 * sum((r) => r.withLines)) / sum((r) => r.addresses)).toFixed(1)} %`,
        '70 %',
      ],
      ['both unknown', `${sum((r) => r.bothUnknown)}`, ''],
      [
        'equal, of those that one of them knows',
        `${((100 * sum((r) => r.equal)) / known).toFixed(3)} %`,
        '99.9 %',
      ],
      ['time, ours / llvm-symbolizer', (sum((r) => r.seconds) / sum((r) => r.llvmSeconds)).toFixed(2), ''],
    ],
  );
} finally {
  builder.remove();
}
