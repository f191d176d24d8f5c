// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { claimDataDirectory, giveContents } from './data-directory.ts';

const USER = { uid: 65534, gid: 65534 };
const NEEDS_ROOT = { skip: process.getuid!() === 0 ? false : 'SKIPPED: only root can give files away' };

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'hearthscope-data-'));
  fs.chmodSync(folder, 0o755);
});

afterEach(() => fs.rmSync(folder, { recursive: true }));

const ownerOf = (path: string) => fs.lstatSync(path).uid;

test('the directory is made with all folders above it', () => {
  const path = join(folder, 'a/b/data');
  assert.equal(claimDataDirectory(path, null), fs.realpathSync(path));
  assert.equal(fs.statSync(path).mode & 0o777, 0o750);
  assert.equal(claimDataDirectory(path, null), fs.realpathSync(path), 'it may be there already');
});

test('a path that is no directory is refused', () => {
  const file = join(folder, 'file');
  fs.writeFileSync(file, '');
  for (const path of [file, join(file, 'below')]) {
    assert.throws(() => claimDataDirectory(path, null), {
      code: 'failed_precondition',
      message: /--data-dir/,
    });
  }
});

test('a new and an empty directory become the user’s, others with files do not', NEEDS_ROOT, () => {
  const path = claimDataDirectory(join(folder, 'data'), USER);
  assert.equal(ownerOf(path), USER.uid);
  fs.writeFileSync(join(path, 'wal'), '');
  claimDataDirectory(path, USER);

  const foreign = join(folder, 'foreign');
  fs.mkdirSync(foreign);
  fs.writeFileSync(join(foreign, 'precious'), '');
  assert.throws(() => claimDataDirectory(foreign, USER), {
    code: 'failed_precondition',
    message: /has files in it and belongs to uid 0/,
  });
  assert.equal(ownerOf(foreign), 0);
});

test('a directory that the user cannot reach or write is refused', NEEDS_ROOT, () => {
  const expected = { code: 'failed_precondition', message: /uid 65534 cannot reach or write it/ };
  const path = claimDataDirectory(join(folder, 'data'), USER);
  fs.chmodSync(path, 0o500);
  assert.throws(() => claimDataDirectory(path, USER), expected);
  fs.chmodSync(path, 0o700);
  fs.chmodSync(folder, 0o700);
  assert.throws(() => claimDataDirectory(path, USER), expected);
  assert.deepEqual([process.geteuid!(), process.getegid!()], [0, 0], 'root is root again');
  fs.chmodSync(folder, 0o755);
  claimDataDirectory(path, USER);
  assert.deepEqual(fs.readdirSync(path), []);
});

test('everything of root’s inside is given, and nothing outside', NEEDS_ROOT, () => {
  const path = claimDataDirectory(join(folder, 'data'), USER);
  const outside = join(folder, 'outside');
  fs.writeFileSync(outside, '');
  fs.mkdirSync(join(folder, 'outside-folder'));
  fs.writeFileSync(join(folder, 'outside-folder/file'), '');
  fs.mkdirSync(join(path, 'wal'));
  fs.writeFileSync(join(path, 'wal/1'), '');
  fs.symlinkSync(outside, join(path, 'link'));
  fs.symlinkSync(join(folder, 'outside-folder'), join(path, 'folder-link'));
  fs.linkSync(outside, join(path, 'second-name'));
  execFileSync('mkfifo', [join(path, 'pipe')]);
  fs.writeFileSync(join(path, 'of-another'), '');
  fs.chownSync(join(path, 'of-another'), 1, 1);

  const leftAlone = giveContents(path, USER);
  assert.deepEqual(
    leftAlone.sort(),
    ['folder-link', 'link', 'pipe', 'second-name'].map((name) => join(path, name)),
  );
  assert.equal(ownerOf(join(path, 'wal')), USER.uid);
  assert.equal(ownerOf(join(path, 'wal/1')), USER.uid);
  assert.equal(ownerOf(join(path, 'of-another')), 1);
  for (const name of ['outside', 'outside-folder', 'outside-folder/file', 'data/link', 'data/pipe']) {
    assert.equal(ownerOf(join(folder, name)), 0, name);
  }
});

test('giving a file away keeps the lock that the process holds on it', NEEDS_ROOT, () => {
  // In a process of its own: a process never sees its own locks.
  const path = claimDataDirectory(join(folder, 'data'), USER);
  const file = join(path, 'lock');
  const holder = `
    const { DatabaseSync } = require('node:sqlite');
    const { execFileSync } = require('node:child_process');
    const database = new DatabaseSync(${JSON.stringify(file)});
    database.exec('BEGIN EXCLUSIVE');
    import(${JSON.stringify(new URL('./data-directory.ts', import.meta.url).href)}).then(({ giveContents }) => {
      giveContents(${JSON.stringify(path)}, ${JSON.stringify(USER)});
      const probe = "new (require('node:sqlite').DatabaseSync)(" + JSON.stringify(${JSON.stringify(file)}) + ").exec('BEGIN EXCLUSIVE')";
      try {
        execFileSync(process.execPath, ['-e', probe], { stdio: 'pipe' });
        console.log('the lock is gone');
      } catch (error) {
        console.log(/database is locked/.test(error.stderr) ? 'locked' : String(error.stderr));
      }
    });
  `;
  const output = execFileSync(process.execPath, ['--conditions=source', '-e', holder], { encoding: 'utf8' });
  assert.equal(output.trim(), 'locked');
  assert.equal(ownerOf(file), USER.uid);
});
