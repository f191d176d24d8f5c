// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { parseServiceEnvironment } from './environment.ts';
import { Procfs, parseExecutableMappings, parseStartTicks } from './procfs.ts';

describe('parseStartTicks', () => {
  it('reads field 22 behind any comm', () => {
    const rest = `S ${Array.from({ length: 18 }, (_, i) => i + 4).join(' ')} 8421 99`;
    for (const comm of ['cat', 'a b', ') (', 'x) S 1']) {
      assert.equal(parseStartTicks(`42 (${comm}) ${rest}`), 8421n, comm);
    }
  });

  it('refuses what is no stat file', () => {
    assert.equal(parseStartTicks(''), undefined);
    assert.equal(parseStartTicks('42 (cat) S 1 2'), undefined);
  });
});

describe('parseExecutableMappings', () => {
  it('reads executable lines of every kind', () => {
    const maps = [
      '55d0c0000000-55d0c0002000 r--p 00000000 fe:00 247026                     /usr/bin/cat',
      '55d0c0002000-55d0c0006000 r-xp 00002000 fe:00 247026                     /usr/bin/cat',
      '7f0000000000-7f0000010000 rwxp 00000000 00:00 0 ',
      '7f1000000000-7f1000010000 r-xs 00001000 00:01 77                         /memfd:a b (deleted)',
      '7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]',
      'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
      '7fcut',
    ].join('\n');
    const regions = parseExecutableMappings(maps);
    assert.deepEqual(
      regions.map(({ path }) => path),
      ['/usr/bin/cat', '', '/memfd:a b (deleted)', '[vdso]', '[vsyscall]'],
    );
    assert.deepEqual(regions[0], {
      start: 0x55d0c0002000,
      limit: 0x55d0c0006000,
      fileOffset: 0x2000,
      device: 'fe:00',
      inode: 247026,
      path: '/usr/bin/cat',
    });
  });
});

describe('Procfs', () => {
  it('reads the files of a living process', async () => {
    const child = spawn('/bin/sleep', ['60'], {
      env: { OTEL_SERVICE_NAME: 'sleeper', OTEL_RESOURCE_ATTRIBUTES: 'service.version=3' },
    });
    try {
      await once(child, 'spawn');
      const procfs = new Procfs();
      const pid = child.pid!;
      const { bytes, truncated } = await procfs.environ(pid);
      assert.equal(truncated, false);
      assert.equal(parseServiceEnvironment(bytes).serviceName, 'sleeper');
      assert.match(await procfs.exe(pid), /sleep|coreutils|busybox/);
      assert.equal(await procfs.cmdline(pid), '/bin/sleep 60');
      assert.match(await procfs.cgroup(pid), /^\d+:/);
      assert.ok((await procfs.startTicks(pid)) > 0n);
      const { regions } = await procfs.maps(pid);
      assert.ok(regions.some(({ path }) => /libc/.test(path)));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await assert.rejects(new Procfs().startTicks(child.pid!));
  });
});
