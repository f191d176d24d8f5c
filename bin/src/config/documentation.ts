// SPDX-License-Identifier: Apache-2.0
//
// Writes docs/configuration.md from the schema. scripts/generate-docs.sh stores it; a test says when it is stale.

import { IGNORED_LIMIT_KEYS } from '@hearthscope/collector/limits/ignored-limit-keys';
import { LIMIT_KEYS } from '@hearthscope/collector/limits/limit-keys';
import { CONFIG_VARIABLE } from './configuration.ts';
import { INTRODUCTION_KEYS } from './pyroscope/introduction-keys.ts';
import type { PyroscopeKey } from './pyroscope/pyroscope-key.ts';
import { IGNORED_FLAGS, REAL_KEYS } from './pyroscope/real-keys.ts';
import { serviceRulePatterns } from './schema/agent-schema.ts';
import type { SettingSchema } from './schema/setting-schema.ts';
import { configurationSchema } from './schema.ts';
import { type Setting, settings } from './settings.ts';

/** The whole document, ending in a newline. */
export function configurationDocument(): string {
  const sections = Object.entries(configurationSchema.properties).map(([name, section]) =>
    [
      `## \`${name}\``,
      '',
      section.description,
      '',
      '| key | default | flag and variable | meaning |',
      '|---|---|---|---|',
      ...settings.filter((setting) => setting.section === name).map(tableRow),
      '',
    ].join('\n'),
  );
  return `${preamble}\n${sections.join('\n')}${limitsSection()}${servicesSection()}${authSection()}${pyroscopeSection()}`;
}

const preamble = `<!-- Generated from bin/src/config by scripts/generate-docs.sh; do not edit. -->

# Configuration

Each setting has a key in the file, a variable and a flag. What comes later wins:

1. the default,
2. the file named by \`--config\` or \`${CONFIG_VARIABLE}\`,
3. the environment,
4. the flags.

An unknown key in the file is an error that names the line and the nearest known key; an unknown \`HEARTHSCOPE_*\`
variable is a warning. Lists are written \`a,b\` and mappings \`K=V,K=V\` in variables; a flag is repeated instead.
Durations are written \`500ms\`, \`10s\`, \`5m\`, \`1h30m\`, \`7d\`, sizes \`64KiB\`, \`512MiB\`, \`2GiB\` or in bytes.

\`\`\`yaml
server:
  http_port: 4040
  data_dir: /var/lib/hearthscope
agent:
  frequency: 19
  interval: 10s
log:
  level: info
\`\`\`
`;

function tableRow(setting: Setting): string {
  const { key, flag, variable, schema } = setting;
  const spellings = flag === undefined ? 'file only' : `\`--${flag}\`<br>\`${variable}\``;
  return `| \`${key}\` | ${defaultInWords(schema)} | ${spellings} | ${meaning(schema)} |`;
}

/** The default as help and documentation show it. */
export function defaultInWords(schema: SettingSchema): string {
  if (schema['x-default'] !== undefined) return schema['x-default'];
  const { default: value } = schema;
  const empty =
    value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  return empty ? 'none' : `\`${String(value)}\``;
}

function meaning(schema: SettingSchema): string {
  const choices =
    schema.enum === undefined ? '' : ` One of ${schema.enum.map((one) => `\`${one}\``).join(', ')}.`;
  const isPort = schema.maximum === 65535;
  const range = schema.maximum === undefined || isPort ? '' : ` ${schema.minimum} to ${schema.maximum}.`;
  return `${schema.description}${choices}${range}`.replaceAll('|', '\\|');
}

function servicesSection(): string {
  return `
### Rules that name services

A process gets the name of the first rule that matches it; only when none does is the name taken from the process's
environment, its container, its systemd service or its executable. Each pattern is a regular expression that must
match the whole text, and a rule with several patterns wants all of them.

