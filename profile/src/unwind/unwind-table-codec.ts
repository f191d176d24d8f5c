// SPDX-License-Identifier: Apache-2.0
//
// Unwind tables as bytes, for the cache on disk. About half as large as in memory, and quicker to read than to build.
//
//   offset size                                          payload
//    0     4   magic 'HSUW'                               rules, 16 bytes each
//    4     2   version                                    per page: number of its rows, its rule
//    6     1   machine: 1 x86-64, 2 arm64                 per row: distance to the row before in the page
//    7     1   0                                          per row: its rule
//    8     8   first page
//   16     4   number of pages                            All but the rules are LEB128 numbers. A rule is a command
//   20     4   number of rows                             less 0x8000, or an index plus 16.
//   24     4   number of rules
//   28     4   CRC-32 of what is before and behind it
//
// Little-endian. A cache may be damaged or written by anybody: everything is checked, sizes before memory is taken.

import { crc32 } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { isUnwindRule, unwindRuleBytes } from './unwind-rule.ts';
import { maxUnwindRules, type UnwindTable, unwindCommand, unwindPageBytes } from './unwind-table.ts';
import { type UnwindTableLimits, unwindTableLimits } from './unwind-table-builder.ts';

/** Raised with every change of the format, or of what tables say, so that older caches are not used. */
export const unwindTableVersion = 2;

const magic = 0x5755_5348;
const headerBytes = 32;
const crcOffset = 28;
const firstIndexCode = 16;
/** Longest LEB128 number: row counts, offsets and rules have at most 16 bits. */
const maxNumberBytes = 3;
const machines = ['x86-64', 'arm64'] as const;
const commands: ReadonlySet<number> = new Set(Object.values(unwindCommand));

