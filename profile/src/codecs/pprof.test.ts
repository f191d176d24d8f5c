// SPDX-License-Identifier: Apache-2.0
//
// pprof out and in: against each other, against protobufjs, and against Go's own reader where Go is installed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError, HearthscopeError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import { ProfileBuilder } from '../profile-builder.ts';
import { arbitraryProfile } from '../testing/arbitrary-profile.ts';
import { canonicalProfile } from '../testing/canonical-profile.ts';
import { ForeignPprof, foreignDecode, foreignEncode } from '../testing/foreign-schema.ts';
import { profileFromText } from '../testing/text-profile.ts';
import { DEFAULT_DECODE_LIMITS } from './decode-limits.ts';
import { decodePprof } from './pprof-decode.ts';
import { encodePprof } from './pprof-encode.ts';

/** A profile that uses everything pprof can say. */
function richProfile(): Profile {
  const builder = new ProfileBuilder({
    timeUnixNanos: 1_700_000_000_123_456_789n,
    durationNanos: 10_000_000_000n,
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 52_631_578n,
    profileAttributes: [
      { key: 'pprof.profile.doc_url', value: 'https://example.org/doc', unit: '' },
      { key: 'pprof.scope.default_sample_type', value: 'cpu', unit: '' },
    ],
    comments: ['first', '', 'third'],
  });
  const binary = builder.mapping({
    start: 0x5555_0000_0000n,
    limit: 0x5555_0010_0000n,
    fileOffset: 0x1000n,
    filename: '/usr/bin/app',
    buildId: '0123abcd',
  });
  const kernel = builder.mapping({
    start: 0xffff_ffff_8000_0000n,
    limit: 0xffff_ffff_ffff_ffffn,
    fileOffset: 0n,
    filename: '[kernel.kallsyms]',
    buildId: '',
  });
  const main = builder.function({ name: 'main', systemName: '_Z4mainv', filename: 'main.cc', startLine: 10 });
  const inlined = builder.function({ name: 'inlined', filename: 'main.cc', startLine: 3 });
  const root = builder.location({
    mapping: binary,
    address: 0x5555_0000_1000n,
    lines: [
      { function: inlined, line: 4, column: 7 },
      { function: main, line: 12 },
    ],
  });
  const unknown = builder.location({ mapping: kernel, address: 0xffff_ffff_8123_4567n, lines: [] });
  const attributes = builder.attributeSet([
    builder.attribute({ key: 'thread.name', value: 'worker', unit: '' }),
    builder.attribute({ key: 'thread.id', value: 42n, unit: '' }),
    builder.attribute({ key: 'bytes', value: -(2n ** 63n), unit: 'bytes' }),
    builder.attribute({ key: 'zero', value: 0n, unit: '' }),
  ]);
  builder.addSample(builder.stack([unknown, root]), [3n, -(2n ** 53n) - 1n], { attributeSet: attributes });
  builder.addSample(builder.stack([]), [0n, 2n ** 63n - 1n]);
  return builder.build();
}

/** A small valid pprof as plain JSON, to be broken in one place each. */
function plainPprof(): Record<string, unknown> {
  return {
    string_table: ['', 'cpu', 'nanoseconds', 'main', 'thread'],
    sample_type: [{ type: 1, unit: 2 }],
    sample: [{ location_id: [1], value: [5], label: [{ key: 4, num: 7 }] }],
    mapping: [{ id: 1, memory_start: 4096, filename: 3 }],
    location: [{ id: 1, mapping_id: 1, address: 4097, line: [{ function_id: 1, line: 2 }] }],
    function: [{ id: 1, name: 3 }],
  };
}

test('what is encoded reads back the same', () => {
  const profile = richProfile();
  const { profile: decoded, repaired } = decodePprof(encodePprof(profile));
  assert.deepEqual(canonicalProfile(decoded), canonicalProfile(profile));
  assert.deepEqual(repaired, []);
});

