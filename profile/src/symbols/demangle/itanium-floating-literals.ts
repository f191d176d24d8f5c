// SPDX-License-Identifier: Apache-2.0
//
// Literals of floating types: their bytes are coded in hexadecimal, the highest first, and shown as C's `%a` does.

import type { ItaniumCursor } from './itanium-cursor.ts';
import { type ItaniumNode, text } from './itanium-tree.ts';

/** The type's letter, the value's bytes, `E`. */
export function readFloatingLiteral(cursor: ItaniumCursor): ItaniumNode {
  const type = cursor.peek();
  cursor.position++;
  let shown: string;
  if (type === 'f') {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, Number(readBits(cursor, 8)));
    view.setFloat64(0, view.getFloat32(0));
    shown = `${doubleText(view.getBigUint64(0))}f`;
  } else if (type === 'd') {
    shown = doubleText(readBits(cursor, 16));
  } else {
    shown = `${extendedText(readBits(cursor, 20))}L`;
  }
  cursor.expect('E');
  return text(shown);
}

function readBits(cursor: ItaniumCursor, digits: number): bigint {
  const bits = cursor.text.slice(cursor.position, cursor.position + digits);
  if (bits.length !== digits || !/^[0-9a-f]+$/.test(bits)) cursor.fail('floating value expected');
  cursor.position += digits;
  return BigInt(`0x${bits}`);
}

/** IEEE 754 binary64: one bit of sign, 11 of exponent, 52 of fraction. */
function doubleText(bits: bigint): string {
  const fraction = BigInt.asUintN(52, bits);
  const exponent = Number(BigInt.asUintN(11, bits >> 52n));
  const sign = bits >> 63n === 1n ? '-' : '';
  if (exponent === 0x7ff) return `${sign}${fraction === 0n ? 'inf' : 'nan'}`;
  if (exponent !== 0) return `${sign}0x1${fractionText(fraction, 13)}${exponentText(exponent - 1023)}`;
  return `${sign}0x0${fractionText(fraction, 13)}${exponentText(fraction === 0n ? 0 : -1022)}`;
}

/** The x87 format: one bit of sign, 15 of exponent, 64 of mantissa whose leading one is written; the first hexadecimal digit holds four bits of it. */
function extendedText(bits: bigint): string {
  const mantissa = BigInt.asUintN(64, bits);
  const exponent = Number(BigInt.asUintN(15, bits >> 64n));
  const sign = bits >> 79n === 1n ? '-' : '';
  if (exponent === 0x7fff) return `${sign}${BigInt.asUintN(63, mantissa) === 0n ? 'inf' : 'nan'}`;
  const power = mantissa === 0n ? 0 : Math.max(exponent, 1) - 16383 - 3;
  return `${sign}0x${(mantissa >> 60n).toString(16)}${fractionText(BigInt.asUintN(60, mantissa), 15)}${exponentText(power)}`;
}

function fractionText(fraction: bigint, digits: number): string {
  const shown = fraction.toString(16).padStart(digits, '0').replace(/0+$/, '');
  return shown === '' ? '' : `.${shown}`;
}

function exponentText(exponent: number): string {
  return exponent < 0 ? `p${exponent}` : `p+${exponent}`;
}
