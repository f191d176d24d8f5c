// SPDX-License-Identifier: Apache-2.0
//
// An ELF file made of given sections and nothing else, so that a test can say each byte of the debug information.

const encoder = new TextEncoder();

/** A 64-bit ELF file with these sections, by name. */
export function elfImage(sections: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const names = ['', ...Object.keys(sections), '.shstrtab'];
  const nameBytes = encoder.encode(names.map((name) => `${name}\0`).join(''));
  const contents = [new Uint8Array(0), ...Object.values(sections), nameBytes];
  const headersAt = 64 + contents.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const image = new Uint8Array(headersAt + 64 * contents.length);
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(40, BigInt(headersAt), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, contents.length, true);
  view.setUint16(62, contents.length - 1, true);
  let at = 64;
  let nameAt = 0;
  for (const [i, bytes] of contents.entries()) {
    const header = headersAt + 64 * i;
    image.set(bytes, at);
    view.setUint32(header, nameAt, true);
    view.setUint32(header + 4, i === 0 ? 0 : i === contents.length - 1 ? 3 : 1, true);
    view.setBigUint64(header + 24, BigInt(at), true);
    view.setBigUint64(header + 32, BigInt(bytes.byteLength), true);
    at += bytes.byteLength;
    nameAt += names[i]!.length + 1;
  }
  return image;
}

/** Little-endian bytes: `u8(1)`, `u16(2)`, … joined by `bytes`. Text gets its terminator. */
export function bytes(...parts: readonly (Uint8Array | string | readonly number[])[]): Uint8Array {
  const arrays = parts.map((part) =>
    typeof part === 'string' ? encoder.encode(`${part}\0`) : Uint8Array.from(part),
  );
  const joined = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.byteLength;
  }
  return joined;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff);
}

export function u32(value: number): Uint8Array {
  return bytes(u16(value & 0xffff), u16(value >>> 16));
}

export function u64(value: number): Uint8Array {
  return bytes(u32(value % 0x1_0000_0000), u32(Math.floor(value / 0x1_0000_0000)));
}

export function uleb(value: number): Uint8Array {
  const digits: number[] = [];
  do {
    digits.push((value % 0x80) | (value >= 0x80 ? 0x80 : 0));
    value = Math.floor(value / 0x80);
  } while (value > 0);
  return Uint8Array.from(digits);
}

/** A piece behind its 32-bit length, as units and tables begin. */
export function withLength(...parts: readonly (Uint8Array | string | readonly number[])[]): Uint8Array {
  const piece = bytes(...parts);
  return bytes(u32(piece.byteLength), piece);
}
