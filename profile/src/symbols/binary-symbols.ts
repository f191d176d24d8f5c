// SPDX-License-Identifier: Apache-2.0
//
// All that is known of one binary, as one answer per address. The sources:
//
//   chain, file, line   Go's pclntab for Go code, else DWARF; each opened when it is first asked
//   function name       Go: from the pclntab. Else the symbol that covers the address: .symtab of the binary, of its
//                       separate debug file or of .gnu_debugdata, and .dynsym; where none does, what DWARF says, then
//                       the PLT stub (`malloc@plt`)
//   none of them        no frame: shown as `binary+0xoffset`
//
// The outermost function has the symbol's name even where DWARF has one, since only then do a stripped and an
// unstripped copy of a binary agree, and DWARF says `__libc_malloc` where everybody says `malloc`. Functions that were
// inlined have no symbols; their names are DWARF's.

import { FormatError } from '../errors.ts';
import { type DemangleMode, demangle } from './demangle/demangle.ts';
import type { DwarfLimits } from './dwarf/dwarf-limits.ts';
import { DwarfSymbols } from './dwarf/dwarf-symbols.ts';
import type { ElfFile } from './elf.ts';
import { hasSymtab, readElfSymbols } from './elf-symbols.ts';
import { GoSymbols } from './go/go-symbols.ts';
import { readMiniDebugInfo } from './mini-debug-info.ts';
import type { NameCompression } from './name-store.ts';
import { readPltSymbols } from './plt/plt-symbols.ts';
import { unpackSection } from './section-compression.ts';
import { noSourceFrames, type SourceFrames, SourceFramesBuilder } from './source-frames.ts';
import type { SymbolTable } from './symbol-table.ts';

/** The files that describe one binary; at least `binary` or `debug`. All have the same virtual addresses. */
export interface BinaryFiles {
  /** The file that is mapped. Without it there are no names of Go functions and of PLT stubs. */
  readonly binary?: ElfFile;
  /** Its separate debug file. */
  readonly debug?: ElfFile;
  /** What .gnu_debugaltlink names (dwz). */
  readonly alternate?: ElfFile;
  /** Split DWARF: the package, or how to open a .dwo by its name. */
  readonly dwp?: ElfFile;
  readonly openDwo?: (name: string, compDir: string, id: bigint) => ElfFile | undefined;
}

export interface BinarySymbolsOptions {
  /** How the names of the symbol table are kept. */
  readonly compression: NameCompression;
  /** False: names of symbols only, without inlined functions, files and lines. */
  readonly lines: boolean;
  readonly demangle: DemangleMode;
  readonly dwarfLimits?: DwarfLimits;
}

/** Chains with the names that people read. `names` are the names as the file has them. */
export interface BinaryFrames extends SourceFrames {
  /** As long as `names`; demangled. */
  readonly displayNames: string[];
}

/** A reader of DWARF or of a pclntab. */
interface DebugInfo {
  lookUp(addresses: BigUint64Array): SourceFrames;
  readonly problems: Readonly<Record<string, number>>;
  readonly byteSize: number;
}

/** Rough cost of one section header and its name, which stay in memory as long as their file. */
const bytesPerSection = 200;
const maxDisplayNames = 512;

export class BinarySymbols {
  readonly #files: BinaryFiles;
  readonly #options: BinarySymbolsOptions;
  readonly #table: SymbolTable;
  readonly #stubs: SymbolTable | undefined;
  readonly #problems = new Map<string, number>();
  readonly #displayNames = new Map<string, string>();
  /** Undefined: not opened yet; null: there is none. */
  readonly #debugInfo: { go?: DebugInfo | null | undefined; dwarf?: DebugInfo | null | undefined } = {};
  /** What was taken over from the readers' own counts. */
  readonly #counted = new Map<string, number>();

