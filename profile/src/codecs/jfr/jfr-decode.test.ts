// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError, HearthscopeError } from '../../errors.ts';
import { DEFAULT_DECODE_LIMITS } from '../decode-limits.ts';
import { DecodeReport } from '../decode-report.ts';
import { decodeJfr, type JfrOptions } from './jfr-decode.ts';
import { DEFAULT_JFR_LIMITS } from './jfr-limits.ts';
import { type RecordedChunk, type RecordedEvent, writeRecording } from './testing/jfr-recording.ts';
import { profileText } from './testing/profile-text.ts';
import {
  eventSetting,
  executionSample,
  PROFILER_TYPES,
  poolsOf,
  profilerChunk,
  profilerRecording,
  ThreadState,
} from './testing/profiler-recording.ts';

const OPTIONS: JfrOptions = {
  timeUnixNanos: 1_700_000_000_000_000_000n,
  durationNanos: 10_000_000_000n,
  sampleRateHz: 100,
};
const STACKS = ['Main.main:3;Work.run:7', 'Main.main:3;Work.run:7;Work.hot:9'];

function decode(bytes: Uint8Array, options: Partial<JfrOptions> = {}) {
  const report = new DecodeReport();
  const result = decodeJfr(bytes, { ...OPTIONS, ...options }, report);
  return {
    ...result,
    texts: Object.fromEntries(
      result.profiles.map(({ name, profile }) => [
        `${name}:${profile.sampleTypes.map(({ type, unit }) => `${type}/${unit}`)}:${profile.periodType.type}/${profile.periodType.unit}`,
        profileText(profile),
      ]),
    ),
    rejected: Object.fromEntries(report.rejected.map(({ reason, count }) => [reason, count])),
    repaired: Object.fromEntries(report.repaired.map(({ reason, count }) => [reason, count])),
  };
}

const CPU = 'process_cpu:cpu/nanoseconds:cpu/nanoseconds';
const WALL = 'wall:wall/nanoseconds:wall/nanoseconds';

test('execution samples are CPU time: the sampling period each, summed by stack', () => {
  const { profiles, texts, event, chunks, eventCounts, rejected, repaired } = decode(
    profilerRecording(STACKS, [
      eventSetting('itimer'),
      executionSample(1),
      executionSample(2),
      executionSample(2),
    ]),
  );
  assert.deepEqual(texts, {
    [CPU]: ['Main.main:3;Work.run:7 10000000', 'Main.main:3;Work.run:7;Work.hot:9 20000000'],
  });
  assert.equal(event, 'itimer');
  assert.equal(chunks, 1);
  assert.deepEqual(Object.fromEntries(eventCounts), { 'jdk.ActiveSetting': 1, 'jdk.ExecutionSample': 3 });
  assert.deepEqual({ ...rejected, ...repaired }, {});
  const { profile } = profiles[0]!;
  assert.equal(profile.timeUnixNanos, OPTIONS.timeUnixNanos);
  assert.equal(profile.durationNanos, OPTIONS.durationNanos);
  assert.equal(profile.period, 10_000_000n);
  assert.ok(profile.strings.includes('jvm'));
});

test('each event type has its profile, its sample types and its period type', () => {
  const event = (type: string, values: RecordedEvent['values']): RecordedEvent => ({
    type,
    values: { stackTrace: 1, ...values },
  });
  const stack = 'Main.main:3;Work.run:7';
  const { texts } = decode(
    profilerRecording(STACKS, [
      event('jdk.ObjectAllocationInNewTLAB', { allocationSize: 16, tlabSize: 4096 }),
      event('jdk.ObjectAllocationInNewTLAB', { allocationSize: 16, tlabSize: 1024 }),
      event('jdk.ObjectAllocationOutsideTLAB', { allocationSize: 100_000 }),
      event('jdk.ObjectAllocationSample', { weight: 2 ** 40 }),
      event('jdk.JavaMonitorEnter', { duration: 1500 }),
      event('jdk.ThreadPark', { duration: 2500 }),
      event('profiler.LiveObject', { allocationSize: 64 }),
      event('profiler.Malloc', { size: 77 }),
      { type: 'jdk.CPULoad', values: { jvmUser: 1 } },
    ]),
  );
  assert.deepEqual(texts, {
    'memory:alloc_in_new_tlab_objects/count,alloc_in_new_tlab_bytes/bytes:space/bytes': [`${stack} 2,5120`],
    'memory:alloc_outside_tlab_objects/count,alloc_outside_tlab_bytes/bytes:space/bytes': [
      `${stack} 1,100000`,
    ],
    'memory:alloc_sample_objects/count,alloc_sample_bytes/bytes:space/bytes': [`${stack} 1,1099511627776`],
    'mutex:contentions/count,delay/nanoseconds:mutex/count': [`${stack} 1,1500`],
    'block:contentions/count,delay/nanoseconds:block/count': [`${stack} 1,2500`],
    'memory:live/count:objects/count': [`${stack} 1`],
    'memory:malloc_objects/count,malloc_bytes/bytes:/': [`${stack} 1,77`],
  });
});

