// SPDX-License-Identifier: Apache-2.0
//
// The names of a symbol table, kept compressed. Mangled C++ names are nine tenths of a table's bytes and almost all of
// them are never asked for, so they are packed into blocks and a block is unpacked when one of its names is wanted.
// Names that are neighbours in memory share most of their text, so names added in address order shrink to a sixth.
//
//   name reference (32 bits) = block index (18 bits) | offset in the unpacked block (14 bits)
//   unpacked block           = name, 0, name, 0, …     at most 16 KiB; a name never crosses into the next block

/** How blocks are packed. It is handed in, so that these readers depend on no compression library. */
export interface NameCompression {
  compress(bytes: Uint8Array): Uint8Array;
  /** `byteLength` is the length before compression. */
  decompress(bytes: Uint8Array, byteLength: number): Uint8Array;
}

const blockBits = 14;
const blockBytes = 1 << blockBits;
const maxBlocks = 1 << (32 - blockBits);

/** The longest name kept; a longer one is cut here and counted. A block holds it together with its terminator. */
export const maxNameBytes = blockBytes - 1;

const decoder = new TextDecoder('utf-8');

/** Collects names; `finish` gives the store. */
export class NameStoreBuilder {
  readonly #compression: NameCompression;
  readonly #maxBytes: number;
  readonly #blocks: Uint8Array[] = [];
  readonly #lengths: number[] = [];
  #open = new Uint8Array(blockBytes);
  #used = 0;
  #packedBytes = 0;

  /** `maxBytes` bounds the packed bytes of the whole store. */
  constructor(compression: NameCompression, maxBytes: number) {
    this.#compression = compression;
    this.#maxBytes = maxBytes;
  }

  /** Adds a name of at most `maxNameBytes` and returns its reference, or -1 when the store is full. */
  add(name: Uint8Array): number {
    if (this.#used + name.byteLength + 1 > blockBytes) this.#flush();
    if (this.#packedBytes >= this.#maxBytes || this.#blocks.length >= maxBlocks) return -1;
    const reference = this.#blocks.length * blockBytes + this.#used;
    this.#open.set(name, this.#used);
    this.#used += name.byteLength;
    this.#open[this.#used++] = 0;
    return reference;
  }

  finish(): NameStore {
    this.#flush();
    return new NameStore(this.#compression, this.#blocks, Uint16Array.from(this.#lengths), this.#packedBytes);
  }

  #flush(): void {
    if (this.#used === 0) return;
    // Copied, since a compressor's result is often a view into a much larger buffer, which it would keep alive.
    const packed = new Uint8Array(this.#compression.compress(this.#open.subarray(0, this.#used)));
    this.#blocks.push(packed);
    this.#lengths.push(this.#used - 1);
    this.#packedBytes += packed.byteLength;
    this.#used = 0;
  }
}

/** Names by reference. The block used last stays unpacked, so asking in ascending order unpacks each block once. */
export class NameStore {
  readonly byteLength: number;
  readonly #compression: NameCompression;
  readonly #blocks: readonly Uint8Array[];
  /** Unpacked length of each block, less one, so that a full block fits 16 bits. */
  readonly #lengths: Uint16Array;
  #unpackedIndex = -1;
  #unpacked: Uint8Array = new Uint8Array(0);

  constructor(
    compression: NameCompression,
    blocks: readonly Uint8Array[],
    lengths: Uint16Array,
    packedBytes: number,
  ) {
    this.#compression = compression;
    this.#blocks = blocks;
    this.#lengths = lengths;
    // Each block also costs its typed-array and buffer objects, and one stays unpacked.
    this.byteLength = packedBytes + blocks.length * 200 + blockBytes;
  }

  /** The name at a reference that `NameStoreBuilder.add` returned. Bytes that are no UTF-8 become U+FFFD. */
  get(reference: number): string {
    const index = Math.floor(reference / blockBytes);
    if (index !== this.#unpackedIndex) {
      this.#unpacked = this.#compression.decompress(this.#blocks[index]!, this.#lengths[index]! + 1);
      this.#unpackedIndex = index;
    }
    const from = reference % blockBytes;
    return decoder.decode(this.#unpacked.subarray(from, this.#unpacked.indexOf(0, from)));
  }
}