  private constructor(files: BinaryFiles, options: BinarySymbolsOptions) {
    this.#files = files;
    this.#options = options;
    const { table, problems } = readElfSymbols(this.#symbolFiles(), options.compression);
    this.#table = table;
    this.#count('symbol_section_damaged', problems.length);
    this.#count('symbols_too_many', table.loss.tooMany);
    this.#count('symbol_names_too_large', table.loss.namesTooLarge);
    this.#count('symbol_name_unreadable', table.loss.unreadableName);
    this.#count('symbol_name_cut', table.loss.namesCut);
    this.#stubs = this.#readStubs();
  }

  /**
   * Reads the symbol tables. The files must stay readable for as long as `lookUp` is called.
   *
   * @throws FormatError when no section table can be read
   */
  static read(files: BinaryFiles, options: BinarySymbolsOptions): BinarySymbols {
    return new BinarySymbols(files, options);
  }

  /** Named ranges of the symbol tables; 0 when there are none at all. */
  get symbolCount(): number {
    return this.#table.size;
  }

  /** True when there is more to ask than symbol tables. */
  get hasDebugInfo(): boolean {
    const { binary, debug } = this.#files;
    return [binary, debug].some(
      (file) => file !== undefined && (hasDwarf(file) || file.section('.gopclntab') !== undefined),
    );
  }

  /** Bytes kept for this binary. Grows and shrinks with what is asked for. */
  get byteSize(): number {
    const { binary, debug, alternate, dwp } = this.#files;
    const sections = [binary, debug, alternate, dwp].reduce(
      (sum, file) => sum + (file?.sections.length ?? 0),
      0,
    );
    return (
      this.#table.byteLength +
      (this.#stubs?.byteLength ?? 0) +
      this.debugInfoBytes +
      sections * bytesPerSection
    );
  }

  /** The part of {@link byteSize} that {@link releaseDebugInfo} gives back. */
  get debugInfoBytes(): number {
    return (this.#debugInfo.dwarf?.byteSize ?? 0) + (this.#debugInfo.go?.byteSize ?? 0);
  }

  /** Forgets what DWARF and pclntab readers keep; the next look-up opens them again. */
  releaseDebugInfo(): void {
    this.#countDebugInfo();
    this.#counted.clear();
    this.#debugInfo.go = undefined;
    this.#debugInfo.dwarf = undefined;
  }

  /** What was damaged or left out since the last call, by reason. */
  takeProblems(): Record<string, number> {
    this.#countDebugInfo();
    const problems = Object.fromEntries(this.#problems);
    this.#problems.clear();
    return problems;
  }

  /** @param addresses virtual addresses of the binary, in any order */
  lookUp(addresses: BigUint64Array): BinaryFrames {
    const go = this.#ask('go', addresses);
    const wantsDwarf = this.#options.lines && addresses.some((_, i) => !hasLine(go, i));
    const dwarf = wantsDwarf ? this.#ask('dwarf', addresses) : noSourceFrames(addresses.length);
    const symbols = this.#table.namesAt(addresses);
    const stubs = this.#stubs?.namesAt(addresses);
    const frames = new SourceFramesBuilder();
    for (let i = 0; i < addresses.length; i++) {
      if (hasLine(go, i)) addChain(frames, go, i, '');
      else if (hasFrames(dwarf, i)) addChain(frames, dwarf, i, symbols[i]!);
      else if (symbols[i] !== '') frames.add(symbols[i]!);
      else if (stubs !== undefined && stubs[i] !== '') frames.add(stubs[i]!);
      frames.endAddress();
    }
    const chains = frames.finish();
    return { ...chains, displayNames: chains.names.map((name) => this.#display(name)) };
  }

  #symbolFiles(): ElfFile[] {
    const { binary, debug } = this.#files;
    const files = [binary, debug].filter((file) => file !== undefined);
    if (binary === undefined || files.some(hasSymtab)) return files;
    try {
      const mini = readMiniDebugInfo(binary);
      return mini === undefined ? files : [...files, mini];
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#count('mini_debug_info_damaged', 1);
      return files;
    }
  }

  #readStubs(): SymbolTable | undefined {
    const { binary } = this.#files;
    if (binary === undefined) return undefined;
    try {
      const nameAt = (address: bigint): string => this.#table.namesAt(BigUint64Array.of(address))[0]!;
      return readPltSymbols(binary, nameAt, this.#options.compression);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#count('plt_damaged', 1);
      return undefined;
    }
  }

  #ask(source: 'go' | 'dwarf', addresses: BigUint64Array): SourceFrames {
    const none = noSourceFrames(addresses.length);
    try {
      if (this.#debugInfo[source] === undefined)
        this.#debugInfo[source] = open[source](this.#files, this.#options) ?? null;
      return this.#debugInfo[source]?.lookUp(addresses) ?? none;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#count(`${source}_damaged`, 1);
      this.#debugInfo[source] ??= null;
      return none;
    }
  }

  /** Takes over what a reader counted; it counts on from there. */
  #countDebugInfo(): void {
    for (const source of ['go', 'dwarf'] as const) {
      const problems = this.#debugInfo[source]?.problems ?? {};
      for (const [reason, total] of Object.entries(problems)) {
        const key = `${source}_${reason}`;
        this.#count(key, total - (this.#counted.get(key) ?? 0));
        this.#counted.set(key, total);
      }
    }
  }

  #count(reason: string, count: number): void {
    if (count > 0) this.#problems.set(reason, (this.#problems.get(reason) ?? 0) + count);
  }

  #display(name: string): string {
    let shown = this.#displayNames.get(name);
    if (shown === undefined) {
      shown = demangle(name, this.#options.demangle);
      if (this.#displayNames.size >= maxDisplayNames) this.#displayNames.clear();
      this.#displayNames.set(name, shown);
    }
    return shown;
  }
}

/** True when a file has DWARF. Throws FormatError when its section table is damaged. */
export function hasDwarf(file: ElfFile): boolean {
  return file.section('.debug_info') !== undefined || file.section('.zdebug_info') !== undefined;
}

/** How each source is opened; undefined where the files have none. */
const open = {
  go: ({ binary }: BinaryFiles): DebugInfo | undefined => binary && GoSymbols.open(binary),
  dwarf: (
    { binary, debug, ...others }: BinaryFiles,
    { dwarfLimits }: BinarySymbolsOptions,
  ): DebugInfo | undefined => {
    const holder = [debug, binary].find((file) => file !== undefined && hasDwarf(file));
    return holder && DwarfSymbols.open({ debug: holder, ...others }, dwarfLimits, { inflate: unpackSection });
  },
};

/** Go's tables stretch a function over the padding behind it, where no line is known. */
function hasLine(go: SourceFrames, i: number): boolean {
  return hasFrames(go, i) && go.lines[go.frameStart[i]!]! > 0;
}

function hasFrames({ frameStart }: SourceFrames, i: number): boolean {
  return frameStart[i + 1]! > frameStart[i]!;
}

/** @param outermost the name of the outermost frame; '' keeps the chain's own */
function addChain(frames: SourceFramesBuilder, chain: SourceFrames, i: number, outermost: string): void {
  const last = chain.frameStart[i + 1]! - 1;
  for (let j = chain.frameStart[i]!; j <= last; j++) {
    const name = j === last && outermost !== '' ? outermost : chain.names[j]!;
    frames.add(name, chain.files[j]!, chain.lines[j]!, chain.columns[j]!, chain.startLines[j]!);
  }
}