test('a sampler of the wall clock: all states take wall time, those that do not sleep take CPU time', () => {
  const { texts, event } = decode(
    profilerRecording(STACKS, [
      eventSetting('wall'),
      executionSample(1),
      executionSample(1, { state: ThreadState.sleeping }),
      executionSample(2, { state: ThreadState.waiting }),
    ]),
  );
  assert.equal(event, 'wall');
  assert.deepEqual(texts, {
    [CPU]: ['Main.main:3;Work.run:7 10000000', 'Main.main:3;Work.run:7;Work.hot:9 10000000'],
    [WALL]: ['Main.main:3;Work.run:7 20000000', 'Main.main:3;Work.run:7;Work.hot:9 10000000'],
  });
});

test('a wall clock sample stands for several, and is CPU time only of a running thread of a wall recording', () => {
  const events = [ThreadState.runnable, ThreadState.sleeping, ThreadState.waiting].map(
    (state, i): RecordedEvent => ({
      type: 'profiler.WallClockSample',
      values: { stackTrace: 1, state, samples: 10 ** i },
    }),
  );
  const wall = ['Main.main:3;Work.run:7 1110000000'];
  assert.deepEqual(decode(profilerRecording(STACKS, [eventSetting('wall'), ...events])).texts, {
    [CPU]: ['Main.main:3;Work.run:7 10000000'],
    [WALL]: wall,
  });
  assert.deepEqual(decode(profilerRecording(STACKS, [eventSetting('cpu'), ...events])).texts, {
    [WALL]: wall,
  });
});

test('durations are nanoseconds, whatever unit the metadata gives them', () => {
  for (const [timespanUnit, ticksPerSecond, nanos] of [
    ['TICKS', 1e9, 3000],
    ['TICKS', 2e9, 1500],
    ['NANOSECONDS', 2e9, 3000],
    ['MICROSECONDS', 1, 3e6],
    ['MILLISECONDS', 1, 3e9],
    ['SECONDS', 1, 3e12],
  ] as const) {
    const types = PROFILER_TYPES.map((type) => ({
      ...type,
      fields: type.fields.map((field) =>
        field.timespanUnit === undefined ? field : { ...field, timespanUnit },
      ),
    }));
    const event = { type: 'jdk.JavaMonitorEnter', values: { stackTrace: 1, duration: 3000 } };
    const { texts } = decode(writeRecording(profilerChunk(STACKS, [event], { types, ticksPerSecond })));
    assert.deepEqual(Object.values(texts), [[`Main.main:3;Work.run:7 1,${nanos}`]], timespanUnit);
  }
});

test('the sampling rate 0 is one that is not known', () => {
  const { texts } = decode(profilerRecording(STACKS, [executionSample(1)]), { sampleRateHz: 0 });
  assert.deepEqual(texts, { [CPU]: ['Main.main:3;Work.run:7 0'] });
});

