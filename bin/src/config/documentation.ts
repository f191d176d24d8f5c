// SPDX-License-Identifier: Apache-2.0
//
// Writes docs/configuration.md from the schema. scripts/generate-docs.sh stores it; a test says when it is stale.

import { CONFIG_VARIABLE } from './configuration.ts';
import { configurationSchema, type SettingSchema, serviceRulePatterns } from './schema.ts';
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
  return `${preamble}\n${sections.join('\n')}${servicesSection()}`;
}

const preamble = `<!-- Generated from bin/src/config/schema.ts by scripts/generate-docs.sh; do not edit. -->

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
