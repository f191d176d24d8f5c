// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { command } from '../harness/hearthscope.ts';
import { run } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-help-'));
after(() => rmSync(folder, { recursive: true }));

const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  up: [
    'http-port',
    'otlp-grpc-port',
    'otlp-http-port',
    'data-dir',
    'frequency',
    'log-level',
    'log-format',
    'config',
  ],
  server: [
    'path-prefix',
    'tls-cert-file',
    'auth-file',
    'multitenancy',
    'remote-write-url',
    'host',
    'http-port',
    'otlp-grpc-port',
    'otlp-http-port',
    'data-dir',
    'user',
    'config',
  ],
  collector: [
    'forward-to',
    'forward-protocol',
    'forward-tenant',
    'http-port',
    'tls-cert-file',
    'auth-type',
    'config',
  ],
  query: [
    'query',
    'type',
    'from',
    'until',
    'format',
    'max-nodes',
    'step',
    'group-by',
    'url',
    'tenant',
    'token',
  ],
  upload: ['service-name', 'label', 'url', 'tenant'],
  agent: ['endpoint', 'protocol', 'header', 'tenant', 'frequency', 'interval', 'config'],
  record: ['pid', 'all', 'duration', 'frequency', 'output'],
  doctor: ['json'],
  version: [],
};

for (const [name, options] of Object.entries(OPTIONS)) {
  test(`${name} --help explains each option with its default`, async () => {
    const { status, stdout } = await run([name, '--help']);
    assert.equal(status, 0);
    const words = stdout.replace(/\s+/g, ' ');
    assert.ok(words.startsWith(`hearthscope ${name}`), words);
    for (const option of options) assert.ok(words.includes(`--${option} `), `${option}: ${words}`);
    const explanations = stdout
      .split(/^ {2}(?:-\w, )?--/m)
      .slice(1)
      .map((entry) => entry.replace(/\n\n.*/s, '').replace(/\s+/g, ' '));
    for (const explanation of explanations) {
      assert.ok(/^(help|pid) /.test(explanation) || explanation.includes('[default: '), explanation);
    }
  });
}

test('the list of commands', async () => {
  const { status, stdout } = await run(['--help']);
  assert.equal(status, 0);
  for (const name of Object.keys(OPTIONS)) assert.ok(stdout.includes(`hearthscope ${name}`), stdout);
});

test('version', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../../bin/package.json', import.meta.url), 'utf8'));
  const { status, stdout } = await run(['version']);
  assert.equal(status, 0);
  assert.ok(stdout.startsWith(`hearthscope ${manifest.version} (node v24.`), stdout);
});

test('a link to the command from elsewhere finds its own files', async () => {
  const link = join(folder, 'link');
  symlinkSync(command, link);
  const { execFileSync } = await import('node:child_process');
  assert.match(execFileSync(link, ['version'], { encoding: 'utf8', cwd: '/' }), /^hearthscope /);
});

test('a mistake on the command line is named with what was probably meant, and ends with 2', async () => {
  writeFileSync(join(folder, 'wrong.yml'), 'server:\n  htpp_port: 1\n');
  const mistakes: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[], /no command/],
    [['sevrer'], /unknown command sevrer; did you mean server\?/],
    [['up', '--htpp-port', '1'], /unknown option --htpp-port; did you mean --http-port\?/],
    [['agent', '--http-port', '1'], /unknown option --http-port/],
    [['up', '--http-port', 'abc'], /--http-port: expected an integer \(0 to 65535\), got "abc"/],
    [['up', '--http-port'], /http-port/],
    [['up', '--frequency', '0'], /--frequency: expected 1 to 999, got 0/],
    [['up', 'now'], /unexpected argument now/],
    [['up', '--', 'ls'], /takes no arguments behind --/],
    [
      ['up', '--config', join(folder, 'wrong.yml')],
      /wrong\.yml:2: unknown key server\.htpp_port; did you mean/,
    ],
    [['agent', '--header', 'nonsense'], /--header: expected NAME=VALUE/],
    [['record'], /nothing to record/],
    [['record', 'ls'], /unexpected argument ls; the command to run stands behind `--`/],
    [['record', '--pid', '0'], /--pid: expected a process id, got "0"/],
    [['record', '--pid', '4194305'], /--pid: there is no process 4194305/],
    [['record', '--all', '--output', 'x.svg'], /must end in \.pb\.gz \(pprof\) or \.folded/],
    [['record', '--all', '--output', '/nonexistent/x.folded'], /cannot write \/nonexistent\/x\.folded/],
    [['record', '--all', '--duration', '10'], /--duration: expected a duration/],
    [['record', '--all', '--frequency', '1000'], /--frequency: expected an integer \(1 to 999\)/],
  ];
  for (const [args, message] of mistakes) {
    const { status, stderr } = await run(args);
    assert.match(stderr, message);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.ok(!stderr.includes('    at '), `a stack trace: ${stderr}`);
  }
});
