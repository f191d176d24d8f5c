// SPDX-License-Identifier: Apache-2.0
//
// Reader and writer against each other, against protobufjs, and the reader against bytes that no writer makes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { Uint32Column } from '../column.ts';
import { FormatError } from '../errors.ts';
import { MAX_GROUP_DEPTH, ProtobufReader } from './protobuf-reader.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

function reader(...bytes: number[]): ProtobufReader {
  return new ProtobufReader('test', Uint8Array.from(bytes));
}

function fails(what: RegExp, offset: number, read: () => unknown): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof FormatError, String(error));
    assert.match(error.message, what);
    assert.equal(error.offset, offset);
    return true;
  });
}

const edges = [
  0n,
  1n,
  127n,
  128n,
  16383n,
  16384n,
  2n ** 21n - 1n,
  2n ** 21n,
  2n ** 28n - 1n,
  2n ** 28n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 35n,
  2n ** 49n,
  2n ** 53n + 1n,
  2n ** 56n,
  2n ** 63n - 1n,
];

test('64-bit varints are exact at every length', () => {
  for (const edge of [...edges, ...edges.map((value) => -value), -(2n ** 63n)]) {
    const writer = new ProtobufWriter();
    writer.presentInt64(1, edge);
    const bytes = writer.finish();
    const signed = new ProtobufReader('test', bytes);
    assert.equal(signed.tag(), 8);
    assert.equal(signed.int64(), edge);
    assert.equal(signed.pos, bytes.length);
    const unsigned = new ProtobufReader('test', bytes);
    unsigned.tag();
    assert.equal(unsigned.uint64(), BigInt.asUintN(64, edge));
    const foreign = protobuf.Reader.create(bytes);
    foreign.uint32();
    assert.equal(foreign.int64().toString(), edge.toString());
  }
});

test('reads what protobufjs writes', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.nat(2 ** 31 - 1),
      fc.double(),
      fc.string({ unit: 'binary', maxLength: 60 }),
      (int64, uint32, double, text) => {
        const wellFormed = text.toWellFormed();
        const foreign = protobuf.Writer.create();
        foreign.uint32(8).int64(int64.toString());
        foreign.uint32(16).uint32(uint32).uint32(25).double(double).uint32(34).string(wellFormed);
        const own = new ProtobufReader('test', foreign.finish());
        assert.equal(own.tag(), 8);
        assert.equal(own.int64(), int64);
        assert.equal(own.tag(), 16);
        assert.equal(own.index(), uint32);
        assert.equal(own.tag(), 25);
        assert.ok(Object.is(own.double(), double) || Number.isNaN(double));
        assert.equal(own.tag(), 34);
        assert.equal(own.string(), wellFormed);
        assert.equal(own.pos, own.limit);
      },
    ),
  );
});

test('indexes outside int32 are -1', () => {
  assert.equal(reader(0x7f).index(), 127);
  assert.equal(reader(0xff, 0xff, 0xff, 0xff, 0x07).index(), 2 ** 31 - 1);
  assert.equal(reader(0x80, 0x80, 0x80, 0x80, 0x08).index(), -1);
  assert.equal(reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01).index(), -1);
});

test('packed and single indexes land in one column', () => {
  const column = new Uint32Column();
  const packed = reader(0x0a, 6, 1, 0xac, 0x02, 0x80, 0x80, 0x04, 0x08, 7);
  packed.indexes(packed.tag(), 'x', column);
  packed.indexes(packed.tag(), 'x', column);
  assert.deepEqual([...column.finish()], [1, 300, 65536, 7]);
});

test('broken varints, lengths and tags are refused with their offset', () => {
  fails(/varint runs past the end/, 0, () => reader().varint());
  fails(/varint runs past the end/, 0, () => reader(0x80, 0x80).varint());
  fails(/varint runs past the end/, 0, () => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x80).varint());
  fails(/longer than 64 bits/, 0, () => reader(...new Array(9).fill(0xff), 0x02).varint());
  fails(/longer than 64 bits/, 0, () => reader(...new Array(10).fill(0x80), 0x01).varint());
  fails(/field number 0/, 0, () => reader(0x02).tag());
  fails(/field number larger/, 0, () => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x01).tag());
  fails(/length 3 exceeds the 2 bytes left/, 0, () => reader(3, 0, 0).length());
  fails(/length 18446744073709551615 exceeds/, 0, () => reader(...new Array(9).fill(0xff), 0x01).length());
  fails(/8 bytes needed, 7 left/, 0, () => reader(0, 0, 0, 0, 0, 0, 0).fixed64());
  fails(/wire type 2, expected 0/, 1, () => {
    const r = reader(0x0a, 0);
    r.expect(r.tag(), 0, 'x');
  });
});