test('integers of fixed width, pools in several checkpoints, strings in every encoding', () => {
  for (const isCompressed of [true, false]) {
    const pools = poolsOf(STACKS);
    const symbols = pools.find(({ type }) => type === 'jdk.types.Symbol')!;
    const encodings = [
      (text: string) => ({ utf8: text }),
      (text: string) => ({ latin1: text }),
      (text: string) => ({ chars: text }),
      (text: string) => ({ pool: `0x${Buffer.from(text.slice(0, 7)).toString('hex')}` }),
    ];
    const strings: [bigint, string][] = [];
    const entries = symbols.entries.map(([key, value], i) => {
      const text = (value as { string: string }).string;
      const encoded = encodings[i % encodings.length]!(text);
      if (!('pool' in encoded)) return [key, { string: encoded }] as const;
      strings.push([BigInt(encoded.pool), text]);
      return [key, { string: { pool: BigInt(encoded.pool) } }] as const;
    });
    const others = pools.filter((pool) => pool !== symbols);
    const chunk: RecordedChunk = {
      types: PROFILER_TYPES,
      checkpoints: [
        [{ type: symbols.type, entries: entries.slice(0, 2) }, others[0]!],
        [{ type: 'java.lang.String', entries: strings }],
        [{ type: symbols.type, entries: entries.slice(2) }, ...others.slice(1)],
      ],
      events: [executionSample(2)],
      isCompressed,
    };
    const { texts, repaired } = decode(writeRecording(chunk));
    assert.deepEqual(texts, { [CPU]: ['Main.main:3;Work.run:7;Work.hot:9 10000000'] });
    assert.deepEqual(repaired, {});
  }
});

test('keys of 64 bits, text outside of Latin, lines that are none', () => {
  const key = 0xfedc_ba98_7654_3210n;
  const [stacks, ...pools] = poolsOf(['Ключ.метод']);
  const trace = (stacks!.entries[0]![1] as { frames: readonly Record<string, number>[] }).frames[0]!;
  const { texts } = decode(
    writeRecording({
      types: PROFILER_TYPES,
      checkpoints: [
        [{ type: stacks!.type, entries: [[key, { frames: [{ ...trace, lineNumber: -1 }] }]] }, ...pools],
      ],
      events: [{ type: 'jdk.ExecutionSample', values: { stackTrace: key, state: 1 } }],
    }),
  );
  assert.deepEqual(texts, { [CPU]: ['Ключ.метод 10000000'] });
});

test('the order of fields, fields that are new, and types that are not known do not matter', () => {
  const types = [
    ...PROFILER_TYPES.map((type) =>
      type.name === 'jdk.ExecutionSample' || type.name === 'jdk.types.Method'
        ? {
            ...type,
            fields: [
              { name: 'new', type: 'acme.Nested', isArray: true },
              { name: 'text', type: 'java.lang.String', isArray: true },
              { name: 'numbers', type: 'double', isArray: true },
              ...type.fields.toReversed(),
            ],
          }
        : type,
    ),
    { name: 'acme.Nothing', fields: [] },
    {
      name: 'acme.Nested',
      fields: [
        { name: 'empty', type: 'acme.Nothing' },
        { name: 'inner', type: 'jdk.types.StackFrame' },
        { name: 'keys', type: 'acme.Nested', isPooled: true, isArray: true },
        { name: 'nothings', type: 'acme.Nothing', isArray: true },
      ],
    },
  ];
  const nested = { inner: { method: 1, lineNumber: 2 }, keys: [3, 4, 500], nothings: [{}, {}, {}] };
  const values = { new: [nested, nested], text: ['a', { null: true }], numbers: [1, 2] } as const;
  const pools = poolsOf(STACKS).map((pool) =>
    pool.type === 'jdk.types.Method'
      ? {
          ...pool,
          entries: pool.entries.map(([key, value]) => [key, { ...values, ...(value as object) }] as const),
        }
      : pool,
  );
  const chunk: RecordedChunk = {
    types,
    checkpoints: [[{ type: 'acme.Nested', entries: [[1, nested]] }, ...pools]],
    events: [executionSample(2, values), { type: 'acme.Nested', values: nested }],
  };
  const { texts, eventCounts } = decode(writeRecording(chunk));
  assert.deepEqual(texts, { [CPU]: ['Main.main:3;Work.run:7;Work.hot:9 10000000'] });
  assert.equal(eventCounts.get('acme.Nested'), 1);
});

