// SPDX-License-Identifier: Apache-2.0
//
// The ways in which the test programs are built: each changes what the compiler leaves on the stack, or where the
// unwinder finds out about it.

import type { KnownProgram, Language } from './catalog.ts';

export interface Variant {
  readonly name: string;
  readonly language: Language;
  /** On the PATH, or the variant is left out, loudly. */
  readonly compiler: string;
  readonly flags: readonly string[];
  /** libc and the like are part of the program's own file, or of no shared file that is named like one. */
  readonly ownLibraries?: boolean;
  /** Its libc says nothing of its own frames: no stack through it can be whole but with frame pointers. */
  readonly withoutUnwindTables?: boolean;
  /** Programs that cannot be built so. */
  readonly without?: (program: KnownProgram) => boolean;
}

const withLibraries = (program: KnownProgram): boolean => program.libraries !== undefined;

/** `-g0`: names come from .symtab, as they do in what people compile. */
const omit = ['-g0', '-fomit-frame-pointer'];

/** Compiled without any unwind table that is loaded: .debug_frame alone knows. */
const debugFrameOnly = ['-g', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-fno-exceptions'];

const C_VARIANTS: readonly Variant[] = [
  ...['gcc', 'clang-19'].flatMap((compiler): Variant[] =>
    ['-O0', '-O2', '-O3', '-Os'].map((level) => ({
      name: `${compiler} ${level}`,
      language: 'c',
      compiler,
      flags: [level, ...omit],
    })),
  ),
  {
    name: 'gcc frame pointers',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', '-g', '-fno-omit-frame-pointer'],
  },
  {
    name: 'gcc realigned',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', ...omit, '-mstackrealign', '-mavx2', '-ftree-vectorize'],
  },
  {
    name: 'gcc .debug_frame',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', '-fomit-frame-pointer', ...debugFrameOnly],
  },
  {
    name: 'clang-19 .debug_frame',
    language: 'c',
    compiler: 'clang-19',
    flags: ['-O2', '-fomit-frame-pointer', ...debugFrameOnly],
  },
  {
    name: 'gcc static',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', ...omit, '-static'],
    ownLibraries: true,
    without: withLibraries,
  },
  {
    name: 'gcc static-pie',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', ...omit, '-static-pie', '-fPIE'],
    ownLibraries: true,
    without: withLibraries,
  },
  {
    name: 'gcc lazy binding',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', ...omit, '-Wl,-z,lazy', '-fcf-protection=none'],
  },
  {
    name: 'gcc lazy binding, IBT',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', ...omit, '-Wl,-z,lazy', '-Wl,-z,ibtplt', '-fcf-protection=full'],
  },
  {
    name: 'gcc bound at start',
    language: 'c',
    compiler: 'gcc',
    flags: ['-O2', ...omit, '-Wl,-z,now', '-no-pie'],
  },
  {
    name: 'musl',
    language: 'c',
    compiler: 'musl-gcc',
    flags: ['-O2', ...omit],
    withoutUnwindTables: true,
    without: withLibraries,
  },
  {
    name: 'musl static',
    language: 'c',
    compiler: 'musl-gcc',
    flags: ['-O2', ...omit, '-static'],
    ownLibraries: true,
    withoutUnwindTables: true,
    without: withLibraries,
  },
];

const CPP_VARIANTS: readonly Variant[] = [
  ...['g++', 'clang++-19'].flatMap((compiler): Variant[] =>
    ['-O0', '-O2', '-O3', '-Os'].map((level) => ({
      name: `${compiler} ${level}`,
      language: 'cpp',
      compiler,
      flags: [level, ...omit],
    })),
  ),
  {
    name: 'g++ static',
    language: 'cpp',
    compiler: 'g++',
    flags: ['-O2', ...omit, '-static'],
    ownLibraries: true,
  },
  {
    name: 'g++ static-pie',
    language: 'cpp',
    compiler: 'g++',
    flags: ['-O2', ...omit, '-static-pie', '-fPIE'],
    ownLibraries: true,
  },
];

const RUST_VARIANTS: readonly Variant[] = [
  { name: 'rustc 0', language: 'rust', compiler: 'rustc', flags: ['-C', 'opt-level=0'] },
  { name: 'rustc 3', language: 'rust', compiler: 'rustc', flags: ['-C', 'opt-level=3'] },
  {
    name: 'rustc 3, v0 names, static',
    language: 'rust',
    compiler: 'rustc',
    flags: ['-C', 'opt-level=3', '-C', 'symbol-mangling-version=v0', '-C', 'target-feature=+crt-static'],
  },
];

const GO_VARIANTS: readonly Variant[] = [
  { name: 'go', language: 'go', compiler: 'go', flags: [] },
  {
    name: 'go stripped',
    language: 'go',
    compiler: 'go',
    flags: ['-ldflags=-s -w'],
    // C functions have no names without a symbol table.
    without: ({ name }) => name === 'go_cgo',
  },
  { name: 'go -N -l', language: 'go', compiler: 'go', flags: ['-gcflags=-N -l'] },
];

export const VARIANTS: readonly Variant[] = [
  ...C_VARIANTS,
  ...CPP_VARIANTS,
  ...RUST_VARIANTS,
  ...GO_VARIANTS,
];

/** All variants of the program. */
export function variantsOf(program: KnownProgram): Variant[] {
  return VARIANTS.filter(
    (variant) => variant.language === program.language && variant.without?.(program) !== true,
  );
}

/** Code that is not the program's own may lie in the program's own file. */
export function hasOwnLibraries({ language, ownLibraries }: Variant): boolean {
  return language !== 'c' || ownLibraries === true;
}
