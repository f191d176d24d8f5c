// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { containerOfCgroup, DiskContainerNames } from './container.ts';

const ID = '4d0e37b5e2f1a6c8900112233445566778899aabbccddeeff00112233445566f';
const OTHER_ID = ID.replace('4', '5');
const POD_UID = '9b3b1c3e-5f6a-4d59-8e5a-1f2d3c4b5a69';
const UNDERSCORED = POD_UID.replaceAll('-', '_');

describe('containerOfCgroup', () => {
  const cases: [what: string, path: string, id: string, name?: string][] = [
    ['docker, cgroupfs', `/docker/${ID}`, ID],
    ['docker, systemd', `/system.slice/docker-${ID}.scope`, ID],
    ['docker in docker', `/docker/${OTHER_ID}/docker/${ID}`, ID],
    ['kubernetes, cgroupfs', `/kubepods/burstable/pod${POD_UID}/${ID}`, ID],
    [
      'kubernetes, systemd',
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDERSCORED}.slice/cri-containerd-${ID}.scope`,
      ID,
    ],
    [
      'kubernetes below the service of containerd',
      `/system.slice/containerd.service/kubepods-burstable-pod${UNDERSCORED}.slice:cri-containerd:${ID}`,
      ID,
    ],
    ['CRI-O', `/kubepods.slice/kubepods-pod${UNDERSCORED}.slice/crio-${ID}.scope/container`, ID],
    ['static pod', `/kubepods/pod${ID.slice(0, 32)}/${ID}`, ID],
    ['podman', `/machine.slice/libpod-${ID}.scope`, ID],
    [
      'podman, rootless',
      `/user.slice/user-1.slice/user@1.service/user.slice/libpod-${ID}.scope/container`,
      ID,
    ],
    ['ECS', `/ecs/${ID.slice(0, 32)}/${ID}`, ID],
    ['Fargate', `/ecs/${ID.slice(0, 32)}/${ID.slice(0, 32)}-1234567890`, `${ID.slice(0, 32)}-1234567890`],
    ['LXC', '/lxc.payload.web1/system.slice/nginx.service', '', 'web1'],
    ['LXC, cgroup v1', '/lxc/web1', '', 'web1'],
  ];
  for (const [what, path, id, name = ''] of cases) {
    it(what, () => assert.deepEqual(containerOfCgroup(path), { id, name }));
  }

  const none = [
    '',
    '/',
    '/system.slice/nginx.service',
    '/user.slice/user-1000.slice/session-1.scope',
    '/process_api/8779326c962aaecbf2dc3fbed6d58c0d',
    `/machine.slice/libpod-conmon-${ID}.scope`,
    `/docker/${ID.slice(1)}`,
    `/docker/${ID}0`,
  ];
  for (const path of none) {
    it(`${path || 'the root'} is no container`, () => assert.equal(containerOfCgroup(path), undefined));
  }
});

describe('DiskContainerNames', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'hearthscope-containers-'));
  });
  after(() => rm(root, { recursive: true }));

  async function state(path: string, content: unknown): Promise<void> {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  }

  it('reads the name of a Docker container', async () => {
    await state(`var/lib/docker/containers/${ID}/config.v2.json`, {
      Name: '/shop-web-1',
      Config: { Labels: {} },
    });
    assert.deepEqual(await new DiskContainerNames(root).lookup(ID), {
      container: 'shop-web-1',
      pod: '',
      namespace: '',
    });
  });

  it('reads the names of a Kubernetes container from the bundle of containerd', async () => {
    const id = ID.replace('4', '6');
    await state(`run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/config.json`, {
      annotations: {
        'io.kubernetes.cri.container-name': 'api',
        'io.kubernetes.cri.sandbox-name': 'api-7d9f-abcde',
        'io.kubernetes.cri.sandbox-namespace': 'shop',
      },
    });
    assert.deepEqual(await new DiskContainerNames(root).lookup(id), {
      container: 'api',
      pod: 'api-7d9f-abcde',
      namespace: 'shop',
    });
  });

  it('reads the names of CRI-O and of Podman', async () => {
    const crio = ID.replace('4', '7');
    await state(`run/containers/storage/overlay-containers/${crio}/userdata/config.json`, {
      annotations: {
        'io.kubernetes.container.name': 'db',
        'io.kubernetes.pod.name': 'db-0',
        'io.kubernetes.pod.namespace': 'shop',
      },
    });
    const podman = ID.replace('4', '8');
    await state('var/lib/containers/storage/overlay-containers/containers.json', [
      { id: crio, names: ['other'] },
      { id: podman, names: ['cache'] },
    ]);
    const names = new DiskContainerNames(root);
    assert.equal((await names.lookup(crio))?.container, 'db');
    assert.equal((await names.lookup(podman))?.container, 'cache');
  });

  it('takes neither broken state nor names that are none', async () => {
    const broken = ID.replace('4', '9');
    await state(`var/lib/docker/containers/${broken}/config.v2.json`, '{"Name": "/cut');
    const odd = ID.replace('4', 'a');
    await state(`var/lib/docker/containers/${odd}/config.v2.json`, { Name: '/a\nb' });
    const names = new DiskContainerNames(root);
    assert.equal(await names.lookup(broken), undefined);
    assert.equal(await names.lookup(odd), undefined);
    assert.equal(await names.lookup('../../../etc/passwd'), undefined);
  });

  it('asks again for a missing name after a while', async () => {
    let now = 0;
    const late = ID.replace('4', 'b');
    const names = new DiskContainerNames(root, () => now);
    assert.equal(await names.lookup(late), undefined);
    await state(`var/lib/docker/containers/${late}/config.v2.json`, { Name: '/late' });
    assert.equal(await names.lookup(late), undefined);
    now = 10_000;
    assert.equal((await names.lookup(late))?.container, 'late');
  });
});
