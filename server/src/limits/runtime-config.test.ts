// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  DEFAULT_TENANT_LIMITS,
  type LimitsConfig,
  limitsOf,
  tenantLimits,
} from '@hearthscope/collector/limits/tenant-limits';
import { HearthscopeError } from '@hearthscope/profile/errors';
import fc from 'fast-check';
import pino from 'pino';
import { Registry } from 'prom-client';
import {
  MAX_OVERRIDES,
  MAX_RUNTIME_CONFIG_BYTES,
  parseRuntimeConfig,
  RuntimeConfig,
} from './runtime-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-runtime-'));
after(() => rmSync(folder, { recursive: true }));

function setUp(text: string, periodMillis = 3_600_000) {
  const file = join(folder, 'overrides.yml');
  writeFileSync(file, text);
  const told: LimitsConfig[] = [];
  const lines: string[] = [];
  const registry = new Registry();
  const config = new RuntimeConfig({
    file,
    periodMillis,
    defaults: DEFAULT_TENANT_LIMITS,
    onChange: (limits) => told.push(limits),
    logger: pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line).msg) }),
    registry,
  });
  after(() => config.close());
  return { config, file, told, lines, registry };
}

test('without a file every tenant has the defaults', () => {
  const config = new RuntimeConfig({
    defaults: DEFAULT_TENANT_LIMITS,
    onChange: () => assert.fail('nothing can change'),
    logger: pino({ level: 'silent' }),
    registry: new Registry(),
  });
  assert.deepEqual(config.limits, { defaults: DEFAULT_TENANT_LIMITS, overrides: {} });
  assert.equal(config.hasFile, false);
  config.check();
  config.close();
});

test('overrides change with the file; a broken one is counted, logged once, and changes nothing', async () => {
  const { config, file, told, lines, registry } = setUp(
    'overrides:\n  a: { max_label_name_length: 7 }\n  b:\n',
  );
  const lengthFor = (tenant: string) => limitsOf(config.limits, tenant).maxLabelNameLength;
  assert.deepEqual([lengthFor('a'), lengthFor('b'), lengthFor('c')], [7, 1024, 1024]);
  assert.equal(config.hasFile, true);

  writeFileSync(file, 'overrides: { a: { max_label_name_length: 8, s3_sse_type: x } }');
  config.check();
  config.check();
  assert.equal(lengthFor('a'), 8);
  assert.equal(told.length, 1);
  assert.equal(told[0], config.limits);
  assert.deepEqual(lines.splice(0), [
    'a key of the runtime configuration has no effect',
    'runtime configuration reloaded',
  ]);

  writeFileSync(file, 'overrides: { a: { max_label_name_lenght: 9 } }');
  config.check();
  config.check();
  rmSync(file);
  config.check();
  writeFileSync(file, `#${'x'.repeat(MAX_RUNTIME_CONFIG_BYTES)}`);
  config.check();
  assert.equal(lengthFor('a'), 8);
  assert.equal(told.length, 1);
  assert.equal(lines.length, 3, 'once for each kind');
  let metrics = await registry.metrics();
  assert.match(metrics, /hearthscope_runtime_config_failures_total\{reason="invalid"\} 2/);
  assert.match(metrics, /hearthscope_runtime_config_failures_total\{reason="unreadable"\} 1/);
  assert.match(metrics, /hearthscope_runtime_config_failures_total\{reason="too_large"\} 1/);
  assert.match(metrics, /hearthscope_runtime_config_last_reload_successful 0/);

  writeFileSync(file, '');
  config.check();
  assert.equal(lengthFor('a'), 1024);
  metrics = await registry.metrics();
  assert.match(metrics, /hearthscope_runtime_config_last_reload_successful 1/);
});

test('the file is read by itself, every period', async () => {
  const { file, told } = setUp('', 10);
  writeFileSync(file, 'overrides: { a: { max_label_name_length: 9 } }');
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(limitsOf(told[0]!, 'a').maxLabelNameLength, 9);
});

test('an override starts from the defaults of the configuration', () => {
  const defaults = tenantLimits({ maxLabelNameLength: 5, maxProfileSamples: 6 });
  const { overrides } = parseRuntimeConfig('overrides: { a: { max_label_name_length: 7 } }', defaults);
  assert.deepEqual(overrides.a, tenantLimits({ maxLabelNameLength: 7 }, defaults));
});

test('what cannot be meant is refused with its place', () => {
  const tenants = (count: number) =>
    `overrides: {${Array.from({ length: count }, (_, n) => `t${n}: {}`).join(', ')}}`;
  const cases: readonly [text: string, message: RegExp][] = [
    ['override: {}', /^unknown key override; did you mean overrides\?$/],
    ['overrides: []', /^overrides: expected a mapping/],
    ['overrides: { a: 1 }', /^overrides\.a: expected a mapping/],
    ['overrides: { a/b: {} }', /tenant ID "a\/b" contains an unsupported character/],
    ['overrides: { "..": {} }', /tenant ID "\.\." is not allowed/],
    ['overrides: { a: { ingestion_rate_mb: -1 } }', /^overrides\.a\.ingestion_rate_mb: expected a number/],
    ['overrides: { a: { x: 1 }, a: {} }', /not valid YAML: DUPLICATE_KEY at line 1/],
    ['a: &x [*x]', /unknown key a/],
    ['overrides: &x { a: { recording_rules: [*x] } }', /recording_rules|overrides/],
    ['--- 1\n--- 2', /not valid YAML/],
    [tenants(MAX_OVERRIDES + 1), /10001 tenants, at most 10000/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseRuntimeConfig(text, DEFAULT_TENANT_LIMITS),
      { code: 'invalid_argument', message },
      text.slice(0, 80),
    );
  }
  const { overrides } = parseRuntimeConfig(tenants(MAX_OVERRIDES), DEFAULT_TENANT_LIMITS);
  assert.equal(Object.keys(overrides).length, MAX_OVERRIDES);
});

test('hostile text is refused or read, and never breaks anything else', () => {
  const piece = fc.constantFrom(
    'overrides:',
    ' a:',
    '\n',
    ' ',
    '  ',
    '&x',
    '*x',
    '[',
    ']',
    '{',
    '}',
    '<<: *x',
    'ingestion_rate_mb: 1',
    '"',
    "'",
    '|',
    '!!binary',
    '!!js/function',
    '%TAG ! x',
    '---',
    '? ',
    '\t',
    '\0',
    '__proto__: {polluted: 1}',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      try {
        parseRuntimeConfig(pieces.join(''), DEFAULT_TENANT_LIMITS);
      } catch (error) {
        assert.ok(error instanceof HearthscopeError, String(error));
      }
      assert.equal('polluted' in {}, false);
    }),
    { numRuns: 1000 },
  );
});
