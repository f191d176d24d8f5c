// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { compareAliases } from './alias-choice.ts';
import { maxNameBytes, type NameCompression, NameStoreBuilder } from './name-store.ts';
import { SymbolTableBuilder, symbolTableLimits } from './symbol-table.ts';

const deflate: NameCompression = { compress: deflateRawSync, decompress: (bytes) => inflateRawSync(bytes) };
const stored: NameCompression = { compress: (bytes) => bytes, decompress: (bytes) => bytes };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('an address has the name of the innermost symbol around it, and none in a gap', () => {
  const sized = fc.record({ start: fc.nat(300), size: fc.integer({ min: 1, max: 60 }) });
  fc.assert(
    fc.property(fc.uniqueArray(sized, { selector: ({ start }) => start, maxLength: 40 }), (symbols) => {
      const builder = new SymbolTableBuilder(0x1000n);
      symbols.forEach(({ start, size }, i) => {
        builder.addSized(start, start + size, 0, i);
      });
      const table = builder.build((i) => encode(`f${symbols[i]!.start}`), stored);
      for (let address = 0; address < 400; address++) {
        const around = symbols.filter(({ start, size }) => address >= start && address < start + size);
        const innermost = Math.max(...around.map(({ start }) => start));
        const [name] = table.namesAt(BigUint64Array.of(0x1000n + BigInt(address)));
        assert.equal(name, around.length === 0 ? '' : `f${innermost}`, `address ${address}`);
      }
    }),
  );
});

test('a symbol without a size ends at the next symbol, a boundary, or its limit', () => {
  const builder = new SymbolTableBuilder(0n);
  const names = ['open', 'sized', 'label', 'last', 'cut'];
  builder.addOpen(0, 1000, 0, 0);
  builder.addSized(0x10, 0x20, 0, 1);
  builder.addOpen(0x18, 1000, 0, 2);
  builder.addOpen(0x30, 0x38, 0, 3);
  builder.addOpen(0x40, 1000, 0, 4);
  builder.addBoundary(0x44);
  const table = builder.build((i) => encode(names[i]!), stored);
  const at = (address: number): string => table.namesAt(BigUint64Array.of(BigInt(address)))[0]!;
  assert.equal(at(0x0f), 'open');
  assert.equal(at(0x10), 'sized');
  assert.equal(at(0x1f), 'sized', 'a label inside a sized function does not cut it');
  assert.equal(at(0x20), '', 'nor does a function go on after another one');
  assert.equal(at(0x37), 'last');
  assert.equal(at(0x38), '');
  assert.equal(at(0x43), 'cut');
  assert.equal(at(0x44), '');
});

test('addresses that a number cannot hold are exact', () => {
  const base = 0xffff_8000_8100_0000n;
  const builder = new SymbolTableBuilder(base);
  builder.addSized(1, 2, 0, 0);
  builder.addSized(0x1_0000_0001, 0x1_0000_0002, 0, 1);
  const table = builder.build((i) => encode(`f${i}`), stored);
  const addresses = BigUint64Array.of(
    base,
    base + 1n,
    base + 2n,
    base + 0x1_0000_0001n,
    0xffff_ffff_ffff_ffffn,
    0n,
  );
  assert.deepEqual(table.namesAt(addresses), ['', 'f0', '', 'f1', '', '']);
  assert.deepEqual(table.range(1), { start: base + 0x1_0000_0001n, limit: base + 0x1_0000_0002n });
});

test('between names at one address the choice does not depend on their order', () => {
  const better = (a: string, b: string): void =>
    assert.ok(compareAliases(encode(a), encode(b)) < 0, `${a} < ${b}`);
  better('read', '__read');
  better('__read', '__libc__read');
  better('strtol', 'strtoimax');
  better('strtoll', 'strtouq');
  assert.equal(compareAliases(encode('a'), encode('a')), 0);

  for (const names of [
    ['__read', 'read', 'local'],
    ['local', 'read', '__read'],
  ]) {
    const builder = new SymbolTableBuilder(0n);
    names.forEach((name, i) => {
      builder.addSized(8, 16, name === 'local' ? 1 : 0, i);
    });
    const table = builder.build((i) => encode(names[i]!), stored);
    assert.deepEqual(table.namesAt(BigUint64Array.of(8n)), ['read']);
  }
});

test('names survive packing, at the edges of blocks too', () => {
  const lengths = fc.array(
    fc.oneof(fc.nat(100), fc.constantFrom(maxNameBytes, maxNameBytes - 1, 8191, 8192)),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(lengths, (all) => {
      const builder = new NameStoreBuilder(deflate, 1 << 20);
      const names = all.map((length, i) => `${i}`.padEnd(length, 'x').slice(0, maxNameBytes));
      const references = names.map((name) => builder.add(encode(name)));
      const store = builder.finish();
      assert.deepEqual(
        references.map((reference) => store.get(reference)),
        names,
      );
    }),
    { numRuns: 30 },
  );
});

test('a store that is full takes no more names, and a table counts them', () => {
  const builder = new NameStoreBuilder(stored, 20_000);
  const kept = Array.from({ length: 10 }, () => builder.add(new Uint8Array(10_000).fill(0x61)));
  assert.deepEqual(
    kept.map((reference) => reference >= 0),
    [true, true, ...new Array(8).fill(false)],
  );
  assert.equal(builder.finish().get(kept[1]!).length, 10_000);

  const table = new SymbolTableBuilder(0n);
  const overflowing = Math.ceil(symbolTableLimits.maxPackedNameBytes / 16_000) + 100;
  for (let i = 0; i < overflowing; i++) table.addSized(i * 2, i * 2 + 1, 0, i);
  const name = new Uint8Array(16_000).fill(0x61);
  const { loss, byteLength, size } = table.build(() => name, stored);
  assert.ok(loss.namesTooLarge > 0);
  assert.equal(size + loss.namesTooLarge, overflowing);
  assert.ok(byteLength < symbolTableLimits.maxPackedNameBytes * 1.1);
});

test('a name over the limit is cut and counted, a missing one is counted', () => {
  const builder = new SymbolTableBuilder(0n);
  builder.addSized(0, 1, 0, 0);
  builder.addSized(1, 2, 0, 1);
  builder.addSized(2, 3, 0, 2);
  const names = [
    new Uint8Array(maxNameBytes + 1).fill(0x61),
    undefined,
    new Uint8Array(maxNameBytes).fill(0x62),
  ];
  const table = builder.build((i) => names[i], stored);
  assert.deepEqual(table.loss, { tooMany: 0, namesTooLarge: 0, unreadableName: 1, namesCut: 1 });
  assert.deepEqual(
    table.namesAt(BigUint64Array.of(0n, 1n, 2n)).map((name) => name.length),
    [maxNameBytes, 0, maxNameBytes],
  );
});
