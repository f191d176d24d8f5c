// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encodeCollapsed } from '@hearthscope/profile/codecs/collapsed';
import { SPEEDSCOPE_SCHEMA } from '@hearthscope/profile/codecs/speedscope';
import { labelValue } from '@hearthscope/profile/labels';
import { encodeTrie } from '@hearthscope/profile/testing/trie-bytes';
import { type TenantLimits, tenantLimits } from '../limits/tenant-limits.ts';
import type { NormaliseResult } from '../normalise-result.ts';
import { encodeTestPprof, type TestPprof } from '../testing/push-request.ts';
import { IngestMetadataError } from './ingest-metadata.ts';
import { normaliseIngestRequest } from './ingest-request.ts';

const NOW_MILLIS = Date.UTC(2026, 0, 2, 3, 4, 5);
const FROM_SECONDS = NOW_MILLIS / 1000 - 10;
const TIMES = `from=${FROM_SECONDS}&until=${FROM_SECONDS + 10}`;

interface Sent {
  readonly contentType?: string;
  readonly limits?: Partial<TenantLimits>;
}

function ingest(query: string, body: Uint8Array | string, { contentType = '', limits = {} }: Sent = {}) {
  return normaliseIngestRequest(
    { query, contentType, body: typeof body === 'string' ? new TextEncoder().encode(body) : body },
    { tenant: 'anonymous', indexedAttributes: [], limits: tenantLimits(limits), now: () => NOW_MILLIS },
  );
}

/** A form as clients send it; an absent file name makes a part a plain field. */
async function form(parts: Readonly<Record<string, Uint8Array | string>>, isFile = true) {
  const data = new FormData();
  for (const [name, content] of Object.entries(parts)) {
    if (isFile) data.append(name, new Blob([content as Uint8Array<ArrayBuffer>]), `${name}.bin`);
    else data.append(name, content as string);
  }
  const request = new Request('http://localhost', { method: 'POST', body: data });
  return {
    body: new Uint8Array(await request.arrayBuffer()),
    contentType: request.headers.get('content-type') ?? '',
  };
}

async function ingestForm(query: string, parts: Readonly<Record<string, Uint8Array | string>>) {
  const { body, contentType } = await form(parts);
  return ingest(query, body, { contentType });
}

const PPROF: TestPprof = { samples: [{ stack: ['main', 'work'], values: [5] }] };
const typesOf = ({ accepted }: NormaliseResult) =>
  accepted.map(({ labels }) => labelValue(labels, '__profile_type__')).sort();
const reasonsOf = ({ rejected }: NormaliseResult) =>
  rejected.map(({ what, reason, count }) => [what, reason, count]);
const textsOf = ({ accepted }: NormaliseResult) => accepted.map(({ profile }) => encodeCollapsed(profile));

/** Labels of the only series, those of its type left out. */
function labelsOf({ accepted }: NormaliseResult): Record<string, string> {
  assert.equal(accepted.length, 1);
  return Object.fromEntries(
    accepted[0]!.labels.filter(({ name }) => !name.startsWith('__')).map(({ name, value }) => [name, value]),
  );
}

test('collapsed text of a CPU profiler becomes time on CPU', async () => {
  const result = await ingest(
    `name=shop.cpu{region=eu}&${TIMES}&spyName=ebpfspy&sampleRate=50&format=folded`,
    'main;work 3\nmain 1\n',
  );
  assert.deepEqual(reasonsOf(result), []);
  assert.deepEqual(typesOf(result), ['process_cpu:cpu:nanoseconds:cpu:nanoseconds']);
  assert.deepEqual(textsOf(result), ['main 20000000\nmain;work 60000000\n']);
  assert.deepEqual(labelsOf(result), { pyroscope_spy: 'ebpfspy', region: 'eu', service_name: 'shop' });
  const { profile } = result.accepted[0]!;
  assert.equal(profile.timeUnixNanos, BigInt(FROM_SECONDS) * 1_000_000_000n);
  assert.equal(profile.durationNanos, 10_000_000_000n);
  assert.equal(profile.period, 20_000_000n);
});

