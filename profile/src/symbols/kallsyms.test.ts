// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import {
  KallsymsParser,
  type KernelSymbol,
  type KernelSymbols,
  kallsymsLimits,
  kernelSymbolOf,
  parseModules,
} from './kallsyms.ts';
import type { NameCompression } from './name-store.ts';

const deflate: NameCompression = {
  compress: (b) => deflateRawSync(b, { level: 1 }),
  decompress: (b) => inflateRawSync(b),
};

function parse(text: string | Uint8Array, modules = '', chunkBytes = 65_536): KernelSymbols {
  const parser = new KallsymsParser(parseModules(modules), deflate);
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length; at += chunkBytes) parser.push(bytes.subarray(at, at + chunkBytes));
  return parser.finish();
}

function at({ table }: KernelSymbols, address: bigint): KernelSymbol {
  return kernelSymbolOf(table.namesAt(BigUint64Array.of(address))[0]!);
}

const sample = `0000000000000000 A fixed_percpu_data
0000000000019000 d pcpu_hot
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000040 t verify_cpu
ffffffff81000040 T verify_cpu_global
ffffffff81001000 T __sched_text_start
ffffffff81001010 T schedule
ffffffff81001100 T __sched_text_end
ffffffff81001200 T _etext
ffffffff81800000 D some_data
ffffffff83783000 T _sinittext
ffffffff83783000 t init_it
ffffffff83783010 T _einittext
ffffffffc0201000 t ext4_readdir\t[ext4]
ffffffffc0201100 t ext4_last\t[ext4]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_lsm\t[bpf]
`;
const sampleModules =
  'ext4 4608 1 mbcache,jbd2, Live 0xffffffffc0201000\nhidden 10 0 - Live 0x0000000000000000\n';

test('functions reach to the next symbol and never past the end of text or module', () => {
  const symbols = parse(sample, sampleModules);
  const named = (name: string, module = ''): KernelSymbol => ({ name, module });
  assert.equal(symbols.functions, 8);
  assert.deepEqual(at(symbols, 0xffffffff81000000n), named('startup_64'));
  assert.deepEqual(at(symbols, 0xffffffff8100003fn), named('startup_64'));
  assert.deepEqual(at(symbols, 0xffffffff81000040n), named('verify_cpu_global'), 'global before local');
  assert.deepEqual(at(symbols, 0xffffffff81001000n), named(''), 'a boundary is no function');
  assert.deepEqual(at(symbols, 0xffffffff810010ffn), named('schedule'));
  assert.deepEqual(at(symbols, 0xffffffff81001100n), named(''));
  assert.deepEqual(at(symbols, 0xffffffff81001200n), named(''), 'after _etext');
  assert.deepEqual(at(symbols, 0xffffffff83783005n), named('init_it'));
  assert.deepEqual(at(symbols, 0xffffffff83783010n), named(''));
  assert.deepEqual(at(symbols, 0xffffffffc0201005n), named('ext4_readdir', 'ext4'));
  assert.deepEqual(at(symbols, 0xffffffffc02011ffn), named('ext4_last', 'ext4'));
  assert.deepEqual(at(symbols, 0xffffffffc0202200n), named(''), 'after the module');
  assert.deepEqual(at(symbols, 0xffffffffc0300010n), named('bpf_prog_6deef7357e7b4530_lsm', 'bpf'));
  assert.deepEqual(at(symbols, 0xffffffffc0300000n + BigInt(kallsymsLimits.maxFunctionBytes)), named(''));
  assert.deepEqual(at(symbols, 0x19000n), named(''), 'per-CPU data are no code');
  assert.deepEqual(at(symbols, 0n), named(''));
});

test('chunks may end anywhere', () => {
  const whole = parse(sample, sampleModules);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), (chunkBytes) => {
      const chunked = parse(sample, sampleModules, chunkBytes);
      assert.equal(chunked.table.size, whole.table.size);
      for (let row = 0; row < whole.table.size; row++) {
        assert.deepEqual(chunked.table.range(row), whole.table.range(row));
        assert.equal(chunked.table.name(row), whole.table.name(row));
      }
    }),
  );
});

test('hidden addresses are told from an empty file', () => {
  const hidden = parse('0000000000000000 T _stext\n0000000000000000 t foo\n');
  assert.ok(hidden.isRestricted);
  assert.equal(hidden.table.size, 0);
  assert.ok(!parse('').isRestricted);
});

test('lines that are too long or no lines at all are counted, those beside them kept', () => {
  const long = `ffffffff81000000 T ${'x'.repeat(kallsymsLimits.maxLineBytes)}\n`;
  for (const chunkBytes of [7, 1000, 65_536]) {
    const symbols = parse(
      `${long}garbage\nffffffff81000100 t good\nFFFFFFFF81000200 t bad\n`,
      '',
      chunkBytes,
    );
    assert.equal(symbols.droppedLines, 3);
    assert.deepEqual(at(symbols, 0xffffffff81000100n), { name: 'good', module: '' });
  }
});

test('any bytes are taken without an exception', () => {
  const words = fc.constantFrom(
    'ffffffff81000000',
    ' T ',
    ' t ',
    '\n',
    '\t[m]',
    '[',
    ']',
    '\t',
    'name',
    '_etext',
    '0',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 60 }), fc.nat(30), (parts, chunk) => {
      const symbols = parse(parts.join(''), '', chunk + 1);
      for (let row = 0; row < symbols.table.size; row++) kernelSymbolOf(symbols.table.name(row));
    }),
  );
});

test('every function of the running kernel has its name', (t) => {
  const bytes = readFileSync('/proc/kallsyms');
  const symbols = parse(bytes);
  if (symbols.isRestricted) return t.skip('the kernel hides its addresses from this user');
  const namesByStart = new Map<bigint, Set<string>>();
  for (const line of bytes.toString('latin1').split('\n')) {
    const match = /^(f[0-9a-f]{15}) [tTwW] (.*)$/.exec(line);
    if (match === null) continue;
    const start = BigInt(`0x${match[1]}`);
    if (!namesByStart.has(start)) namesByStart.set(start, new Set());
    namesByStart.get(start)!.add(match[2]!);
  }
  const starts = [...namesByStart.keys()];
  const names = symbols.table.namesAt(BigUint64Array.from(starts));
  const nameless: string[] = [];
  for (const [i, start] of starts.entries()) {
    if (names[i] === '') nameless.push(...namesByStart.get(start)!);
    else assert.ok(namesByStart.get(start)!.has(names[i]!), `${start.toString(16)} is shown as ${names[i]}`);
  }
  t.diagnostic(
    `${starts.length} addresses, ${symbols.table.byteLength} bytes, nameless: ${nameless.join(' ')}`,
  );
  assert.ok(starts.length > 10_000);
  assert.ok(
    nameless.every((name) => /^_[a-z]*text$|^__[a-z_]*text_(start|end)$/.test(name)),
    nameless.join(' '),
  );
});
