// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceNameOfUnit, systemServiceUnit } from './systemd.ts';

describe('systemServiceUnit', () => {
  const cases: [path: string, unit: string][] = [
    ['/system.slice/nginx.service', 'nginx.service'],
    ['/system.slice/nginx.service/worker/3', 'nginx.service'],
    ['/system.slice/system-postgresql.slice/postgresql@15-main.service', 'postgresql@15-main.service'],
    ['/system.slice/system-my\\x2dapp.slice/my\\x2dapp@1.service', 'my-app@1.service'],
    ['/system.slice/_cpu.service', 'cpu.service'],
    ['/host/system.slice/cron.service', 'cron.service'],
    ['/system.slice/docker-0123.scope', ''],
    ['/system.slice/docker-0123.scope/system.slice/app.service', ''],
    ['/system.slice', ''],
    ['/system.slice/dev-hugepages.mount', ''],
    ['/user.slice/user-1000.slice/session-3.scope', ''],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox.service', ''],
    ['/user.slice/user-1000.slice/user@1000.service/system.slice/odd.service', ''],
    ['/system.slice/user@1000.service', ''],
    ['/init.scope', ''],
    ['/machine.slice/machine-debian.scope', ''],
    ['', ''],
  ];
  for (const [path, unit] of cases) {
    it(`${path || 'the root'} is ${unit || 'no service'}`, () => assert.equal(systemServiceUnit(path), unit));
  }
});

describe('serviceNameOfUnit', () => {
  it('leaves out suffix and instance', () => {
    assert.equal(serviceNameOfUnit('nginx.service'), 'nginx');
    assert.equal(serviceNameOfUnit('postgresql@15-main.service'), 'postgresql');
    assert.equal(serviceNameOfUnit('sshd@4-10.0.0.1:22-10.0.0.2:5022.service'), 'sshd');
  });
});
