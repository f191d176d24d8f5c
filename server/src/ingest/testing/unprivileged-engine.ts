// SPDX-License-Identifier: Apache-2.0
//
// Starts an engine as root, becomes another user as the server does, and uses everything that could need a file:
// DIR UID REQUEST, the last one an OTLP request in base64. Then holds the directory until it is killed.

import { DEFAULT_TENANT_LIMITS } from '@hearthscope/collector/limits/tenant-limits';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { giveContents } from '../../data-directory.ts';
import { CPU_TYPE } from '../../storage/testing/stored-profile.ts';
import { Engine } from '../engine.ts';

const [dataDir, uid, request] = process.argv.slice(2) as [string, string, string];
const user = { uid: Number(uid), gid: Number(uid) };

const engine = await Engine.start({
  dataDir,
  headMaxBytes: 1 << 28,
  pipeline: { indexedAttributes: [] },
  limits: { defaults: DEFAULT_TENANT_LIMITS, overrides: {} },
  // Each request needs a new file.
  walLimits: { maxSegmentBytes: 1 },
  logger: pino({ level: 'silent' }),
  registry: new Registry(),
});
giveContents(dataDir, user);
process.setgroups!([]);
process.setgid!(user.gid);
process.setuid!(user.uid);

for (let i = 0; i < 3; i++)
  await engine.exportOtlp('a', new Uint8Array(Buffer.from(request, 'base64')), 'protobuf');
const { total } = await engine.querier.mergeStacktraces(['a'], {
  startMillis: Date.now() - 60_000,
  endMillis: Date.now() + 60_000,
  profileTypeId: CPU_TYPE,
  labelSelector: '{service_name=~"w(e)b"}',
  maxNodes: undefined,
  callSite: [],
  profileIds: undefined,
  traceIds: undefined,
  spanIds: undefined,
});
process.stdout.write(`uid ${process.getuid!()} total ${total}\n`);
setInterval(() => engine.readiness(), 1000);
