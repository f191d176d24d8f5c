// SPDX-License-Identifier: Apache-2.0
//
// Contents of /proc/PID/cgroup as captured on hosts of each layout.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCgroups } from './cgroup.ts';

describe('parseCgroups', () => {
  it('reads v2', () => {
    assert.deepEqual(parseCgroups('0::/system.slice/nginx.service\n'), {
      systemd: '/system.slice/nginx.service',
      all: ['/system.slice/nginx.service'],
    });
  });

  it('reads v1', () => {
    const text = [
      '12:memory:/system.slice/ssh.service',
      '3:cpu,cpuacct:/system.slice/ssh.service',
      '2:freezer:/',
      '1:name=systemd:/system.slice/ssh.service',
      '',
    ].join('\n');
    assert.deepEqual(parseCgroups(text), {
      systemd: '/system.slice/ssh.service',
      all: ['/system.slice/ssh.service'],
    });
  });

  it('reads hybrid with everything in the root of v2', () => {
    const text = '9:name=systemd:/\n4:memory:/process_api/8779326c962aaecbf2dc3fbed6d58c0d\n0::/\n';
    assert.deepEqual(parseCgroups(text), {
      systemd: '',
      all: ['/process_api/8779326c962aaecbf2dc3fbed6d58c0d'],
    });
  });

  it('puts the v2 path first on hybrid', () => {
    const text = '4:memory:/other\n1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n';
    assert.deepEqual(parseCgroups(text), {
      systemd: '/system.slice/b.service',
      all: ['/system.slice/b.service', '/system.slice/a.service', '/other'],
    });
  });

  it('drops the marks of removed cgroups and of cgroup namespaces', () => {
    assert.equal(
      parseCgroups('0::/../../system.slice/a.service (deleted)\n').systemd,
      '/system.slice/a.service',
    );
    assert.equal(parseCgroups('0::/..\n').systemd, '');
  });

  it('ignores lines that are something else, and keeps colons in paths', () => {
    const text = 'nonsense\n:\n0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ab\n';
    assert.deepEqual(parseCgroups(text).all, [
      '/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ab',
    ]);
  });
});