test('protobufjs reads the same fields', () => {
  const message = foreignDecode(ForeignPprof, encodePprof(richProfile())) as never as {
    [table: string]: never;
  } & Record<'sample' | 'mapping' | 'location' | 'function', Record<string, unknown>[]> & {
      string_table: string[];
      comment: string[];
    };
  const text = (index: unknown) => message.string_table[Number(index ?? 0)];
  assert.equal(message.string_table[0], '');
  assert.equal(new Set(message.string_table).size, message.string_table.length);
  assert.deepEqual(message.comment.map(text), ['first', '', 'third']);
  assert.equal(text(message.default_sample_type), 'cpu');
  assert.equal(text(message.doc_url), 'https://example.org/doc');
  assert.deepEqual(message.sample[0]!.value, ['3', '-9007199254740993']);
  assert.deepEqual(message.sample[1]!.value, ['0', '9223372036854775807']);
  const labels = message.sample[0]!.label as Record<string, string>[];
  assert.deepEqual(
    labels.map(({ key, str, num, num_unit }) => [text(key), text(str), num ?? '0', text(num_unit)]),
    [
      ['thread.name', 'worker', '0', ''],
      ['thread.id', '', '42', ''],
      ['bytes', '', '-9223372036854775808', 'bytes'],
      ['zero', '', '0', ''],
    ],
  );
  const [app, kernel] = message.mapping;
  assert.equal(text(app!.build_id), '0123abcd');
  assert.deepEqual(
    [app!.has_functions, app!.has_filenames, app!.has_line_numbers, app!.has_inline_frames],
    [true, true, true, true],
  );
  assert.equal(kernel!.has_functions, undefined);
  assert.equal(kernel!.memory_start, '18446744071562067968');
  assert.deepEqual(message.location[0]!.line, [
    { function_id: '2', line: '4', column: '7' },
    { function_id: '1', line: '12' },
  ]);
  assert.equal(message.location[1]!.line, undefined);
});

test('property: encode, then decode, says the same; and protobufjs reads every byte', () => {
  fc.assert(
    fc.property(arbitraryProfile({ pprofOnly: true }), (profile) => {
      const bytes = encodePprof(profile);
      const { profile: decoded, repaired } = decodePprof(bytes);
      assert.deepEqual(canonicalProfile(decoded), canonicalProfile(profile));
      assert.deepEqual(repaired, []);
      // Re-encoded by the referee, the bytes read the same again: nothing was cut off or skipped.
      const again = ForeignPprof.encode(ForeignPprof.decode(bytes)).finish();
      assert.deepEqual(canonicalProfile(decodePprof(again).profile), canonicalProfile(profile));
    }),
    { numRuns: 300 },
  );
});

test('property: profiles with what pprof cannot say still encode to valid pprof', () => {
  fc.assert(
    fc.property(arbitraryProfile(), (profile) => {
      const bytes = encodePprof(profile);
      const message = ForeignPprof.decode(bytes) as never as { sample: unknown[]; period: unknown };
      assert.equal(message.sample.length, profile.samples.length);
      assert.equal(BigInt.asIntN(64, BigInt(String(message.period))), profile.period);
    }),
    { numRuns: 200 },
  );
});

test('nothing empty is encoded, so the fields behind are not cut off', () => {
  const profile = profileFromText('main;work 1\nidle 2', {
    periodType: { type: '', unit: '' },
    comments: ['tail'],
  });
  const message = foreignDecode(ForeignPprof, encodePprof(profile, { defaultSampleType: 'cpu' }));
  assert.equal(message.period_type, undefined);
  assert.equal((message.comment as unknown[]).length, 1);
  assert.ok(Number(message.default_sample_type) > 0);
  assert.throws(() => encodePprof({ ...profile, sampleTypes: [{ type: '', unit: '' }] }), /type or a unit/);
  assert.throws(() => encodePprof({ ...profile, sampleTypes: [] }), /type or a unit/);
});

