// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { UploadClient } from '../debuginfo/testing/upload-client.ts';
import { type RunningServer, startServer } from '../server.ts';
import { CPU_TYPE, exportOverHttp, query, serverOptions, TestDirectory } from '../testing/server-fixture.ts';
import { namelessRequest } from './testing/nameless-request.ts';
import { buildTestBinary, CAPTURED_CALL_FRAMES, type TestBinary } from './testing/test-binary.ts';

const directory = new TestDirectory();
const nextBinary = (() => {
  let count = 0;
  return () => buildTestBinary(directory.path, `captured-call-${count++}`);
})();
let server: RunningServer;
let client: UploadClient;

before(async () => {
  const debugDirectory = join(directory.path, 'debug');
  mkdirSync(debugDirectory);
  server = await startServer(
    serverOptions(directory, {
      debugInfo: { directories: [debugDirectory], limits: { minFreeBytes: 0 } },
    }),
  );
  client = new UploadClient(server.httpPort);
});

after(async () => {
  await server.stop();
  directory[Symbol.dispose]();
});

/** A mapping as eBPF profilers send it: in addresses of the ELF file. */
function linkedMapping(binary: TestBinary) {
  const start = (binary.callAddress >> 12n) << 12n;
  const fileOffset = (binary.callOffset >> 12n) << 12n;
  return { start, limit: start + 4096n, fileOffset, filename: binary.path, buildId: binary.buildId };
}

/** A mapping as it is in a process, at an address of that process. */
function processMapping(binary: TestBinary, start: bigint) {
  return { ...linkedMapping(binary), start, limit: start + 4096n };
}

/** Names of the only stack, root first, and the total. */
async function onlyStack(service: string): Promise<{ names: string[]; total: string }> {
  const answer = (await query(server.httpPort, 'SelectMergeStacktraces', {
    profileTypeID: CPU_TYPE,
    labelSelector: `{service_name="${service}"}`,
    start: Date.now() - 3_600_000,
    end: Date.now() + 60_000,
  })) as { flamegraph: { names: string[]; levels: { values: string[] }[]; total: string } };
  const { names, levels, total } = answer.flamegraph;
  return {
    names: levels.slice(1).map(({ values }) => {
      assert.equal(values.length, 4, 'one bar a level');
      return names[Number(values[3])]!;
    }),
    total,
  };
}

test('frames without names get the inlined and the outer function once the executable is there', async () => {
  const binary = nextBinary();
  const mapping = linkedMapping(binary);
  const frame = { mapping: 0, address: binary.callAddress };
  const request = namelessRequest('executable', [mapping], [{ frames: [frame, frame], value: 7 }]);
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);
  const fallback = `${binary.path.split('/').at(-1)}+0x${binary.callOffset.toString(16)}`;
  assert.deepEqual(await onlyStack('executable'), { names: [fallback, fallback], total: '7000000' });

  assert.equal((await client.upload(binary.buildId, binary.bytes)).status, 200);
  const chain = [...CAPTURED_CALL_FRAMES].reverse();
  assert.deepEqual(await onlyStack('executable'), { names: [...chain, ...chain], total: '7000000' });
  // The second time from the cache.
  assert.deepEqual(await onlyStack('executable'), { names: [...chain, ...chain], total: '7000000' });

  assert.equal((await client.call('DeleteDebuginfo', { gnuBuildId: binary.buildId })).status, 200);
  assert.deepEqual((await onlyStack('executable')).names, [fallback, fallback]);
});

test('a debug file alone names addresses of the file, and offsets once the executable is known', async () => {
  const binary = nextBinary();
  const linked = { mapping: 0, address: binary.callAddress };
  const start = 0x7f12_3456_7000n;
  const placed = { mapping: 1, address: start + (binary.callAddress & 0xfffn) };
  const request = namelessRequest(
    'debug-file',
    [linkedMapping(binary), processMapping(binary, start)],
    [{ frames: [linked, placed], value: 1 }],
  );
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);
  const fallback = `${binary.path.split('/').at(-1)}+0x${binary.callOffset.toString(16)}`;
  const chain = [...CAPTURED_CALL_FRAMES].reverse();

  assert.ok(await client.shouldUpload(binary.buildId, 'TYPE_EXECUTABLE_NO_TEXT'));
  assert.equal((await client.send(binary.buildId, binary.debug)).status, 200);
  assert.deepEqual((await onlyStack('debug-file')).names, [fallback, ...chain]);

  assert.ok(await client.shouldUpload(binary.buildId, 'TYPE_EXECUTABLE_FULL'), 'the other half is missing');
  assert.equal((await client.send(binary.buildId, binary.stripped)).status, 200);
  assert.deepEqual((await onlyStack('debug-file')).names, [...chain, ...chain]);
});