test('an event of a type that the metadata lacks is passed over and counted', () => {
  const bytes = profilerRecording(STACKS, [executionSample(1), executionSample(2), executionSample(2)]);
  // The type of the first event, after its size.
  bytes[68 + 4] = 0x7f;
  const { texts, repaired, eventCounts } = decode(bytes);
  assert.deepEqual(texts, { [CPU]: ['Main.main:3;Work.run:7;Work.hot:9 20000000'] });
  assert.deepEqual(repaired, { jfr_unknown_event_type: 1 });
  assert.equal(eventCounts.get('jdk.ExecutionSample'), 2);
});

test('names that are made up anew in each process are made the same', () => {
  const { texts } = decode(
    profilerRecording(
      [
        'jdk/internal/reflect/GeneratedMethodAccessor31.invoke;a/B$$Lambda$8/0x0000000800c01220.run;a/B$$Lambda.0x00007ffa600c4da0.run',
        'a/S$$EnhancerBySpringCGLIB$$a1b2c3.call;libzstd-jni-1.5.1-16931311898282279136.so.compress',
        'a.B$$Lambda$94+0x00007f6364008800/502800944.run',
        './tmp/libamazonCorrettoCryptoProvider109b39cf33c563eb.so (deleted).f;a/NoLambda$1.run',
      ],
      [1, 2, 3, 4].map((stack) => executionSample(stack)),
    ),
  );
  assert.deepEqual(texts[CPU], [
    'a.B$$Lambda_.run 10000000',
    'a/S$$EnhancerBySpringCGLIB$$_.call;libzstd-jni-_.so.compress 10000000',
    'jdk/internal/reflect/GeneratedMethodAccessor_.invoke;a/B$$Lambda_.run;a/B$$Lambda_.run 10000000',
    'libamazonCorrettoCryptoProvider_.so.f;a/NoLambda$1.run 10000000',
  ]);
});

test('what refers to nothing is left out and counted', () => {
  const pools = poolsOf(STACKS).map((pool) =>
    pool.type === 'jdk.types.Method' ? { ...pool, entries: pool.entries.slice(1) } : pool,
  );
  const { texts, rejected, repaired } = decode(
    writeRecording({
      types: PROFILER_TYPES,
      checkpoints: [pools],
      events: [
        executionSample(1),
        executionSample(0),
        executionSample(99),
        executionSample(2, { state: 44 }),
      ],
    }),
  );
  assert.deepEqual(texts, { [CPU]: ['Work.run:7 10000000'] });
  assert.deepEqual(rejected, { jfr_stack_trace_not_found: 2, jfr_thread_state_not_found: 1 });
  assert.deepEqual(repaired, { jfr_method_not_found: 1, jfr_frame_left_out: 1 });
});

test('values that cannot be summed exactly are refused', () => {
  const allocation = (weight: number | bigint): RecordedEvent => ({
    type: 'jdk.ObjectAllocationSample',
    values: { stackTrace: 1, weight },
  });
  const { texts, rejected } = decode(
    profilerRecording(STACKS, [
      allocation(Number.MAX_SAFE_INTEGER - 5),
      allocation(5),
      allocation(1),
      allocation(-1),
      allocation(2n ** 53n),
    ]),
  );
  assert.deepEqual(Object.values(texts), [[`Main.main:3;Work.run:7 2,${Number.MAX_SAFE_INTEGER}`]]);
  assert.deepEqual(rejected, { value_out_of_range: 3 });

  // In nanoseconds, 2^52 seconds and as many samples of 10 ms are too many.
  const types = PROFILER_TYPES.map((type) => ({
    ...type,
    fields: type.fields.map((field) => {
      if (field.timespanUnit !== undefined) return { ...field, timespanUnit: 'SECONDS' };
      return field.name === 'samples' ? { ...field, type: 'long' } : field;
    }),
  }));
  const events: RecordedEvent[] = [
    { type: 'jdk.ThreadPark', values: { stackTrace: 1, duration: 2 ** 52 } },
    { type: 'jdk.ThreadPark', values: { stackTrace: 2, duration: 1 } },
    { type: 'profiler.WallClockSample', values: { stackTrace: 1, samples: 2 ** 52 } },
  ];
  const large = decode(writeRecording(profilerChunk(STACKS, events, { types })));
  assert.deepEqual(Object.values(large.texts), [['Main.main:3;Work.run:7;Work.hot:9 1,1000000000']]);
  assert.deepEqual(large.rejected, { value_out_of_range: 2 });

  // Each of these fits, and stands for the same stack; all of them do not.
  const keys = Array.from({ length: 600 }, (_, i) => i + 1);
  const many = decode(
    profilerRecording(
      keys.map(() => 'A.a'),
      keys.map((stackTrace) => ({
        type: 'jdk.ObjectAllocationSample',
        values: { stackTrace, weight: Number.MAX_SAFE_INTEGER },
      })),
    ),
  );
  assert.deepEqual(many.rejected, { value_out_of_range: 88 });
  assert.deepEqual(Object.values(many.texts), [[`A.a 512,${512n * BigInt(Number.MAX_SAFE_INTEGER)}`]]);
});