test('links become labels', () => {
  const builder = new ProfileBuilder({
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: { type: '', unit: '' },
    period: 0n,
  });
  builder.addSample(builder.stack([]), [1n], { link: builder.link('a'.repeat(32), 'b'.repeat(16)) });
  const { profile } = decodePprof(encodePprof(builder.build()));
  assert.deepEqual(profile.attributes, [
    { key: 'trace_id', value: 'a'.repeat(32), unit: '' },
    { key: 'span_id', value: 'b'.repeat(16), unit: '' },
  ]);
});

test('ids of any size and order are found', () => {
  const big = [
    '18446744073709551615',
    '18446744073709551614',
    '4294967297',
    '9007199254740993',
    '2147483648',
    '7',
  ];
  const bytes = foreignEncode(ForeignPprof, {
    ...plainPprof(),
    sample: big.map((id) => ({ location_id: [id], value: [1] })),
    location: big.map((id, i) => ({ id, mapping_id: big[0], address: i, line: [{ function_id: id }] })),
    function: big.map((id) => ({ id, name: 3 })),
    mapping: [{ id: big[0], filename: 3 }],
  });
  const { profile } = decodePprof(bytes);
  assert.deepEqual([...profile.stacks.location], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...profile.locations.lineFunction], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...profile.locations.mapping], [1, 1, 1, 1, 1, 1]);
});

test('unpacked values and unknown fields are read', () => {
  const unknown = [
    0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0x9d, 0x06, 1, 2, 3, 4, 0xa3, 0x06, 0x08, 1, 0xa4, 0x06,
  ];
  const sample = [
    0x08,
    1,
    0x08,
    1,
    0x10,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0x01,
    ...unknown,
  ];
  const rest = foreignEncode(ForeignPprof, { ...plainPprof(), sample: [] });
  const { profile } = decodePprof(
    Uint8Array.from([...unknown, 0x12, sample.length, ...sample, ...rest, ...unknown]),
  );
  assert.deepEqual([...profile.samples.values[0]!], [-1n]);
  assert.deepEqual([...profile.stacks.location], [0, 0]);
});

test('malformed profiles are refused and say where', () => {
  const cases: [RegExp, Record<string, unknown>][] = [
    [/empty profile/, { sample_type: [], sample: [] }],
    [/string 0 should be empty string/, { string_table: ['x', 'cpu', 'nanoseconds', 'main', 'thread'] }],
    [/string 0 should be empty string/, { string_table: [] }],
    [/location id is 0/, { location: [{ address: 1 }], sample: [] }],
    [/two locations have the same id/, { location: [{ id: 1 }, { id: 1 }] }],
    [/function id is 0/, { function: [{ name: 3 }], location: [] }],
    [/two functions have the same id/, { function: [{ id: '4294967296' }, { id: '4294967296' }] }],
    [/mapping id is 0/, { mapping: [{ memory_start: 1 }] }],
    [/two mappings have the same id/, { mapping: [{ id: 3 }, { id: 3 }] }],
    [/location id that the profile lacks/, { sample: [{ location_id: [2], value: [1] }] }],
    [
      /location id that the profile lacks/,
      { sample: [{ location_id: ['18446744073709551615'], value: [1] }] },
    ],
    [/location id that the profile lacks/, { sample: [{ location_id: [0], value: [1] }] }],
    [/function id that the profile lacks/, { location: [{ id: 1, line: [{ function_id: 9 }] }] }],
    [/sample value length mismatch: 2 values for 1/, { sample: [{ location_id: [1], value: [1, 2] }] }],
    [/sample value length mismatch: 0 values for 1/, { sample: [{ location_id: [1] }] }],
    [/sample type contains -/, { string_table: ['', 'cpu-time', 'nanoseconds', 'main', 'thread'] }],
    [/sample type type string index out of range/, { sample_type: [{ type: 5 }] }],
    [/sample type type string index out of range/, { sample_type: [{ type: -1 }] }],
    [/function name string index out of range/, { function: [{ id: 1, name: 5 }] }],
    [/mapping build id string index out of range/, { mapping: [{ id: 1, build_id: 99 }] }],
    [
      /sample label string index out of range: Label.key/,
      { sample: [{ location_id: [1], value: [1], label: [{ key: 5 }] }] },
    ],
    [/comment string index out of range/, { comment: [7] }],
    [/Profile.doc_url string index out of range/, { doc_url: 7 }],
  ];
  decodePprof(foreignEncode(ForeignPprof, plainPprof()));
  for (const [message, change] of cases) {
    assert.throws(
      () => decodePprof(foreignEncode(ForeignPprof, { ...plainPprof(), ...change })),
      (error) => {
        assert.ok(error instanceof FormatError, String(error));
        assert.match(error.message, message);
        assert.match(error.message, /^pprof: .* at byte \d+$/);
        return true;
      },
    );
  }
  assert.throws(() => decodePprof(Uint8Array.of(0x12, 5, 1)), /length 5 exceeds the 1 bytes left at byte 1/);
  assert.throws(() => decodePprof(Uint8Array.of(0x10, 5)), /Profile.sample has wire type 0, expected 2/);
  assert.throws(() => decodePprof(new Uint8Array()), /empty profile/);
});