test('the suffix of the name says what texts measure', async () => {
  const types: Record<string, string> = {
    shop: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    'shop.itimer': 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    'my.shop.wall': 'wall:wall:nanoseconds:cpu:nanoseconds',
    'shop.inuse_space': 'memory:inuse_space:bytes::',
    'shop.alloc_objects': 'memory:alloc_objects:count::',
    'shop.alloc_in_new_tlab_bytes': 'memory:alloc_in_new_tlab_bytes:bytes::',
    'shop.goroutines': 'goroutine:goroutines:count::',
    'shop.mutex_duration': 'mutex:delay:nanoseconds::',
    'shop.block_count': 'block:contentions:count::',
    'shop.lock_count': 'block:contentions:count::',
    'shop.live': 'memory:live:count::',
    'shop.exceptions': 'exceptions:samples:count::',
  };
  for (const [name, type] of Object.entries(types)) {
    assert.deepEqual(typesOf(await ingest(`name=${name}&${TIMES}`, 'a 1')), [type], name);
  }
  await assert.rejects(
    ingest(`name=my.shop&${TIMES}`, 'a 1'),
    (error) => error instanceof IngestMetadataError && error.message.endsWith('unknown profile type: shop'),
  );
});

test('a sample rate of 0 leaves counts, and one that is none is 100', async () => {
  const types = async (rate: string) => typesOf(await ingest(`name=shop&${TIMES}&sampleRate=${rate}`, 'a 1'));
  assert.deepEqual(await types('0'), ['process_cpu:samples:count::']);
  for (const rate of ['', '-1', 'fast', '1e3', '99999999999999999999']) {
    const result = await ingest(`name=shop&${TIMES}&sampleRate=${rate}`, 'a 1');
    assert.deepEqual(textsOf(result), ['a 10000000\n'], rate);
  }
});

test('lines, trie and tree by parameter and by content type', async () => {
  const lines = await ingest(`name=shop&${TIMES}&format=lines&sampleRate=1000000000`, 'a;b\na;b\n\nc\n');
  assert.deepEqual(textsOf(lines), ['a;b 2\nc 1\n']);
  const trie = encodeTrie([
    ['a;b', 2n],
    ['a;c', 3n],
  ]);
  const tree = Uint8Array.from([0, 0, 1, 1, 0x61, 0, 2, 1, 0x62, 2, 0, 1, 0x63, 3, 0]);
  for (const [format, body] of Object.entries({ trie, tree })) {
    const query = `name=shop.alloc_objects&${TIMES}`;
    const byParameter = await ingest(`${query}&format=${format}`, body);
    const byType = await ingest(query, body, { contentType: `binary/octet-stream+${format}` });
    assert.deepEqual(
      [textsOf(byParameter), textsOf(byType)],
      [['a;b 2\na;c 3\n'], ['a;b 2\na;c 3\n']],
      format,
    );
  }
});

test('bad lines cost themselves', async () => {
  const result = await ingest(`name=shop.alloc_objects&${TIMES}`, 'a 1\nnonsense\nb -3\nc 2\n');
  assert.deepEqual(textsOf(result), ['a 1\nc 2\n']);
  assert.deepEqual(reasonsOf(result), [['sample', 'malformed_line', 2]]);
  assert.match(result.rejected[0]!.message, /at byte 4$/);
  const nothing = await ingest(`name=shop.alloc_objects&${TIMES}`, 'nonsense\n\n');
  assert.deepEqual(reasonsOf(nothing), [
    ['sample', 'malformed_line', 1],
    ['profile', 'malformed_profile', 1],
  ]);
});

test('the URL is an error of its own', async () => {
  const messages: Record<string, string> = {
    '': 'name: service name is required',
    'name={a=1}': 'name: service name is required',
    'name=shop{a-b=1}': "name: invalid label name: a-b: character is not allowed: '-'",
  };
  for (const [query, message] of Object.entries(messages)) {
    await assert.rejects(
      ingest(query, 'a 1'),
      (error) =>
        error instanceof IngestMetadataError &&
        error.code === 'invalid_argument' &&
        error.message === message,
    );
  }
});

test('times are read in all their units, and default to now', async () => {
  const nanos = BigInt(FROM_SECONDS) * 1_000_000_000n;
  for (const from of [`${FROM_SECONDS}`, `${FROM_SECONDS}000`, `${nanos / 1000n}`, `${nanos}`, 'now-10s']) {
    const { accepted } = await ingest(`name=shop&from=${from}`, 'a 1');
    assert.equal(accepted[0]?.profile.timeUnixNanos, nanos, from);
    assert.equal(accepted[0]?.profile.durationNanos, 10_000_000_000n, from);
  }
  const { accepted } = await ingest('name=shop', 'a 1');
  assert.equal(accepted[0]?.profile.timeUnixNanos, BigInt(NOW_MILLIS) * 1_000_000n);
  assert.equal(accepted[0]?.profile.durationNanos, 0n);
});