test('chunks add up, and one that is broken or cut off costs only itself', () => {
  const chunk = profilerChunk(STACKS, [eventSetting('cpu'), executionSample(1)]);
  const other = profilerChunk(['Main.main:3;Work.run:7'], [executionSample(1), executionSample(1)]);
  const one = ['Main.main:3;Work.run:7 10000000'];
  const three = ['Main.main:3;Work.run:7 30000000'];
  const whole = decode(writeRecording(chunk, other));
  assert.deepEqual(whole.texts, { [CPU]: three });
  assert.equal(whole.chunks, 2);

  const first = writeRecording(chunk);
  const both = writeRecording(chunk, other);
  for (const length of [both.length - 1, first.length + 68, first.length + 1]) {
    const cut = decode(both.subarray(0, length));
    assert.deepEqual(cut.texts, { [CPU]: one }, `${length} bytes`);
    assert.deepEqual(cut.repaired, { jfr_chunk_lost: 1 });
    assert.equal(cut.chunks, 1);
  }

  const middleBroken = writeRecording(chunk, other, chunk);
  middleBroken.set([0, 0, 0, 0, 0, 0, 0, 1], first.length + 24);
  const rest = decode(middleBroken);
  assert.deepEqual(rest.texts, { [CPU]: ['Main.main:3;Work.run:7 20000000'] });
  assert.deepEqual(rest.repaired, { jfr_chunk_lost: 1 });
  assert.equal(rest.chunks, 2);

  middleBroken[first.length] = 0;
  const start = decode(middleBroken);
  assert.deepEqual(start.texts, { [CPU]: one });
  assert.equal(start.chunks, 1, 'where the chunk after a broken header starts is not known');
});

