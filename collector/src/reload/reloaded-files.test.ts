// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { ReloadedFiles } from './reloaded-files.ts';
import { parseYamlMapping } from './yaml-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-reload-'));
after(() => rmSync(folder, { recursive: true }));

/** Never reads by itself within a test. */
const periodMillis = 3_600_000;

function open(...paths: string[]) {
  const seen: string[] = [];
  const files = new ReloadedFiles({
    paths,
    maxBytes: 10,
    periodMillis,
    parse: (contents) => {
      const text = contents.join('+');
      if (text.includes('bad')) throw new HearthscopeError('invalid_argument', 'it is bad');
      return text;
    },
    onChange: (value) => {
      if (value.includes('refused')) throw new HearthscopeError('invalid_argument', 'nobody wants it');
      seen.push(value);
    },
    onSuccess: () => seen.push('ok'),
    onFailure: (reason, error, isNew) =>
      seen.push(`${reason} ${isNew ? error.message.replaceAll(folder, '') : 'again'}`),
  });
  after(() => files.close());
  const check = () => {
    files.check();
    return seen.splice(0);
  };
  return { files, check };
}

test('what changes is told; what cannot be used changes nothing and is told as new once', () => {
  const path = join(folder, 'a');
  const other = join(folder, 'b');
  writeFileSync(path, '1');
  writeFileSync(other, 'x');
  const { files, check } = open(path, other);
  assert.equal(files.value, '1+x');
  assert.deepEqual(check(), ['ok']);
  writeFileSync(path, '2');
  assert.deepEqual(check(), ['2+x', 'ok']);
  writeFileSync(other, 'bad');
  assert.deepEqual(check(), ['invalid /a, /b: it is bad']);
  assert.deepEqual(check(), ['invalid again']);
  assert.equal(files.value, '2+x');
  writeFileSync(path, '3');
  assert.deepEqual(check(), ['invalid again']);
  writeFileSync(other, 'x'.repeat(10));
  assert.deepEqual(check(), [`3+${'x'.repeat(10)}`, 'ok']);
  writeFileSync(other, 'x'.repeat(11));
  assert.deepEqual(check(), ['too_large /b has 11 bytes, at most 10 are allowed']);
  writeFileSync(other, 'refused');
  assert.deepEqual(check(), ['invalid /a, /b: nobody wants it']);
  unlinkSync(other);
  assert.match(check()[0]!, /^unreadable cannot read \/b: ENOENT/);
  writeFileSync(other, 'x');
  assert.deepEqual(check(), ['3+x', 'ok']);
  assert.equal(files.value, '3+x');
});

test('a file that is swapped by a link is followed', () => {
  const link = join(folder, 'link');
  writeFileSync(join(folder, 'one'), '1');
  writeFileSync(join(folder, 'two'), '2');
  symlinkSync('one', link);
  const { check } = open(link);
  symlinkSync('two', `${link}.new`);
  renameSync(`${link}.new`, link);
  assert.deepEqual(check(), ['2', 'ok']);
});

test('without a first good content there is nothing', () => {
  const absent = join(folder, 'absent');
  assert.throws(() => open(absent), {
    code: 'failed_precondition',
    message: /^cannot read .*absent: ENOENT/,
  });
  assert.throws(() => open(folder), { code: 'failed_precondition', message: /is no regular file$/ });
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  assert.throws(() => open(pipe), { code: 'failed_precondition', message: /is no regular file$/ });
  writeFileSync(absent, 'bad');
  assert.throws(() => open(absent), { code: 'failed_precondition', message: /absent: it is bad$/ });
});

test('YAML is a mapping, within bounds, and its complaints quote nothing', () => {
  assert.deepEqual(parseYamlMapping('a: {b: 1}'), { a: { b: 1 } });
  assert.deepEqual(parseYamlMapping('# nothing\n'), {});
  assert.deepEqual(parseYamlMapping('1: 2'), { 1: 2 });
  const many = Array.from({ length: 50_000 }, (_, n) => `k${n}: ${n}`).join('\n');
  assert.equal(Object.keys(parseYamlMapping(many)).length, 50_000);
  const bomb = Array.from(
    { length: 12 },
    (_, n) => `k${n}: &a${n} [${n === 0 ? 'x' : `*a${n - 1},`.repeat(10)}]`,
  ).join('\n');
  const hostile = [
    '[hunter2]',
    'hunter2',
    'a: hunter2: hunter2',
    'a: "hunter2',
    'a: *hunter2',
    'a: 1\nhunter2',
    '\thunter2: 1',
    bomb,
    '%hunter2\n---\na: b: c',
    '{hunter2: 1}: 1',
    'hunter2: 1\nhunter2: 2',
  ];
  for (const text of hostile) {
    assert.throws(
      () => parseYamlMapping(text),
      (error) =>
        error instanceof HearthscopeError &&
        error.code === 'invalid_argument' &&
        !error.message.includes('hunter2'),
      text,
    );
  }
});
