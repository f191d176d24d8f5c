// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { openToolEngine, type ToolEngine } from '../inspect/stored-data.ts';
import { quoted } from '../sql/sql-engine.ts';
import { BlockFixture, foldedLines, TENANT } from '../testing/block-fixture.ts';
import { CPU_TYPE, storedProfile } from '../testing/stored-profile.ts';
import { exportParquet } from './export-parquet.ts';
import { exportPprof } from './export-pprof.ts';
import { openExport } from './open-export.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function stored(
  t: TestContext,
  sumsOnly: boolean,
): Promise<{ fixture: BlockFixture; tool: ToolEngine }> {
  const fixture = await BlockFixture.open(t, {
    maintenance: {
      retentionOf: () => ({
        samplesMillis: sumsOnly ? DAY : 0,
        fiveMinutesMillis: 0,
        hoursMillis: 0,
        maxBytes: 0,
      }),
    },
  });
  for (let i = 0; i < 4; i++) {
    await fixture.flush([
      storedProfile(`main;a ${i + 1}\nmain;b 10`, {
        timeMillis: i * HOUR + 1000,
        id: String(i).padStart(32, 'a'),
        labels: { pod: `p${i % 2}` },
      }),
      storedProfile('other 5', { timeMillis: i * HOUR + 2000, service: 'db' }),
    ]);
  }
  fixture.clock.now = 30 * DAY;
  await fixture.maintenance.run();
  fixture.clock.monotonic = 30 * DAY;
  await fixture.maintenance.run();
  const tool = await openToolEngine([fixture.directory]);
  t.after(() => tool[Symbol.dispose]());
  return { fixture, tool };
}

const request = (selector: string, range = { startMillis: 0, endMillis: DAY }) => ({
  tenant: TENANT,
  matchers: parseSelector(selector),
  typeName: 'cpu',
  range,
});

test('a selection becomes a pprof file', async (t) => {
  const { fixture, tool } = await stored(t, false);
  const range = { startMillis: HOUR, endMillis: 3 * HOUR };
  const opened = await openExport(fixture.store, tool, request('{service_name="web"}', range), fixture.log);
  const { profile } = decodePprof(gunzipSync(await exportPprof(opened)));
  assert.deepEqual(foldedLines(profile), ['main;a 5', 'main;b 20']);
  assert.deepEqual(profile.sampleTypes, [{ type: 'cpu', unit: 'nanoseconds' }]);
});

test('what is not there is said', async (t) => {
  const { fixture, tool } = await stored(t, false);
  const missing = (selector: string, typeName: string) =>
    openExport(fixture.store, tool, { ...request(selector), typeName }, fixture.log);
  const isNotFound = (message: RegExp) => (error: unknown) =>
    error instanceof HearthscopeError && error.code === 'not_found' && message.test(error.message);
  await assert.rejects(missing('{service_name="no"}', 'cpu'), isNotFound(/no such profiles/));
  await assert.rejects(missing('{}', 'cpuu'), isNotFound(/did you mean cpu\?/));
});

for (const sumsOnly of [false, true]) {
  test(`a selection becomes Parquet that others read${sumsOnly ? ', of sums where samples are gone' : ''}`, async (t) => {
    const { fixture, tool } = await stored(t, sumsOnly);
    const opened = await openExport(fixture.store, tool, request('{service_name="web"}'), fixture.log);
    const path = join(fixture.directory, 'out.parquet');
    assert.equal(await exportParquet(opened, path), 8);
    const { columns } = await tool.engine.session((session) =>
      session.select(
        `SELECT array_to_string(stack, ';') AS frames, sum(value)::BIGINT AS value, any_value(resolution) AS resolution,
           any_value(profile_type) AS profile_type, min(epoch_ms(time))::DOUBLE AS first, count(DISTINCT profile_id)::DOUBLE AS ids
         FROM read_parquet(${quoted(path)}) GROUP BY stack ORDER BY frames`,
        {
          frames: 'varchar',
          value: 'bigint',
          resolution: 'varchar',
          profile_type: 'varchar',
          first: 'double',
          ids: 'double',
        },
      ),
    );
    assert.deepEqual(columns.frames, ['a;main', 'b;main']);
    assert.deepEqual([...columns.value], [10n, 40n]);
    assert.deepEqual(columns.resolution, sumsOnly ? ['1h', '1h'] : ['profile', 'profile']);
    assert.deepEqual(columns.profile_type, [CPU_TYPE, CPU_TYPE]);
    assert.deepEqual([...columns.first], sumsOnly ? [0, 0] : [1000, 1000]);
    assert.deepEqual([...columns.ids], sumsOnly ? [0, 0] : [4, 4]);
  });
}