test('what can be mended is kept and counted', () => {
  const { profile, repaired } = decodePprof(
    foreignEncode(ForeignPprof, {
      ...plainPprof(),
      time_nanos: -1,
      duration_nanos: '-9223372036854775808',
      location: [
        { id: 1, mapping_id: 77, is_folded: true, line: [{ function_id: 1, line: -5 }, { line: 3 }] },
      ],
      sample: [{ location_id: [1], value: [5], label: [{ num: 7 }, { key: 4, str: 3 }] }],
    }),
  );
  assert.deepEqual(Object.fromEntries(repaired.map(({ reason, count }) => [reason, count])), {
    mapping_id_unknown: 1,
    location_is_folded: 1,
    line_out_of_range: 1,
    attribute_key_empty: 1,
    time_negative: 2,
  });
  assert.deepEqual([profile.timeUnixNanos, profile.durationNanos], [0n, 0n]);
  assert.deepEqual([...profile.locations.mapping], [0]);
  assert.deepEqual([...profile.locations.lineFunction], [1, 0]);
  assert.deepEqual([...profile.locations.lineNumber], [0, 3]);
  assert.deepEqual(profile.attributes, [{ key: 'thread', value: 'main', unit: '' }]);
});

test('names that are not UTF-8 are read with U+FFFD and counted', () => {
  const bytes = foreignEncode(ForeignPprof, {
    ...plainPprof(),
    string_table: ['', 'cpu', 'nanoseconds', 'm?in', 'thread'],
  });
  bytes[bytes.indexOf(0x3f)] = 0xff;
  const { profile, repaired } = decodePprof(bytes);
  assert.equal(profile.strings[3], 'm\ufffdin');
  assert.deepEqual(repaired, [{ reason: 'invalid_utf8', count: 1 }]);
});

test('what old .NET clients sent is mended where that is asked for', () => {
  const broken = {
    ...plainPprof(),
    string_table: ['', 'cpu-time', 'nanoseconds', 'main', 'work'],
    function: [{ name: 3 }, { name: 4 }],
    location: [
      { id: 8, line: [{ function_id: 8 }] },
      { id: 9, line: [{ function_id: 9 }] },
    ],
    sample: [{ location_id: [9, 8], value: [1] }],
  };
  const mended = (change: Record<string, unknown> = {}) =>
    decodePprof(foreignEncode(ForeignPprof, { ...broken, ...change }), undefined, { mendDotnet: true });
  const { profile, repaired } = mended();
  assert.deepEqual(profile.sampleTypes, [{ type: 'cpu_time', unit: 'nanoseconds' }]);
  assert.deepEqual([...profile.locations.lineFunction], [1, 2]);
  assert.deepEqual(Object.fromEntries(repaired.map(({ reason, count }) => [reason, count])), {
    function_id_zero: 2,
    sample_type_dash: 1,
  });
  assert.throws(() => decodePprof(foreignEncode(ForeignPprof, broken)), /function id is 0/);
  assert.throws(() => mended({ function: [{ name: 3 }] }), /function id is 0/, 'not one for each location');
  assert.throws(() => mended({ function: [{ name: 3 }, { id: 9, name: 4 }] }), /function id is 0/);
});