test('processes that have a binary at different addresses are one stack', async () => {
  const binary = nextBinary();
  await client.upload(binary.buildId, binary.bytes);
  const starts = [0x5555_0000_1000n, 0x7fff_1234_5000n];
  const request = namelessRequest(
    'many-processes',
    starts.map((start) => processMapping(binary, start)),
    starts.map((start, mapping) => ({
      frames: [{ mapping, address: start + (binary.callAddress & 0xfffn) }],
      value: 3,
    })),
  );
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);
  assert.deepEqual(await onlyStack('many-processes'), {
    names: [...CAPTURED_CALL_FRAMES].reverse(),
    total: '6000000',
  });
});

test('debug directories of the operator are read, by build id and only where it is that of the file', async () => {
  const binary = nextBinary();
  const other = nextBinary();
  const place = (buildId: string, suffix: string, bytes: Buffer) => {
    const folder = join(directory.path, 'debug', '.build-id', buildId.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${buildId.slice(2)}${suffix}`), bytes);
  };
  place(binary.buildId, '.debug', binary.debug);
  place(other.buildId, '.debug', binary.debug);
  place(other.buildId, '', Buffer.from('no ELF'));
  const mappings = [linkedMapping(binary), linkedMapping(other)];
  const request = namelessRequest('directory', mappings, [
    {
      frames: [
        { mapping: 1, address: other.callAddress },
        { mapping: 0, address: binary.callAddress },
      ],
      value: 1,
    },
  ]);
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);
  const fallback = `${other.path.split('/').at(-1)}+0x${other.callOffset.toString(16)}`;
  const chain = [...CAPTURED_CALL_FRAMES].reverse();
  assert.deepEqual((await onlyStack('directory')).names, [...chain, fallback]);
  assert.ok((await client.metric('hearthscope_symbolize_failures_total{reason="unreadable"}')) > 0);
});

test('what is no native frame with a build id, and an address that no function covers, stay as they are', async () => {
  const binary = nextBinary();
  await client.upload(binary.buildId, binary.bytes);
  const mapping = linkedMapping(binary);
  const request = namelessRequest(
    'unnamed',
    [mapping, { ...mapping, buildId: '../../etc/passwd' }, { ...mapping, buildId: '' }],
    [
      {
        frames: [
          { mapping: 0, address: mapping.start + 4095n },
          { mapping: 1, address: binary.callAddress },
          { mapping: 2, address: binary.callAddress },
        ],
        value: 1,
      },
    ],
  );
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);
  const name = binary.path.split('/').at(-1);
  const call = `${name}+0x${binary.callOffset.toString(16)}`;
  assert.deepEqual((await onlyStack('unnamed')).names, [
    call,
    call,
    `${name}+0x${(mapping.fileOffset + 4095n).toString(16)}`,
  ]);
});

test('a call site is found by the names that are shown', async () => {
  const binary = nextBinary();
  await client.upload(binary.buildId, binary.bytes);
  const request = namelessRequest(
    'call-site',
    [linkedMapping(binary)],
    [{ frames: [{ mapping: 0, address: binary.callAddress }], value: 2 }],
  );
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);
  const ask = async (names: string[]) => {
    const answer = (await query(server.httpPort, 'SelectMergeStacktraces', {
      profileTypeID: CPU_TYPE,
      labelSelector: '{service_name="call-site"}',
      start: Date.now() - 3_600_000,
      end: Date.now() + 60_000,
      stackTraceSelector: { callSite: names.map((name) => ({ name })) },
    })) as { flamegraph: { total?: string } };
    return answer.flamegraph.total ?? '0';
  };
  assert.equal(await ask(['middle', 'inner']), '2000000');
  assert.equal(await ask(['inner']), '0');
});