test('a sub-message cannot read beyond its own end', () => {
  const r = reader(0x0a, 2, 0x08, 0x80, 0x01);
  r.tag();
  r.enter();
  r.tag();
  fails(/varint runs past the end/, 3, () => r.varint());
  const packed = reader(0x0a, 2, 1, 0x80, 0x01);
  const tag = packed.tag();
  fails(/varint runs past the end/, 3, () => packed.indexes(tag, 'x', new Uint32Column()));
});

test('unknown fields of every wire type are skipped', () => {
  const r = reader(
    ...[0x08, 0xff, 0x01], // varint
    ...[0x11, 1, 2, 3, 4, 5, 6, 7, 8], // fixed64
    ...[0x1a, 2, 9, 9], // length-delimited
    ...[0x25, 1, 2, 3, 4], // fixed32
    ...[0x2b, 0x08, 1, 0x33, 0x34, 0x2c], // a group with a group in it
    ...[0xf8, 0x07, 1], // field 127
  );
  const fields: number[] = [];
  while (r.pos < r.limit) {
    const tag = r.tag();
    fields.push(tag >>> 3);
    r.skip(tag);
  }
  assert.deepEqual(fields, [1, 2, 3, 4, 5, 127]);
});

test('groups must be closed, matched and not too deep', () => {
  const skip = (...bytes: number[]) => {
    const r = reader(...bytes);
    r.skip(r.tag());
  };
  fails(/group 1 is not closed/, 1, () => skip(0x0b));
  fails(/end of group 2, which is not open/, 2, () => skip(0x0b, 0x14));
  fails(/wire type 4 of field 1 is not legal/, 1, () => skip(0x0c));
  fails(/wire type 7 of field 1 is not legal/, 1, () => skip(0x0f));
  const nested = (depth: number) => [...new Array(depth).fill(0x0b), ...new Array(depth).fill(0x0c)];
  skip(...nested(MAX_GROUP_DEPTH));
  fails(/nested deeper/, MAX_GROUP_DEPTH + 1, () => skip(...nested(MAX_GROUP_DEPTH + 1)));
});

test('wrong UTF-8 is replaced and counted, a byte order mark stays', () => {
  const r = reader(3, 0x61, 0xff, 0x62, 4, 0xef, 0xbb, 0xbf, 0x61);
  assert.equal(r.string(), 'a\ufffdb');
  assert.equal(r.invalidUtf8Strings, 1);
  assert.equal(r.string(), '\ufeffa');
  assert.equal(r.invalidUtf8Strings, 1);
});

test('empty sub-messages and default values are left out, rows are kept', () => {
  const writer = new ProtobufWriter();
  writer.message(1, () => writer.message(2, () => writer.uint32(3, 0)));
  writer.string(4, '');
  writer.int64(5, 0n);
  writer.packedUint32(6, []);
  writer.blob(7, new Uint8Array());
  assert.equal(writer.length, 0);
  writer.row(1, () => {});
  assert.deepEqual([...writer.finish()], [0x0a, 0]);
});

test('sub-messages of any length are framed right', () => {
  for (const length of [1, 127, 128, 16383, 16384, 100_000]) {
    const writer = new ProtobufWriter();
    writer.message(1, () => writer.message(2, () => writer.blob(3, new Uint8Array(length).fill(7))));
    writer.uint32(4, 5);
    const r = new ProtobufReader('test', writer.finish());
    assert.equal(r.tag(), 0x0a);
    const outer = r.enter();
    assert.equal(r.tag(), 0x12);
    const inner = r.enter();
    assert.equal(r.tag(), 0x1a);
    assert.equal(r.blob().length, length);
    r.leave(inner);
    r.leave(outer);
    assert.equal(r.tag(), 0x20);
    assert.equal(r.index(), 5);
    assert.equal(r.pos, r.limit);
  }
});