test('samples that lead nowhere are left out where that is asked for', () => {
  const bytes = foreignEncode(ForeignPprof, {
    ...plainPprof(),
    location: [
      { id: 1, line: [{ function_id: 1 }] },
      { id: 2, line: [{ function_id: 1 }, { function_id: 99 }] },
    ],
    sample: [
      { location_id: [1], value: [1], label: [{ key: 4, str: 3 }] },
      { location_id: [1, 77], value: [2] },
      { location_id: [2, 1], value: [4] },
      { location_id: [1, 1], value: [8] },
    ],
  });
  const { profile, rejected } = decodePprof(bytes, undefined, { unknownIds: 'dropSamples' });
  assert.deepEqual(
    rejected.map(({ what, reason, count }) => [what, reason, count]),
    [
      ['sample', 'location_id_unknown', 1],
      ['sample', 'function_id_unknown', 1],
    ],
  );
  assert.deepEqual([...profile.samples.values[0]!], [1n, 8n]);
  assert.deepEqual([...profile.samples.attributeSet], [1, 0]);
  assert.equal(profile.samples.length, 2);
  assert.equal(profile.samples.timestampStart.length, 3);
  canonicalProfile(profile);
});

test('strings that are not UTF-8 refuse the profile where that is asked for', () => {
  const bytes = foreignEncode(ForeignPprof, {
    ...plainPprof(),
    string_table: ['', 'cpu', 'nanoseconds', `m?${'x'.repeat(300)}`, 'thread'],
  });
  bytes[bytes.indexOf(0x3f)] = 0xff;
  assert.throws(
    () => decodePprof(bytes, undefined, { invalidUtf8: 'refuse' }),
    new RegExp(`invalid utf8 string hex: 6dff${'78'.repeat(254)} at byte`),
  );
});

test('limits hold at their edge', () => {
  const limits = {
    ...DEFAULT_DECODE_LIMITS,
    maxSamples: 3,
    maxTableRows: 6,
    maxStackDepth: 4,
    maxSampleAttributes: 2,
    maxSymbolLength: 11,
    maxAttributeKeyLength: 6,
    maxAttributeValueLength: 4,
  };
  const decode = (change: Record<string, unknown>) =>
    decodePprof(foreignEncode(ForeignPprof, { ...plainPprof(), ...change }), limits);
  const sample = { location_id: [1], value: [1] };
  const refused = (change: Record<string, unknown>, message: RegExp) =>
    assert.throws(
      () => decode(change),
      (error) =>
        error instanceof HearthscopeError && error.code === 'invalid_argument' && message.test(error.message),
    );

  for (const count of [2, 3])
    assert.equal(decode({ sample: Array(count).fill(sample) }).profile.samples.length, count);
  refused({ sample: Array(4).fill(sample) }, /max_profile_stacktrace_samples, actual: 4, limit: 3/);

  const strings = (count: number) => [
    ...(plainPprof().string_table as string[]),
    ...Array(count - 5).fill('x'),
  ];
  for (const count of [5, 6])
    assert.equal(decode({ string_table: strings(count) }).profile.strings.length, count);
  refused({ string_table: strings(7) }, /7 elements of Profile.string_table exceed the limit of 6/);
  const lines = (count: number) => ({ location: [{ id: 1, line: Array(count).fill({ function_id: 1 }) }] });
  for (const count of [5, 6]) assert.equal(decode(lines(count)).profile.locations.lineFunction.length, count);
  refused(lines(7), /lines of all locations exceed the limit of 6/);

  const depths = [3, 4, 5].map((depth) => {
    const { profile, repaired } = decode({
      location: [{ id: 1 }, { id: 2 }],
      sample: [{ location_id: [2, ...Array(depth - 1).fill(1)], value: [1] }],
    });
    return [profile.stacks.location.join(''), repaired.map(({ reason }) => reason).join()];
  });
  assert.deepEqual(depths, [
    ['100', ''],
    ['1000', ''],
    ['0000', 'stack_truncated'],
  ]);

  const labels = (count: number) => ({
    sample: [{ ...sample, label: Array.from({ length: count }, (_, i) => ({ key: 4, num: i })) }],
  });
  for (const count of [1, 2]) assert.equal(decode(labels(count)).profile.attributes.length, count);
  refused(labels(3), /sample labels limit \(max_profile_stacktrace_sample_labels, actual: 3, limit: 2\)/);

  const named = (name: string) => {
    const { profile, repaired } = decode({ string_table: ['', 'cpu', 'nanoseconds', name, 'thread'] });
    return [profile.strings[3], repaired.map(({ reason }) => reason).join()];
  };
  assert.deepEqual(named('0123456789a'), ['0123456789a', '']);
  assert.deepEqual(named('0123456789ab'), ['123456789ab', 'symbol_truncated']);

  const labelled = (key: string, value: string) => {
    const { profile, repaired } = decode({
      string_table: ['', 'cpu', 'nanoseconds', value, key],
      sample: [{ ...sample, label: [{ key: 4, str: 3 }] }],
    });
    return [
      profile.attributes.map(({ value: text }) => text).join(),
      repaired.map(({ reason }) => reason).join(),
    ];
  };
  assert.deepEqual(labelled('thread', 'main'), ['main', '']);
  assert.deepEqual(labelled('thread', 'main2'), ['main', 'attribute_value_truncated']);
  assert.deepEqual(labelled('threads', 'main'), ['', 'attribute_key_too_long']);
});

