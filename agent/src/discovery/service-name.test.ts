// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCgroups } from './cgroup.ts';
import { NO_ENVIRONMENT, parseServiceEnvironment } from './environment.ts';
import {
  CompiledServiceRules,
  identifyService,
  type ProcessFacts,
  type ServiceRule,
} from './service-name.ts';

const ID = '4d0e37b5e2f1a6c8900112233445566778899aabbccddeeff00112233445566f';
const NO_RULES = new CompiledServiceRules([]);

function facts(over: Partial<ProcessFacts> & { cgroup?: string; environ?: string }): ProcessFacts {
  const { cgroup = '', environ, ...rest } = over;
  return {
    comm: 'comm',
    exe: '/usr/bin/tool',
    kernelThread: false,
    cmdline: '',
    cgroups: parseCgroups(`0::${cgroup}\n`),
    environment:
      environ === undefined ? NO_ENVIRONMENT : parseServiceEnvironment(Buffer.from(`${environ}\0`)),
    containerName: undefined,
    ...rest,
  };
}

describe('identifyService', () => {
  const nginx = '/system.slice/nginx.service';
  const docker = `/system.slice/docker-${ID}.scope`;
  const kubernetes = `/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:${ID}`;
  const shop = { container: 'api', pod: 'api-7d9f-abcde', namespace: 'shop' };
  const cases: [what: string, over: Parameters<typeof facts>[0], name: string, source: string][] = [
    ['a systemd service', { cgroup: nginx }, 'nginx', 'systemd'],
    [
      'the environment before systemd',
      { cgroup: nginx, environ: 'OTEL_SERVICE_NAME=web' },
      'web',
      'environment',
    ],
    [
      'a container by its name',
      { cgroup: docker, containerName: { container: 'web-1', pod: '', namespace: '' } },
      'web-1',
      'container',
    ],
    ['a container without known name by its executable', { cgroup: docker }, 'tool', 'executable'],
    ['not the service that runs the containers', { cgroup: kubernetes }, 'tool', 'executable'],
    ['a Kubernetes container', { cgroup: kubernetes, containerName: shop }, 'shop/api', 'kubernetes'],
    [
      'a Kubernetes workload that the environment tells',
      {
        cgroup: kubernetes,
        containerName: shop,
        environ: 'OTEL_RESOURCE_ATTRIBUTES=k8s.deployment.name=api,k8s.pod.name=api-7d9f-abcde',
      },
      'api',
      'kubernetes',
    ],
    ['an LXC container', { cgroup: '/lxc.payload.web1/system.slice/nginx.service' }, 'web1', 'container'],
    ['a session scope', { cgroup: '/user.slice/user-1000.slice/session-4.scope' }, 'tool', 'executable'],
    [
      'a user service',
      { cgroup: '/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service' },
      'tool',
      'executable',
    ],
    ['an interpreter', { exe: '/usr/bin/python3.11' }, 'python3.11', 'executable'],
    ['a deleted executable', { exe: '/opt/app/server (deleted)' }, 'server', 'executable'],
    [
      'an executable named by its version',
      { exe: '/opt/tool/versions/2.1.3', comm: 'tool' },
      'tool',
      'executable',
    ],
    [
      'an executable in memory by its comm',
      { exe: '/memfd:sealed-91173221a7ea (deleted)', comm: 'tool' },
      'tool',
      'executable',
    ],
    ['an executable named by a hash', { exe: `/nix/${ID}`, comm: 'tool' }, 'tool', 'executable'],
    ['an unreadable executable', { exe: '', comm: 'cc1' }, 'cc1', 'executable'],
    ['nothing at all', { exe: '', comm: '' }, 'unknown', 'executable'],
    ['kernel threads', { exe: '', comm: 'kworker/0:1', kernelThread: true }, 'kernel', 'kernel'],
    ['a hostname of hex letters', { exe: '/usr/bin/dd' }, 'dd', 'executable'],
  ];
  for (const [what, over, name, source] of cases) {
    it(what, () => {
      const identity = identifyService(facts(over), NO_RULES);
      assert.deepEqual([identity.serviceName, identity.source], [name, source]);
    });
  }

  it('carries the names of container and pod as attributes, and no id', () => {
    const identity = identifyService(facts({ cgroup: kubernetes, containerName: shop }), NO_RULES);
    assert.deepEqual(identity.attributes, [
      ['k8s.container.name', 'api'],
      ['k8s.namespace.name', 'shop'],
      ['k8s.pod.name', 'api-7d9f-abcde'],
    ]);
  });
});

describe('CompiledServiceRules', () => {
  function named(rules: ServiceRule[], over: Parameters<typeof facts>[0]): string {
    return identifyService(facts(over), new CompiledServiceRules(rules)).serviceName;
  }

  it('goes before everything, the first match wins', () => {
    const rules = [
      { match: { comm: 'other' }, name: 'not-this' },
      { match: { exe: '/usr/bin/t.*' }, name: 'first' },
      { match: { comm: 'comm' }, name: 'second' },
    ];
    assert.equal(named(rules, { environ: 'OTEL_SERVICE_NAME=web' }), 'first');
  });

  it('matches whole texts', () => {
    assert.equal(named([{ match: { exe: 'tool' }, name: 'x' }], {}), 'tool');
    assert.equal(named([{ match: { exe: '.*/tool|none' }, name: 'x' }], {}), 'x');
  });

  it('wants all patterns of a rule', () => {
    const rule = { match: { comm: 'comm', cmdline: '.*--role=a.*' }, name: 'x' };
    assert.equal(named([rule], { cmdline: 'tool --role=a -v' }), 'x');
    assert.equal(named([rule], { cmdline: 'tool --role=b' }), 'tool');
  });

  it('matches cgroups, units and kernel threads', () => {
    const cgroup = '/system.slice/postgresql@15-main.service';
    assert.equal(named([{ match: { cgroup: '.*@15-main.*' }, name: 'pg15' }], { cgroup }), 'pg15');
    assert.equal(
      named([{ match: { systemdUnit: 'postgresql@15-.*\\.service' }, name: 'pg15' }], { cgroup }),
      'pg15',
    );
    assert.equal(
      named([{ match: { comm: 'kworker.*' }, name: 'kw' }], { comm: 'kworker/1', kernelThread: true }),
      'kw',
    );
  });

  it('names the rule that is wrong', () => {
    const good = { match: { comm: 'a' }, name: 'a' };
    assert.throws(
      () => new CompiledServiceRules([good, { match: { exe: '(' }, name: 'b' }]),
      /service rule 2: match\.exe/,
    );
    assert.throws(
      () => new CompiledServiceRules([{ match: {}, name: 'b' }]),
      /service rule 1: match needs one of/,
    );
    assert.throws(
      () => new CompiledServiceRules([{ match: { comm: 'a' }, name: '' }]),
      /service rule 1: name/,
    );
  });

  it('asks for the arguments only when a rule needs them', () => {
    assert.equal(NO_RULES.needCmdline, false);
    assert.equal(new CompiledServiceRules([{ match: { cmdline: '.*' }, name: 'x' }]).needCmdline, true);
  });
});