/** The bytes of a table. */
export function encodeUnwindTable(table: UnwindTable): Uint8Array {
  const { pageFirstRow, pageRule, rowOffset, rowRule, rules } = table;
  const pageCount = pageRule.length;
  const rowCount = rowRule.length;
  const numbers = 2 * (pageCount + rowCount);
  const bytes = new Uint8Array(headerBytes + rules.byteLength + numbers * maxNumberBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint16(4, unwindTableVersion, true);
  view.setUint8(6, machines.indexOf(table.machine) + 1);
  view.setBigUint64(8, BigInt(table.firstPage), true);
  view.setUint32(16, pageCount, true);
  view.setUint32(20, rowCount, true);
  view.setUint32(24, rules.byteLength / unwindRuleBytes, true);
  bytes.set(rules, headerBytes);

  let at = headerBytes + rules.byteLength;
  const write = (value: number): void => {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
  };
  for (let page = 0; page < pageCount; page++) {
    write(pageFirstRow[page + 1]! - pageFirstRow[page]!);
    write(codeOf(pageRule[page]!));
  }
  for (let page = 0; page < pageCount; page++) {
    let before = 0;
    for (let row = pageFirstRow[page]!; row < pageFirstRow[page + 1]!; row++) {
      write(rowOffset[row]! - before);
      before = rowOffset[row]!;
    }
  }
  for (let row = 0; row < rowCount; row++) write(codeOf(rowRule[row]!));

  const encoded = bytes.slice(0, at);
  new DataView(encoded.buffer).setUint32(crcOffset, checksumOf(encoded), true);
  return encoded;
}

/**
 * The table of `encodeUnwindTable`'s bytes.
 *
 * @throws FormatError when they are of another version, damaged, or beyond the limits
 */
export function decodeUnwindTable(
  bytes: Uint8Array,
  limits: UnwindTableLimits = unwindTableLimits,
): UnwindTable {
  const header = readHeader(bytes, limits);
  const { machine, firstPage, pageCount, rowCount, ruleCount } = header;
  let at = headerBytes + ruleCount * unwindRuleBytes;
  const rules = bytes.slice(headerBytes, at);
  for (let rule = 0; rule < ruleCount; rule++) {
    if (!isUnwindRule(rules, rule)) throw damage(headerBytes + rule * unwindRuleBytes, `rule ${rule}`);
  }
  const read = (): number => {
    let value = 0;
    for (let shift = 0; shift < 7 * maxNumberBytes; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw damage(bytes.byteLength, 'the table is cut short');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw damage(at, 'a number of more than 16 bits');
  };
  const readRule = (): number => {
    const code = read();
    const rule = code < firstIndexCode ? code + maxUnwindRules : code - firstIndexCode;
    if (rule >= maxUnwindRules ? !commands.has(rule) : rule >= ruleCount) throw damage(at, `rule ${rule}`);
    return rule;
  };

  const pageFirstRow = new Uint32Array(pageCount + 1);
  const pageRule = new Uint16Array(pageCount);
  for (let page = 0; page < pageCount; page++) {
    pageFirstRow[page + 1] = pageFirstRow[page]! + read();
    if (pageFirstRow[page + 1]! > rowCount) throw damage(at, 'more rows in pages than rows');
    pageRule[page] = readRule();
  }
  if (pageFirstRow[pageCount] !== rowCount) throw damage(at, 'fewer rows in pages than rows');
  const rowOffset = new Uint16Array(rowCount);
  for (let page = 0; page < pageCount; page++) {
    const first = pageFirstRow[page]!;
    for (let row = first; row < pageFirstRow[page + 1]!; row++) {
      const offset = row === first ? read() : rowOffset[row - 1]! + read();
      const ascends = row === first || offset > rowOffset[row - 1]!;
      if (!ascends || offset >= unwindPageBytes) throw damage(at, `offset ${offset} of row ${row}`);
      rowOffset[row] = offset;
    }
  }
  const rowRule = new Uint16Array(rowCount);
  for (let row = 0; row < rowCount; row++) rowRule[row] = readRule();
  if (at !== bytes.byteLength) throw damage(at, `${bytes.byteLength - at} bytes too many`);
  return { machine, firstPage, pageFirstRow, pageRule, rowOffset, rowRule, rules };
}

interface Header {
  readonly machine: UnwindTable['machine'];
  readonly firstPage: number;
  readonly pageCount: number;
  readonly rowCount: number;
  readonly ruleCount: number;
}

function readHeader(bytes: Uint8Array, limits: UnwindTableLimits): Header {
  if (bytes.byteLength < headerBytes) throw damage(bytes.byteLength, 'the header is cut short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) throw damage(0, 'these are no unwind tables');
  const version = view.getUint16(4, true);
  if (version !== unwindTableVersion) throw damage(4, `version ${version}, not ${unwindTableVersion}`);
  if (checksumOf(bytes) !== view.getUint32(crcOffset, true)) throw damage(crcOffset, 'the checksum differs');

  const machine = machines[view.getUint8(6) - 1];
  if (machine === undefined) throw damage(6, `machine ${view.getUint8(6)}`);
  const firstPage = Number(view.getBigUint64(8, true));
  const pageCount = view.getUint32(16, true);
  const rowCount = view.getUint32(20, true);
  const ruleCount = view.getUint32(24, true);
  if (firstPage + pageCount > Number.MAX_SAFE_INTEGER / unwindPageBytes) throw damage(8, `page ${firstPage}`);
  if (pageCount > limits.maxPages) throw damage(16, `${pageCount} pages, more than ${limits.maxPages}`);
  if (rowCount > limits.maxRows) throw damage(20, `${rowCount} rows, more than ${limits.maxRows}`);
  if (ruleCount > limits.maxRules) throw damage(24, `${ruleCount} rules, more than ${limits.maxRules}`);
  // Each page and each row has two numbers of a byte or more.
  const leastBytes = ruleCount * unwindRuleBytes + 2 * (pageCount + rowCount);
  if (leastBytes > bytes.byteLength - headerBytes) throw damage(16, 'more is announced than there is');
  return { machine, firstPage, pageCount, rowCount, ruleCount };
}

function checksumOf(bytes: Uint8Array): number {
  return crc32(bytes.subarray(headerBytes), crc32(bytes.subarray(0, crcOffset)));
}

function codeOf(rule: number): number {
  if (rule < maxUnwindRules) return rule + firstIndexCode;
  if (!commands.has(rule)) throw new RangeError(`unknown unwind command ${rule}`);
  return rule - maxUnwindRules;
}

function damage(offset: number, what: string): FormatError {
  return new FormatError('unwind table', offset, what);
}