test('what a name may carry', async () => {
  const labels = async (name: string) =>
    labelsOf(await ingest(`name=${encodeURIComponent(name)}&${TIMES}`, 'a 1'));
  const base = { pyroscope_spy: 'unknown' };
  assert.deepEqual(await labels('shop{service_name=till,a=1}'), {
    ...base,
    a: '1',
    app_name: 'shop',
    service_name: 'till',
  });
  assert.deepEqual(await labels('shop{service_name=till,app_name=x}'), {
    ...base,
    app_name: 'x',
    service_name: 'till',
  });
  assert.deepEqual(await labels('shop{__secret__=1,otel.scope.name=a/b}'), {
    ...base,
    'otel.scope.name': 'a/b',
    service_name: 'shop',
  });
});

test('a profile of one span is left out, as its samples come with another', async () => {
  const result = await ingest(`name=shop{profile_id=0a}&${TIMES}`, 'a 1');
  assert.deepEqual([result.accepted, result.rejected], [[], []]);
  assert.deepEqual(result.repaired, [{ reason: 'span_profile_left_out', count: 1 }]);
});

test('a pprof as a raw body, as Node clients send it', async () => {
  const pprof = encodeTestPprof({
    sampleTypes: ['samples:count', 'wall:nanoseconds'],
    periodType: 'wall:nanoseconds',
    samples: [{ stack: ['main'], values: [1, 7] }],
  });
  const query = `format=pprof&name=app{region=eu}&spyName=nodespy&${TIMES}`;
  const types = ['wall:samples:count:wall:nanoseconds', 'wall:wall:nanoseconds:wall:nanoseconds'];
  for (const body of [pprof, gzipSync(pprof)]) {
    const result = await ingest(query, body, { contentType: 'application/octet-stream' });
    assert.deepEqual(typesOf(result), types);
  }
  const unmarked = await ingest(query.replace('format=pprof&', ''), gzipSync(pprof));
  assert.deepEqual(typesOf(unmarked), types);
});

test('a pprof in a form, with and without file names', async () => {
  const pprof = gzipSync(encodeTestPprof(PPROF));
  const result = await ingestForm(`name=shop&spyName=gospy&${TIMES}`, { profile: pprof });
  assert.deepEqual(typesOf(result), ['process_cpu:cpu:nanoseconds:cpu:nanoseconds']);
  assert.deepEqual(labelsOf(result), { pyroscope_spy: 'gospy', service_name: 'shop' });
  const boundary = 'xxx';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="profile"\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(head), pprof, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  const field = await ingest(`name=shop&${TIMES}`, body, {
    contentType: `multipart/form-data; boundary=${boundary}`,
  });
  assert.deepEqual(typesOf(field), ['process_cpu:cpu:nanoseconds:cpu:nanoseconds']);
});

test('the configuration of sample types names profiles', async () => {
  const contentions = (display: string | undefined) =>
    ingestForm(`name=shop&${TIMES}`, {
      profile: encodeTestPprof({
        sampleTypes: ['contentions:count', 'delay:nanoseconds'],
        periodType: 'contentions:count',
        samples: [{ stack: ['main'], values: [1, 2] }],
      }),
      ...(display !== undefined && {
        sample_type_config: JSON.stringify({
          contentions: { units: 'lock_samples', 'display-name': display },
        }),
      }),
    });
  assert.deepEqual(typesOf(await contentions(undefined)), [
    'mutex:contentions:count:contentions:count',
    'mutex:delay:nanoseconds:contentions:count',
  ]);
  assert.deepEqual(typesOf(await contentions('block_count'))[0], 'block:contentions:count:contentions:count');
});

test('clients that want differences are told to update', async () => {
  const result = await ingestForm(`name=shop&${TIMES}`, {
    profile: encodeTestPprof(PPROF),
    prev_profile: 'x',
  });
  assert.deepEqual(reasonsOf(result), [['profile', 'unsupported_client', 1]]);
  assert.match(
    result.rejected[0]!.message,
    /^unsupported client version\. Please update github\.com\/grafana\/pyroscope-go/,
  );
  const empty = await ingestForm(`name=shop&${TIMES}`, { profile: encodeTestPprof(PPROF), prev_profile: '' });
  assert.equal(empty.accepted.length, 1);
});

