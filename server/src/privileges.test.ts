// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { findUser, isReadableBy, resolveUser } from './privileges.ts';

const PASSWD = [
  'root:x:0:0:root:/root:/bin/bash',
  'broken',
  'toor:x:0:0::/root:/bin/sh',
  'wheel:x:10:0::/:/bin/sh',
  'hearthscope:x:990:991::/:/bin/false',
  'nobody:x:65534:65533::/:/bin/false',
].join('\n');

test('a user is found by name and by uid', () => {
  assert.deepEqual(findUser('nobody', PASSWD), { name: 'nobody', uid: 65534, gid: 65533 });
  assert.deepEqual(findUser('990', PASSWD), { name: 'hearthscope', uid: 990, gid: 991 });
});

test('unknown users are refused, and root by every name', () => {
  for (const name of ['nemo', '4711', '', 'broken']) {
    assert.throws(() => findUser(name, PASSWD), { code: 'not_found' }, name);
  }
  for (const name of ['root', '0', 'toor', 'wheel']) {
    assert.throws(() => findUser(name, PASSWD), { code: 'invalid_argument' }, name);
  }
});

test('this host has someone to become', () => {
  assert.notEqual(resolveUser().uid, 0);
});

test('what another user can read is found out without becoming that user', (t) => {
  if (process.getuid?.() !== 0) return t.skip('SKIPPED: only root can ask for another user');
  assert.equal(isReadableBy(resolveUser(), '/etc/passwd'), true);
  assert.equal(isReadableBy(resolveUser(), '/etc/shadow'), false);
  assert.deepEqual([process.geteuid!(), process.getegid!()], [0, 0]);
});

/** Drops privileges in a process of its own and prints what became of it. */
function dropIn(prelude: string): string {
  const program = `
    import { dropPrivileges } from ${JSON.stringify(new URL('./privileges.ts', import.meta.url).href)};
    ${prelude}
    try {
      dropPrivileges({ uid: 65534, gid: 65534 });
      console.log('dropped', process.getuid(), process.getgid(), process.getgroups().join());
    } catch (error) {
      console.log(error.code, error.message);
    }
  `;
  return execFileSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', program], {
    encoding: 'utf8',
  }).trim();
}

const NEEDS_ROOT = { skip: process.getuid!() === 0 ? false : 'SKIPPED: only root has privileges to drop' };

test('privileges are dropped for good', NEEDS_ROOT, () => {
  assert.equal(dropIn(''), 'dropped 65534 65534 65534');
});

test('a drop that cannot be made is an error', NEEDS_ROOT, () => {
  assert.match(dropIn('process.setgid(1); process.setuid(1);'), /^permission_denied cannot become uid 65534/);
});

test('a drop that leaves a way back is an error', NEEDS_ROOT, () => {
  // As if the call had changed the effective uid alone.
  assert.match(
    dropIn('process.setuid = process.seteuid;'),
    /^permission_denied became uid 65534, but the uid is 0/,
  );
});
