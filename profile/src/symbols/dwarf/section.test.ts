// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../errors.ts';
import { memoryAccess } from '../random-access.ts';
import { dwarfBounds } from './dwarf-limits.ts';
import { isAbsolutePath, joinPath } from './file-path.ts';
import { Section, SectionCursor } from './section.ts';
import { bytes, u16, u32, u64, uleb } from './testing/elf-image.ts';

function sectionOf(content: Uint8Array): Section {
  return Section.ofFile('.debug_test', memoryAccess(content), 0, content.byteLength);
}

test('numbers are read alike from a file, ahead, and from memory, wherever windows end', () => {
  const piece = bytes(
    [0xfe],
    u16(0xfedc),
    u32(0xfedc_ba98),
    u64(0x1f_ffff_ffff_ffff),
    uleb(624_485),
    'text',
    [0x7f],
  );
  const content = bytes(...Array.from({ length: 1000 }, () => piece));
  const cursors = [
    new SectionCursor(sectionOf(content)),
    new SectionCursor(sectionOf(content), 0, content.byteLength, 100),
    new SectionCursor(Section.ofBytes('.debug_test', content)),
  ];
  for (const cursor of cursors) {
    for (let at = 0; at < content.byteLength; at += piece.byteLength) {
      assert.equal(cursor.offset, at);
      assert.equal(cursor.u8(), 0xfe);
      assert.equal(cursor.u16(), 0xfedc);
      assert.equal(cursor.u32(), 0xfedc_ba98);
      assert.equal(cursor.u64(), 0x1f_ffff_ffff_ffff);
      assert.equal(cursor.uleb(), 624_485);
      assert.equal(cursor.section.string(cursor.skipString()), 'text');
      assert.equal(cursor.sleb(), -1);
    }
    assert.throws(() => cursor.u8(), FormatError);
  }
});

test('LEB128 of any length', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(30), (value, padding) => {
      const digits = uleb(value);
      digits[digits.length - 1]! |= padding > 0 ? 0x80 : 0;
      const padded = bytes(digits, new Array(Math.max(0, padding - 1)).fill(0x80), padding > 0 ? [0] : []);
      const cursor = new SectionCursor(Section.ofBytes('.debug_test', padded));
      assert.equal(cursor.uleb(), value);
      assert.equal(cursor.offset, padded.byteLength);
    }),
  );
  for (const [digits, value] of [
    [[0x02], 2],
    [[0x7e], -2],
    [[0xff, 0x00], 127],
    [[0x81, 0x7f], -127],
    [[0x80, 0x7f], -128],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], -1],
  ] as const) {
    assert.equal(new SectionCursor(Section.ofBytes('.debug_test', Uint8Array.from(digits))).sleb(), value);
  }
});

test('nothing is read behind a limit, nor behind the end of a file that was cut', () => {
  const cursor = new SectionCursor(sectionOf(new Uint8Array(100)), 10, 14);
  assert.throws(() => cursor.u64(), FormatError);
  cursor.seek(10, 14);
  assert.equal(cursor.u32(), 0);
  assert.throws(() => cursor.skip(1), FormatError);
  assert.throws(() => cursor.seek(101), FormatError);
  const cut = Section.ofFile('.debug_test', memoryAccess(new Uint8Array(50)), 0, 100);
  assert.throws(() => new SectionCursor(cut, 60).u8(), FormatError);
});

test('text is cut where it is too long, and found across windows', () => {
  const longest = 'x'.repeat(dwarfBounds.maxStringBytes - 1);
  const section = sectionOf(bytes('first', longest, `${longest}yz`));
  assert.equal(section.string(0), 'first');
  assert.equal(section.string(6), longest);
  assert.equal(section.string(6 + dwarfBounds.maxStringBytes), `${longest}y`);
  assert.equal(section.string(section.size), undefined);
});

test('paths are joined as LLVM joins them', () => {
  assert.equal(joinPath('/build', 'src/../include', 'a.h'), '/build/src/../include/a.h');
  assert.equal(joinPath('/build/', '', 'a.c'), '/build/a.c');
  assert.equal(joinPath('', '', 'a.c'), 'a.c');
  assert.equal(joinPath('/build/', '/a.c'), '/build/a.c');
  assert.ok(isAbsolutePath('/a') && isAbsolutePath('C:\\a') && isAbsolutePath('\\\\host\\a'));
  assert.ok(!isAbsolutePath('a/b') && !isAbsolutePath('C:a') && !isAbsolutePath(''));
});