test('a request without profile is no error', async () => {
  for (const result of [
    await ingest(`name=shop&format=pprof`, ''),
    await ingestForm('name=shop', { other: 'x' }),
  ]) {
    assert.deepEqual([result.accepted, result.rejected], [[], []]);
    assert.deepEqual(result.repaired, [{ reason: 'empty_request', count: 1 }]);
  }
});

test('old Python and Ruby clients: milliseconds for nanoseconds, no period type, names without files', async () => {
  const strings = ['', 'samples', 'count', 'milliseconds', 'run', 'lib', 'app.py', '/usr/lib/python3/os.py'];
  const body = encodeTestPprof({
    samples: [],
    change: {
      time_nanos: String(NOW_MILLIS),
      string_table: strings,
      sample_type: [{ type: 1, unit: 2 }],
      period_type: { unit: 3 },
      mapping: [],
      function: [
        { id: 1, name: 4, filename: 6 },
        { id: 2, name: 5, filename: 7 },
      ],
      location: [
        { id: 1, line: [{ function_id: 1, line: 3 }] },
        { id: 2, line: [{ function_id: 2, line: 9 }] },
      ],
      sample: [{ location_id: [2, 1], value: [4] }],
    },
  });
  const result = await ingest(`name=shop&format=pprof&spyName=pyspy&${TIMES}`, body);
  assert.deepEqual(typesOf(result), ['process_cpu:samples:count::milliseconds']);
  assert.deepEqual(textsOf(result), ['app.py run;lib 4\n']);
  assert.equal(result.accepted[0]!.profile.timeUnixNanos, BigInt(FROM_SECONDS) * 1_000_000_000n);
  assert.ok(result.repaired.some(({ reason }) => reason === 'time_replaced'));
  const ruby = await ingest(`name=shop&format=pprof&spyName=rbspy&${TIMES}`, body);
  assert.deepEqual(textsOf(ruby), ['app.py run;/usr/lib/python3/os.py lib 4\n']);
  const node = await ingest(`name=shop&format=pprof&spyName=nodespy&${TIMES}`, body);
  assert.deepEqual(textsOf(node), ['run;lib 4\n']);
});

test('old .NET clients: functions without ids, dashes in sample types', async () => {
  const profile = encodeTestPprof({
    samples: [],
    change: {
      string_table: ['', 'cpu', 'nanoseconds', 'alloc-samples', 'count', 'Main', 'Work'],
      sample_type: [
        { type: 1, unit: 2 },
        { type: 3, unit: 4 },
      ],
      period_type: { unit: 2 },
      mapping: [],
      function: [{ name: 5 }, { name: 6 }],
      location: [
        { id: 1, line: [{ function_id: 1 }] },
        { id: 2, line: [{ function_id: 2 }] },
      ],
      sample: [{ location_id: [2, 1], value: [4, 1] }],
    },
  });
  const config = JSON.stringify({
    'inuse-space': { units: 'bytes' },
    cpu: { units: 'samples', sampled: true },
  });
  const requests = [
    ingestForm(`name=shop&spyName=dotnetspy&${TIMES}`, { profile }),
    ingestForm(`name=shop&${TIMES}`, { profile, sample_type_config: config }),
  ];
  for (const result of await Promise.all(requests)) {
    assert.deepEqual(typesOf(result), [
      'process_cpu:alloc_samples:count::nanoseconds',
      'process_cpu:cpu:nanoseconds::nanoseconds',
    ]);
    assert.ok(textsOf(result).every((text) => text.startsWith('Main;Work ')));
  }
  const other = await ingestForm(`name=shop&spyName=gospy&${TIMES}`, { profile });
  assert.deepEqual(reasonsOf(other), [['profile', 'malformed_profile', 1]]);
});