test('a recording without a chunk that can be read is refused with the position of its first error', () => {
  const good = profilerRecording(STACKS, [executionSample(1)]);
  const changed = (at: number, ...bytes: number[]) => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  for (const [bytes, offset, message] of [
    [new Uint8Array(0), 0, /the recording is empty/],
    [new Uint8Array(67), 0, /68 bytes needed, 67 left/],
    [changed(0, 0), 0, /no magic/],
    [changed(4, 0, 1), 4, /version 1\.1 of the format is not supported/],
    [changed(8, 0, 0, 0, 0, 0, 0, 0, 67), 8, /the size of the chunk is 67/],
    [changed(8, 0x7f), 8, /truncated/],
    [changed(16, 0x7f), 16, /checkpoint's offset/],
    [changed(24, 0, 0, 0, 0, 0, 0, 0, 67), 24, /metadata's offset 67/],
    [changed(56, 0, 0, 0, 0, 0, 0, 0, 0), 56, /0 ticks per second/],
  ] as const) {
    assert.throws(
      () => decode(bytes),
      (error: unknown) => {
        assert.ok(error instanceof FormatError);
        assert.match(error.message, message);
        assert.equal(error.offset, offset, error.message);
        return true;
      },
    );
  }
});

/** The smallest limit on names under which a recording is read. */
function decodableNameBytes(bytes: Uint8Array): number {
  for (let maxNameBytes = 0; ; maxNameBytes++) {
    try {
      decode(bytes, { jfrLimits: { ...DEFAULT_JFR_LIMITS, maxNameBytes } });
      return maxNameBytes;
    } catch (error) {
      assert.match(String(error), /names of the recording/);
    }
  }
}

test('limits hold at their edges', () => {
  const recording = profilerRecording(STACKS, [
    executionSample(1),
    executionSample(2),
    { type: 'jdk.CPULoad', values: {} },
  ]);
  const two = writeRecording(
    profilerChunk(STACKS, [executionSample(1)]),
    profilerChunk(STACKS, [executionSample(1)]),
  );
  const limit = (bytes: Uint8Array, options: Partial<JfrOptions>, message: RegExp | undefined) => {
    if (message === undefined) {
      decode(bytes, options);
      return;
    }
    assert.throws(
      () => decode(bytes, options),
      (error: unknown) =>
        error instanceof HearthscopeError &&
        !(error instanceof FormatError) &&
        error.code === 'invalid_argument' &&
        message.test(error.message),
    );
  };
  const jfr = (changes: Partial<typeof DEFAULT_JFR_LIMITS>) => ({
    jfrLimits: { ...DEFAULT_JFR_LIMITS, ...changes },
  });
  const all = (changes: Partial<typeof DEFAULT_DECODE_LIMITS>) => ({
    limits: { ...DEFAULT_DECODE_LIMITS, ...changes },
  });
  limit(recording, jfr({ maxRecordingBytes: recording.length }), undefined);
  limit(recording, jfr({ maxRecordingBytes: recording.length - 1 }), /bytes exceed the limit/);
  limit(two, jfr({ maxChunks: 2 }), undefined);
  limit(two, jfr({ maxChunks: 1 }), /more than 1 chunks/);
  limit(recording, jfr({ maxEvents: 3 }), undefined);
  limit(recording, jfr({ maxEvents: 2 }), /more events than the limit/);
  limit(two, jfr({ maxEvents: 2 }), undefined);
  limit(two, jfr({ maxEvents: 1 }), /more events than the limit/);
  // 5 frames; 2 distinct samples in a chunk.
  limit(recording, all({ maxDecodedRows: 5 }), undefined);
  limit(recording, all({ maxDecodedRows: 4 }), /5 stack frames exceed the limit of 4/);
  limit(two, all({ maxDecodedRows: 5 }), undefined);
  const deep = profilerRecording(['A.a', 'A.b'], [executionSample(1), executionSample(2)]);
  limit(deep, all({ maxDecodedRows: 2 }), undefined);
  limit(
    writeRecording(profilerChunk(['A.a'], [executionSample(1), executionSample(1, { spanId: 1 })])),
    {
      limits: { ...DEFAULT_DECODE_LIMITS, maxDecodedRows: 1 },
    },
    /more distinct samples/,
  );
  limit(recording, all({ maxTableRows: 3 }), /exceed the limit of 3/);
  const nameBytes = decodableNameBytes(recording);
  limit(recording, jfr({ maxNameBytes: nameBytes }), undefined);
  limit(recording, jfr({ maxNameBytes: nameBytes - 1 }), /names of the recording come to more than/);
  const { repaired, texts } = decode(recording, all({ maxStackDepth: 2 }));
  assert.deepEqual(repaired, { stack_truncated: 1 });
  assert.deepEqual(texts[CPU], ['Main.main:3;Work.run:7 20000000']);
  const short = decode(recording, all({ maxSymbolLength: 4 }));
  assert.deepEqual(short.texts[CPU], ['main:3;.run:7 10000000', 'main:3;.run:7;.hot:9 10000000']);
  assert.deepEqual(short.repaired, { symbol_truncated: 3 });
});

test('few bytes that name much: a long string that many symbols and methods refer to', () => {
  const long = 'x'.repeat(100_000);
  const entries = Array.from({ length: 2000 }, (_, i) => i + 1);
  const recording = writeRecording({
    types: PROFILER_TYPES,
    checkpoints: [
      [
        { type: 'java.lang.String', entries: [[1, { utf8: long }]] },
        { type: 'jdk.types.Symbol', entries: entries.map((key) => [key, { string: { pool: 1 } }] as const) },
        { type: 'java.lang.Class', entries: [[1, { name: 1 }]] },
        {
          type: 'jdk.types.Method',
          entries: entries.map((key) => [key, { type: 1, name: key }] as const),
        },
        {
          type: 'jdk.types.StackTrace',
          entries: [[1, { frames: entries.map((method) => ({ method })) }]],
        },
        ...poolsOf([]).filter(({ type }) => type === 'jdk.types.ThreadState'),
      ],
    ],
    events: [executionSample(1)],
  });
  const limits = { ...DEFAULT_DECODE_LIMITS, maxStackDepth: 5000 };
  assert.throws(() => decode(recording, { limits }), /names of the recording come to more than/);
  const few = { ...limits, maxStackDepth: 10 };
  const { texts, repaired } = decode(recording, { limits: few });
  assert.equal(texts[CPU]![0]!.split(';').length, 10);
  assert.ok(repaired.symbol_truncated! > 0);
});

test('types that contain themselves, deeply or without end, are refused', () => {
  const nested = (name: string, type: string) => ({ name, fields: [{ name: 'inner', type }] });
  const recordingOf = (...types: ReturnType<typeof nested>[]) =>
    writeRecording({
      types: [...PROFILER_TYPES, ...types],
      checkpoints: [
        // In this order each type is known when the next one asks for it.
        types.toReversed().map(({ name }) => ({ type: name, entries: [] })),
        poolsOf(STACKS),
      ],
      events: [executionSample(1)],
    });
  assert.throws(() => decode(recordingOf(nested('T0', 'T0'))), /types nested deeper than 8/);
  const chain = (length: number) =>
    Array.from({ length }, (_, i) => nested(`T${i}`, i === length - 1 ? 'int' : `T${i + 1}`));
  decode(recordingOf(...chain(8)));
  assert.throws(() => decode(recordingOf(...chain(9))), /types nested deeper than 8/);
});

test('any samples: the profiles have the sums that a simple model has', () => {
  const stacks = ['a.A.a', 'a.A.a;a.B.b:2', 'a.A.a;a.B.b:3;c.c', 'c.c'];
  const sample = fc.record({
    stack: fc.integer({ min: 0, max: stacks.length - 1 }),
    state: fc.constantFrom(...Object.values(ThreadState)),
    samples: fc.integer({ min: 1, max: 1000 }),
    isWall: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(fc.array(sample, { maxLength: 20 }), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.constantFrom('wall', 'cpu'),
      fc.integer({ min: 1, max: 1000 }),
      (chunks, isCompressed, event, sampleRateHz) => {
        const period = Math.floor(1e9 / sampleRateHz);
        const expected = new Map<string, number>();
        const add = (kind: string, stack: number, count: number) => {
          const key = `${kind} ${stacks[stack]}`;
          expected.set(key, (expected.get(key) ?? 0) + count * period);
        };
        for (const { stack, state, samples, isWall } of chunks.flat()) {
          if (isWall) add('wall', stack, samples);
          if (isWall && event === 'wall' && state === ThreadState.runnable) {
            add('process_cpu', stack, samples);
          }
          if (!isWall && state !== ThreadState.sleeping) add('process_cpu', stack, 1);
          if (!isWall && event === 'wall') add('wall', stack, 1);
        }
        const bytes = writeRecording(
          ...chunks.map((samples) =>
            profilerChunk(
              stacks,
              [
                eventSetting(event),
                ...samples.map(({ stack, state, samples, isWall }) => ({
                  type: isWall ? 'profiler.WallClockSample' : 'jdk.ExecutionSample',
                  values: { stackTrace: stack + 1, state, samples },
                })),
              ],
              { isCompressed },
            ),
          ),
        );
        const { profiles } = decode(bytes, { sampleRateHz });
        const actual = profiles.flatMap(({ name, profile }) =>
          profileText(profile).map((line) => `${name} ${line}`),
        );
        assert.deepEqual(actual.sort(), Array.from(expected, ([key, sum]) => `${key} ${sum}`).sort());
      },
    ),
    { numRuns: 100 },
  );
});
