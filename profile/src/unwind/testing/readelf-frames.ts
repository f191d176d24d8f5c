// SPDX-License-Identifier: Apache-2.0
//
// What binutils' readelf says about call frame information, to compare unwind tables with: `frames-interp` gives the
// rows of each function, and `frames` the expressions, which rows only call `exp`.

import { spawnSync } from 'node:child_process';

/** One row: from `address` on, the columns as readelf prints them ('rsp+8', 'c-16', 'u', 'exp'). */
export interface ReadelfRow {
  readonly address: number;
  readonly cfa: string;
  readonly framePointer: string;
  readonly returnAddress: string;
  readonly stackPointer: string;
  readonly rbx: string;
}

/** One FDE with its rows; the first is that of the CIE. */
export interface ReadelfFunction {
  readonly start: number;
  readonly limit: number;
  readonly isSignal: boolean;
  readonly rows: readonly ReadelfRow[];
  /** Instructions, also of the CIE, that set expressions or say `undefined`, as `frames` prints them. */
  readonly instructions: ReadonlySet<string>;
}

const maxOutputBytes = 1024 * 1024 * 1024;

/** All functions of the sections that readelf calls by `sectionName`. Undefined when readelf is not installed. */
export function readelfFunctions(
  path: string,
  sectionName: string,
  framePointer: string,
): ReadelfFunction[] | undefined {
  const interpreted = run('frames-interp', path);
  const raw = run('frames', path);
  if (interpreted === undefined || raw === undefined) return undefined;
  const instructions = instructionsByFunction(raw, sectionName);
  const functions: ReadelfFunction[] = [];
  const commons = new Map<string, { isSignal: boolean; row: Omit<ReadelfRow, 'address'> }>();
  const nothing = { cfa: '', framePointer: 'u', returnAddress: 'u', stackPointer: 'u', rbx: 'u' };
  /** Positions of the columns that are compared. */
  let columns: number[] = [];
  let entry: { start: number; limit: number; isSignal: boolean; rows: ReadelfRow[] } | undefined;
  let common: { isSignal: boolean; row: Omit<ReadelfRow, 'address'> } | undefined;
  for (const line of linesOfSection(interpreted, sectionName)) {
    if (line.startsWith('   LOC')) {
      const names = line.trim().split(/ +/);
      columns = ['CFA', framePointer, 'ra', 'rsp', 'rbx'].map((name) => names.indexOf(name));
    } else if (line[8] === ' ') {
      const header = /^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ (CIE|FDE) (.*)$/.exec(line);
      if (header?.[2] === 'CIE') {
        entry = undefined;
        common = { isSignal: /^"[^"]*S/.test(header[3]!), row: nothing };
        commons.set(header[1]!, common);
      } else if (header !== null) {
        const [, cie, from, to] = /cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(header[3]!)!;
        const start = Number.parseInt(from!, 16);
        const { isSignal, row } = commons.get(cie!)!;
        entry = { start, limit: Number.parseInt(to!, 16), isSignal, rows: [{ address: start, ...row }] };
        functions.push({ ...entry, instructions: instructions.get(start) ?? new Set() });
      }
    } else if (line[16] === ' ') {
      // A register in a register is `r5 (rdi)`.
      const cells = (line.includes('(') ? line.replace(/ \(\w+\)/g, '') : line).trim().split(/ +/);
      const row = {
        cfa: cells[columns[0]!] ?? '',
        framePointer: cells[columns[1]!] ?? 'u',
        returnAddress: cells[columns[2]!] ?? 'u',
        stackPointer: cells[columns[3]!] ?? 'u',
        rbx: cells[columns[4]!] ?? 'u',
      };
      if (entry === undefined) common!.row = row;
      else entry.rows.push({ address: Number.parseInt(cells[0]!, 16), ...row });
    }
  }
  return functions;
}

function run(what: string, path: string): string | undefined {
  // readelf ends with 1 when it has warnings.
  const { stdout, error } = spawnSync('readelf', [`--debug-dump=${what}`, path], {
    encoding: 'latin1',
    maxBuffer: maxOutputBytes,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') return undefined;
  return stdout;
}

function* linesOfSection(output: string, sectionName: string): Generator<string> {
  let isInside = false;
  for (let at = 0; at < output.length; ) {
    const newline = output.indexOf('\n', at);
    const end = newline < 0 ? output.length : newline;
    const line = output.slice(at, end);
    at = end + 1;
    if (line.startsWith('Contents of the '))
      isInside = line.startsWith(`Contents of the ${sectionName} section`);
    else if (isInside) yield line;
  }
}

function instructionsByFunction(raw: string, sectionName: string): Map<number, Set<string>> {
  const byFunction = new Map<number, Set<string>>();
  const byCommon = new Map<string, Set<string>>();
  let instructions = new Set<string>();
  for (const line of linesOfSection(raw, sectionName)) {
    const header =
      line[8] === ' ' &&
      /^([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ (?:CIE|FDE cie=([0-9a-f]+) pc=([0-9a-f]+))/.exec(line);
    if (header) {
      const [, position, cie, start] = header;
      instructions = new Set(cie === undefined ? [] : byCommon.get(cie));
      if (start === undefined) byCommon.set(position!, instructions);
      else byFunction.set(Number.parseInt(start, 16), instructions);
    } else if (/^ {2}DW_CFA_(def_cfa_ex|ex|val_ex|un)/.test(line)) {
      instructions.add(line.trim());
    }
  }
  return byFunction;
}
