// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { HostAttributes } from './host.ts';
import { AgentMetrics } from './metrics.ts';

describe('HostAttributes', () => {
  it('knows the name at once and the rest when it has been read', async () => {
    const host = new HostAttributes();
    const attribute = (key: string): unknown => host.current.find((each) => each.key === key)?.value;
    assert.equal(attribute('host.name'), hostname());
    assert.equal(attribute('os.type'), 'linux');
    assert.equal(attribute('os.name'), undefined);
    const metrics = new AgentMetrics(new Registry(), pino({ level: 'silent' }));
    await host.load(metrics);
    assert.notEqual(attribute('os.name'), undefined);
    assert.notEqual(attribute('host.cpu.model.name'), undefined);
    assert.deepEqual((await metrics.hostFailures.get()).values, []);
  });
});