\`\`\`yaml
agent:
  services:
    - name: billing
      match:
        exe: /usr/bin/java
        cmdline: .*-Dapp=billing.*
    - name: web
      match:
        systemd_unit: nginx\\.service
\`\`\`

| pattern | matched against |
|---|---|
${Object.entries(serviceRulePatterns)
  .map(([key, { description }]) => `| \`${key}\` | ${description} |`)
  .join('\n')}
`;
}

function limitsSection(): string {
  return `
## \`limits\`

What each tenant may send, keep and ask for: the keys of Pyroscope's \`limits\`, as flags in its spelling (see below).
\`runtime_config.file\` names a file with \`overrides:\`, a mapping from tenants to such keys, that is read again while
the server runs.

| key | default | value | meaning |
|---|---|---|---|
${LIMIT_KEYS.map(
  (limit) =>
    `| \`${limit.key}\` | ${limitDefault(limit.default)} | ${cell(limit.expected)} | ${cell(limit.description)} |`,
).join('\n')}

These are accepted and ignored, with a warning:

| key | ignored because |
|---|---|
${IGNORED_LIMIT_KEYS.map(({ key, reason }) => `| \`${key}\` | ${cell(reason)} |`).join('\n')}
`;
}

function limitDefault(value: unknown): string {
  const empty =
    value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
  return empty ? 'none' : `\`${cell(typeof value === 'string' ? value : JSON.stringify(value))}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function authSection(): string {
  return `
### Who may read and write

The file of \`auth.file\` has users (\`basic\`), tokens (\`bearer\`) and certificates by their common name (\`mtls\`).

\`\`\`yaml
users:
  grafana:
    password_hash: "$scrypt$…"   # or "$2b$…", "sha256:…"; or password: in plain text
    tenants: [team-a]            # or ["*"]; only with multi-tenancy
    scopes: [read]               # default: read and write
tokens:
  ci:
    token_hash: "sha256:…"       # or token: in plain text
certificates:
  agent-1.example.org:
    scopes: [write]
\`\`\`
`;
}

function pyroscopeSection(): string {
  return `
## Pyroscope's keys and flags

A configuration of Grafana Pyroscope works as it is: \`hearthscope server -config.file=FILE\`, or \`hearthscope
-config.file=FILE\` without a command. Its flags are written with one dash or two; with \`-config.expand-env\` references
such as \`\${VAR:-default}\` in the file are replaced first. In the environment a key or a flag is \`PYROSCOPE_\` and its
name in upper case with \`_\` between the words: \`PYROSCOPE_SERVER_HTTP_LISTEN_PORT\`; \`PYROSCOPE_CONFIG_FILE\` names the
file. What is ignored is warned about by its name, and everything else that is not known is an error. Our own keys may
stand in the same file, and go first.

| key | flag | meaning here |
|---|---|---|
${REAL_KEYS.filter(({ key }) => !key.startsWith('limits.'))
  .map(pyroscopeRow)
  .join('\n')}

Flags of the keys of \`limits\`:

| key | flag |
|---|---|
${REAL_KEYS.filter(({ key }) => key.startsWith('limits.'))
  .map(({ key, flag }) => `| \`${key}\` | \`-${flag}\` |`)
  .join('\n')}

Further flags are accepted and ignored; what ends in a dot or a dash is the beginning of flags:

| flags | ignored because |
|---|---|
${Object.entries(IGNORED_FLAGS)
  .map(([because, flags]) => `| ${flags.map((flag) => `\`-${flag}\``).join(' ')} | ${because} |`)
  .join('\n')}

Introductions to Pyroscope show keys that it does not have. They work here:

| key | flag | meaning here |
|---|---|---|
${INTRODUCTION_KEYS.map(pyroscopeRow).join('\n')}
`;
}

function pyroscopeRow({ key, flag, means }: PyroscopeKey): string {
  return `| \`${key}\` | ${flag === undefined ? '' : `\`-${flag}\``} | ${cell(means)} |`;
}
