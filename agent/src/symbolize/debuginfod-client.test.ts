// SPDX-License-Identifier: Apache-2.0
//
// The client against a real HTTP server that serves real debug files, and misbehaves on demand.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  createReadStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { DebuginfodClient, type DebuginfodOptions } from './debuginfod-client.ts';
import type { BinaryRef } from './symbol-request.ts';
import { Symbolizer } from './symbolizer.ts';
import { outermostNames } from './testing/named-frames.ts';
import { buildProgram, locate } from './testing/process.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'hearthscope-debuginfod-')));
after(() => rmSync(directory, { recursive: true }));

/** A stripped program, and its debug file apart. */
function stripped(name: string): { path: string; debug: string; buildId: string; fileOffset: bigint } {
  const path = buildProgram(directory, name, `only_in_${name.replaceAll('-', '_')}`, ['-g']);
  const { fileOffset } = locate(path, `only_in_${name.replaceAll('-', '_')}`);
  const debug = `${path}.debug`;
  execFileSync('objcopy', ['--only-keep-debug', path, debug]);
  execFileSync('strip', [path]);
  const [, buildId] = /Build ID: ([0-9a-f]+)/.exec(
    execFileSync('readelf', ['-n', path], { encoding: 'utf8' }),
  )!;
  return { path, debug, buildId: buildId!, fileOffset };
}

async function serve(
  t: TestContext,
  listener: RequestListener,
): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Serves files by build id; 404 for all others. */
function files(byBuildId: Record<string, string>): RequestListener {
  return (request, response) => {
    const path = byBuildId[/^\/(?:prefix\/)?buildid\/([0-9a-f]+)\/debuginfo$/.exec(request.url!)?.[1] ?? ''];
    if (path === undefined) response.writeHead(404).end('not here');
    else createReadStream(path).pipe(response.writeHead(200));
  };
}

let caches = 0;

async function client(
  t: TestContext,
  options: Partial<DebuginfodOptions> & { servers: string[] },
): Promise<{
  client: DebuginfodClient;
  fetched: string[];
  counts: () => Promise<Record<string, number>>;
  cacheDir: string;
}> {
  const fetched: string[] = [];
  const registry = new Registry();
  const cacheDir = options.cacheDir ?? join(directory, `cache-${caches++}`);
  const created = await DebuginfodClient.create(
    { ...options, cacheDir },
    (buildId) => fetched.push(buildId),
    {
      logger: pino({ level: 'silent' }),
      registry,
    },
  );
  t.after(() => created.stop());
  const counts = async (): Promise<Record<string, number>> => {
    const { values } = await registry.getSingleMetric('hearthscope_agent_debuginfod_fetches_total')!.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]));
  };
  return { client: created, fetched, counts, cacheDir };
}

test('a debug file makes the names of a later request better', async (t) => {
  const program = stripped('improves');
  const { url, requests } = await serve(t, files({ [program.buildId]: program.debug }));
  const cacheDir = join(directory, 'improving-cache');
  const debuginfod = { servers: [url], cacheDir };
  const start = () =>
    Symbolizer.start({ logger: pino({ level: 'silent' }), registry: new Registry(), debuginfod });
  const { ino } = statSync(program.path, { bigint: true });
  const ref: BinaryRef = {
    pid: process.pid,
    start: 0n,
    limit: 0x1000n,
    device: '00:00',
    inode: ino,
    path: program.path,
    fileOffsets: BigUint64Array.of(program.fileOffset),
  };
  const request = { binaries: [ref], kernelAddresses: new BigUint64Array(0) };

  const symbolizer = await start();
  try {
    const first = await symbolizer.symbolize(request);
    assert.deepEqual(outermostNames(first.binaries[0]!.frames), [''], 'the batch did not wait');
    assert.ok(first.binaries[0]!.lacksDebugInfo);
    let later = first;
    while (later.improvedBuildIds.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      later = await symbolizer.symbolize(request);
    }
    assert.deepEqual(later.improvedBuildIds, [program.buildId]);
    const { frames } = later.binaries[0]!;
    assert.deepEqual(outermostNames(frames), ['only_in_improves']);
    assert.deepEqual([frames.files[0], frames.lines[0]], [join(directory, 'improves.c'), 2]);
    assert.deepEqual((await symbolizer.symbolize(request)).improvedBuildIds, [], 'said once');
  } finally {
    await symbolizer.stop();
  }
  assert.deepEqual(requests, [`GET /buildid/${program.buildId}/debuginfo`]);
  assert.equal(statSync(join(cacheDir, `${program.buildId}.debug`)).mode & 0o777, 0o600);

  // The next start finds it on disk.
  const second = await start();
  try {
    const { binaries } = await second.symbolize(request);
    assert.deepEqual(outermostNames(binaries[0]!.frames), ['only_in_improves']);
  } finally {
    await second.stop();
  }
  assert.equal(requests.length, 1);
});