test('forms that are none, and what stands in them', async () => {
  const messages: [request: Promise<NormaliseResult>, message: RegExp][] = [
    [ingest('name=shop', 'x', { contentType: 'multipart/form-data' }), /multipart form: .*[Bb]oundary/],
    [
      ingest('name=shop', '--x\r\nContent', { contentType: 'multipart/form-data; boundary=x' }),
      /multipart form: /,
    ],
    [ingestForm('name=shop', { profile: 'x', sample_type_config: '{' }), /sample_type_config: /],
    [
      ingestForm('name=shop', { profile: 'x', sample_type_config: '{"a":{"units":1}}' }),
      /units of "a" is not a string/,
    ],
    [ingestForm('name=shop', { profile: 'no pprof' }), /pprof: /],
    [ingestForm('name=shop&format=jfr', { labels: 'x' }), /jfr field is required/],
    [
      ingest('name=shop&format=trie', Uint8Array.from([9])),
      /trie: length 9 exceeds the 0 bytes left at byte 0/,
    ],
    [ingest('name=shop&format=speedscope', '{}'), /unknown schema/],
  ];
  for (const [request, message] of messages) {
    const result = await request;
    assert.deepEqual(reasonsOf(result), [['profile', 'malformed_profile', 1]], String(message));
    assert.match(result.rejected[0]!.message, message);
  }
});

test('speedscope: one profile by the name, several by their units', async () => {
  const profile = (name: string, unit: string) => ({
    type: 'sampled',
    name,
    unit,
    startValue: 0,
    endValue: 1,
    samples: [[0]],
    weights: [3],
  });
  const file = (...profiles: object[]) =>
    JSON.stringify({ $schema: SPEEDSCOPE_SCHEMA, shared: { frames: [{ name: 'main' }] }, profiles });
  const send = (...profiles: object[]) => ingest(`name=shop&format=speedscope&${TIMES}`, file(...profiles));
  const one = await send(profile('p', 'seconds'));
  assert.deepEqual(typesOf(one), ['process_cpu:cpu:nanoseconds:cpu:nanoseconds']);
  assert.deepEqual(textsOf(one), ['main 3000000000\n']);
  assert.deepEqual(labelsOf(one), { profile_name: 'p', pyroscope_spy: 'unknown', service_name: 'shop' });
  assert.deepEqual(textsOf(await send(profile('p', 'none'))), ['main 30000000\n']);
  assert.deepEqual(typesOf(await send(profile('p', 'bytes'))), ['memory:samples:bytes::']);
  const several = await send(profile('p', 'milliseconds'), profile('q', 'bytes'), profile('r', 'none'));
  assert.deepEqual(typesOf(several), [
    'memory:samples:bytes::',
    'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    'wall:wall:nanoseconds:cpu:nanoseconds',
  ]);
  const same = await send(profile('p', 'seconds'), profile('p', 'seconds'));
  assert.deepEqual(new Set(typesOf(same)), new Set(['process_cpu:cpu:nanoseconds:cpu:nanoseconds']));
  const mixed = await send(profile('p', 'seconds'), { ...profile('q', 'seconds'), weights: [] });
  assert.deepEqual([mixed.accepted.length, reasonsOf(mixed)], [1, [['profile', 'malformed_profile', 1]]]);
});

test('limits hold at their edge', async () => {
  const text = 'a;b 1\na;c 1\n';
  const send = (limits: Partial<TenantLimits>, query = `name=shop&${TIMES}`) =>
    ingest(query, text, { limits });
  assert.equal((await send({ maxProfileSizeBytes: 12 })).accepted.length, 1);
  const large = await send({ maxProfileSizeBytes: 11 });
  assert.deepEqual(reasonsOf(large), [['profile', 'profile_size_limit', 1]]);
  assert.match(
    large.rejected[0]!.message,
    /exceeds the size limit \(max_profile_size_byte, actual: 12, limit: 11\)/,
  );
  assert.equal((await send({ maxProfileSamples: 2 })).accepted.length, 1);
  const many = await send({ maxProfileSamples: 1 });
  assert.deepEqual(reasonsOf(many), [['profile', 'samples_limit', 1]]);
  assert.match(
    many.rejected[0]!.message,
    /service_name="shop".*max_profile_stacktrace_samples, actual: 2, limit: 1/,
  );
  assert.deepEqual(textsOf(await send({ maxStackDepth: 1 }, `name=shop.live&${TIMES}`)), ['a 2\n']);
  const old = await send({}, 'name=shop&from=20200101');
  assert.deepEqual(reasonsOf(old), [['profile', 'not_in_ingestion_window', 1]]);
});