test('fuzz: mutated bytes end in a profile or a HearthscopeError', () => {
  const seed = encodePprof(richProfile());
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(seed.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 6 }),
      fc.nat(seed.length),
      fc.nat(8),
      (mutations, cut, kind) => {
        let bytes = seed.slice();
        for (const { at, byte } of mutations) bytes[at] = byte;
        if (kind === 0) bytes = bytes.subarray(0, cut);
        if (kind === 1) bytes = Uint8Array.from([...bytes.subarray(cut), ...bytes.subarray(0, cut)]);
        try {
          const { profile } = decodePprof(bytes);
          canonicalProfile(profile);
        } catch (error) {
          assert.ok(error instanceof HearthscopeError, String(error));
        }
      },
    ),
    { numRuns: 4000 },
  );
});

test('Go reads what we write', (t) => {
  try {
    execFileSync('go', ['version']);
  } catch (error) {
    t.skip(`go is not installed, so its pprof reader was not asked: ${(error as Error).message}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'hearthscope-pprof-'));
  try {
    const file = join(folder, 'rich.pb');
    writeFileSync(file, encodePprof(richProfile()));
    const raw = execFileSync('go', ['tool', 'pprof', '-raw', '-symbolize=none', file], {
      encoding: 'utf8',
      env: { ...process.env, PPROF_TMPDIR: folder },
    });
    assert.match(raw, /PeriodType: cpu nanoseconds\nPeriod: 52631578\n/);
    assert.match(raw, /Samples:\nsamples\/count cpu\/nanoseconds\[dflt\]\n/);
    assert.match(raw, /3 -9007199254740993: 2 1 \n +thread\.name:\[worker\]\n/);
    assert.match(raw, /bytes:\[-9223372036854775808 bytes\] +thread\.id:\[42\]/);
    assert.match(raw, /1: 0x555500001000 M=1 inlined main\.cc:4:7 s=3\n/);
    assert.match(raw, /main main\.cc:12:0 s=10\(_Z4mainv\)/);
    assert.match(raw, /2: 0xffffffff81234567 M=2/);
    assert.match(
      raw,
      /1: 0x555500000000\/0x555500100000\/0x1000 \/usr\/bin\/app 0123abcd \[FN\]\[FL\]\[LN\]\[IN\]/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