test('servers are asked in order; what none has is not asked for again until that expires', async (t) => {
  const program = stripped('in-order');
  const empty = await serve(t, files({}));
  const full = await serve(t, files({ [program.buildId]: program.debug }));
  const servers = [empty.url, `${full.url}/prefix`];
  const { client: first, fetched, counts, cacheDir } = await client(t, { servers });
  const unknown = 'ab'.repeat(20);
  first.want(program.buildId);
  first.want(program.buildId);
  first.want(unknown);
  await first.settled();
  assert.deepEqual(fetched, [program.buildId]);
  assert.deepEqual(await counts(), { fetched: 1, not_found: 3 });
  assert.deepEqual(full.requests.length, 2);
  for (const buildId of [unknown, program.buildId]) first.want(buildId);
  await first.settled();
  const again = await client(t, { servers, cacheDir });
  again.client.want(unknown);
  await again.client.settled();
  assert.equal(empty.requests.length, 2, 'remembered, over a restart too');
  const marker = join(cacheDir, `${unknown}.missing`);
  const past = new Date(Date.now() - 2 * 60 * 60_000);
  utimesSync(marker, past, past);
  const expired = await client(t, { servers, cacheDir });
  expired.client.want(unknown);
  await expired.client.settled();
  assert.equal(empty.requests.length, 3);
});

test('what is malformed, damaged, of another build, too large or too slow is not kept', async (t) => {
  const program = stripped('refused');
  const noElf = join(directory, 'no-elf');
  writeFileSync(noElf, 'x'.repeat(1000));
  const { byteLength } = readFileSync(program.debug);
  const other = 'cd'.repeat(20);
  const { url, requests } = await serve(t, (request, response) => {
    if (request.url!.includes(other))
      return void createReadStream(program.debug).pipe(response.writeHead(200));
    if (request.url!.includes('11111111')) return void createReadStream(noElf).pipe(response.writeHead(200));
    if (request.url!.includes('22222222')) return void response.writeHead(500).end();
    if (request.url!.includes('33333333')) return void response.writeHead(200).write('slow');
    if (request.url!.includes('44444444'))
      return void response.writeHead(302, { location: '/nowhere' }).end();
    if (request.url!.includes('nowhere')) return void response.writeHead(404).end();
    createReadStream(program.debug).pipe(response.writeHead(200));
  });
  const limits = { servers: [url], timeoutMillis: 500, maxFileBytes: byteLength };
  const { client: fetching, fetched, counts, cacheDir } = await client(t, limits);
  const wanted = [
    '../../etc/passwd',
    'ABCDEF0123',
    'abc',
    '',
    other,
    '11111111',
    '22222222',
    '33333333',
    '44444444',
  ];
  for (const buildId of wanted) fetching.want(buildId);
  await fetching.settled();
  assert.deepEqual(fetched, []);
  assert.deepEqual(await counts(), {
    malformed_build_id: 4,
    build_id_mismatch: 1,
    bad_elf: 1,
    http_error: 1,
    timeout: 1,
    not_found: 1,
  });
  const kept = readdirSync(cacheDir).filter((name) => !name.endsWith('.missing'));
  assert.deepEqual(kept, []);
  const asked = requests.length;
  for (const buildId of wanted) fetching.want(buildId);
  await fetching.settled();
  assert.equal(requests.length, asked, 'none is asked for again at once');

  const small = await client(t, { servers: [url], maxFileBytes: byteLength - 1 });
  small.client.want(program.buildId);
  await small.client.settled();
  assert.deepEqual(await small.counts(), { too_large: 1 });
  const exact = await client(t, { servers: [url], maxFileBytes: byteLength });
  exact.client.want(program.buildId);
  await exact.client.settled();
  assert.deepEqual(exact.fetched, [program.buildId]);
});

test('the cache stays within its limit, and the files used last stay', async (t) => {
  const programs = ['cached-a', 'cached-b', 'cached-c'].map(stripped);
  const { url } = await serve(
    t,
    files(Object.fromEntries(programs.map(({ buildId, debug }) => [buildId, debug]))),
  );
  const bytes = Math.max(...programs.map(({ debug }) => statSync(debug).size));
  const {
    client: fetching,
    counts,
    cacheDir,
  } = await client(t, { servers: [url], maxCacheBytes: 2 * bytes + 100 });
  const [a, b, c] = programs.map(({ buildId }) => buildId);
  for (const buildId of [a, b, a, c]) {
    fetching.want(buildId!);
    await fetching.settled();
  }
  const kept = (): string[] => readdirSync(cacheDir).map((name) => name.replace('.debug', ''));
  assert.deepEqual(kept().sort(), [a, c].sort());
  assert.equal((await counts()).evicted, 1);
  writeFileSync(join(cacheDir, `${b}.123-0.part`), 'left over');
  await client(t, { servers: [url], cacheDir, maxCacheBytes: bytes + 100 });
  assert.equal(kept().length, 1, 'a smaller limit holds from the start, and what was left over is gone');
});

test('servers that are no addresses, or have credentials, are refused', async (t) => {
  for (const server of ['', 'debuginfod', 'ftp://host/', 'file:///etc']) {
    await assert.rejects(client(t, { servers: [server] }), /is no http\(s\) URL/);
  }
  await assert.rejects(client(t, { servers: ['https://user:secret@host/'] }), (error: Error) => {
    assert.match(error.message, /credentials are not supported/);
    assert.ok(!error.message.includes('secret'));
    return true;
  });
});

test('stopping breaks off what is on its way', async (t) => {
  const { url } = await serve(t, (_, response) => void response.writeHead(200).write('never ends'));
  const { client: fetching, cacheDir } = await client(t, { servers: [url] });
  fetching.want('ef'.repeat(20));
  while (readdirSync(cacheDir).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await fetching.stop();
  assert.deepEqual(readdirSync(cacheDir), []);
});
