// SPDX-License-Identifier: Apache-2.0
//
// The schema's settings as a flat list, and the check of one value against its setting. A setting is known by its
// path in the file (`server.http_port`), its flag (`--http-port`) and its variable (`HEARTHSCOPE_HTTP_PORT`).

import { DURATION_EXPECTED, parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { UsageError } from '../exit-codes.ts';
import type { Command, SettingSchema } from './schema/setting-schema.ts';
import { configurationSchema } from './schema.ts';
import { parseSizeBytes, SIZE_EXPECTED } from './units.ts';

export const ENVIRONMENT_PREFIX = 'HEARTHSCOPE_';

export interface Setting {
  /** `section.key`, as in the file. */
  readonly path: string;
  readonly section: string;
  readonly key: string;
  /** Without `--`; undefined when the setting exists only in the file. */
  readonly flag: string | undefined;
  readonly variable: string | undefined;
  readonly commands: readonly Command[];
  readonly schema: SettingSchema;
}

/** `PREFIX_HTTP_PORT` for `http-port` or `http.port`. */
export function variableOf(prefix: string, name: string): string {
  return prefix + name.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
}

export const settings: readonly Setting[] = Object.entries(configurationSchema.properties).flatMap(
  ([section, { properties }]) =>
    Object.entries(properties).map(([key, schema]) => {
      const flag = schema['x-flag'];
      return {
        path: `${section}.${key}`,
        section,
        key,
        flag,
        variable: flag && variableOf(ENVIRONMENT_PREFIX, flag),
        commands: schema['x-commands'] ?? [],
        schema,
      };
    }),
);

export const settingByPath: ReadonlyMap<string, Setting> = new Map(
  settings.map((setting) => [setting.path, setting]),
);

interface Format {
  readonly expected: string;
  readonly validate: (value: string) => boolean;
}

const formats: Readonly<Record<string, Format>> = {
  duration: { expected: DURATION_EXPECTED, validate: (text) => parseDurationMillis(text) !== undefined },
  size: { expected: SIZE_EXPECTED, validate: (text) => parseSizeBytes(text) !== undefined },
  pattern: { expected: 'a regular expression', validate: isPattern },
  off: { expected: 'a port number or "off"', validate: (text) => text === 'off' },
  'path-prefix': {
    expected: 'a path such as /profiles, without a slash at its end',
    validate: (text) => text === '' || /^(\/[A-Za-z0-9._~-]+)+$/.test(text),
  },
  'http-url': { expected: 'a URL that starts with http:// or https://', validate: isHttpUrl },
  'http-url-or-empty': {
    expected: 'a URL that starts with http:// or https://, or nothing',
    validate: (text) => text === '' || isHttpUrl(text),
  },
};

function isPattern(text: string): boolean {
  try {
    new RegExp(`^(?:${text})$`, 's');
    return true;
  } catch {
    return false;
  }
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && hostname !== '';
}

const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, verbose: true });
ajv.addVocabulary(['x-flag', 'x-commands', 'x-default', 'x-secret']);
for (const [name, { validate }] of Object.entries(formats)) ajv.addFormat(name, { type: 'string', validate });

const validateFile = ajv.compile(configurationSchema);
const validators = new Map<string, ValidateFunction>();

/** The violations of a whole parsed file. */
export function fileViolations(content: unknown): readonly ErrorObject[] {
  return validateFile(content) ? [] : (validateFile.errors ?? []);
}

/** Checks one value that did not come from a file.
 * @throws UsageError that begins with `where` */
export function checkSetting(setting: Setting, value: unknown, where: string): void {
  let validate = validators.get(setting.path);
  if (validate === undefined) {
    validate = ajv.compile(setting.schema);
    validators.set(setting.path, validate);
  }
  if (!validate(value)) {
    throw new UsageError(`${where}: ${describeViolation(validate.errors![0]!, setting.schema['x-secret'])}`);
  }
}

/** `expected X, got Y`. A secret's value is replaced by its type. */
export function describeViolation(error: ErrorObject, secret = false): string {
  const parent = error.parentSchema as SettingSchema | undefined;
  const got = secret ? `a ${typeName(error.data)}` : printValue(error.data);
  switch (error.keyword) {
    case 'type':
      return `expected ${expectedType(parent, error)}, got ${got}`;
    case 'enum':
      return `expected one of ${(error.params.allowedValues as string[]).join(', ')}, got ${got}`;
    case 'format':
      return `expected ${formats[error.params.format as string]!.expected}, got ${got}`;
    case 'minimum':
    case 'maximum':
      return `expected ${rangeOf(parent)}, got ${got}`;
    case 'minLength':
      return 'expected a text, got an empty one';
    case 'required':
      return `the key ${error.params.missingProperty} is missing`;
    case 'minProperties':
      return `expected at least one of ${Object.keys((parent as { properties?: object }).properties ?? {}).join(', ')}`;
    default:
      return `${error.message ?? error.keyword}, got ${got}`;
  }
}

function expectedType(schema: SettingSchema | undefined, error: ErrorObject): string {
  const format = schema?.format === undefined ? undefined : formats[schema.format];
  if (format !== undefined) return format.expected;
  const type = error.params.type as string | string[];
  const names: Readonly<Record<string, string>> = {
    integer: schema?.minimum === undefined ? 'an integer' : `an integer (${rangeOf(schema)})`,
    string: 'a text',
    boolean: 'true or false',
    array: 'a list',
    object: 'a mapping of names to values',
  };
  return [type]
    .flat()
    .map((name) => names[name] ?? name)
    .join(' or ');
}

function rangeOf(schema: SettingSchema | undefined): string {
  return `${schema?.minimum ?? '-∞'} to ${schema?.maximum ?? '∞'}`;
}

export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value === 'object' ? 'mapping' : typeof value;
}

const MAX_PRINTED_VALUE = 100;

export function printValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_PRINTED_VALUE ? `${text.slice(0, MAX_PRINTED_VALUE)}…` : text;
}

/** Turns the text of a flag or a variable into the setting's type; what cannot be turned stays a text, which the
 * check then refuses with the right words. */
export function settingFromText(setting: Setting, text: string, where: string): unknown {
  const types = [setting.schema.type].flat();
  if (types.includes('integer') && /^-?\d+$/.test(text)) return Number(text);
  if (types.includes('boolean')) {
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
  }
  if (types.includes('array')) return splitList(text);
  if (types.includes('object'))
    return Object.fromEntries(splitList(text).map((pair) => keyValue(pair, where)));
  return text;
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Splits `K=V` at the first `=`. The value may hold a secret, so a message shows only what stands before it.
 * @throws UsageError */
export function keyValue(pair: string, where: string): [string, string] {
  const split = pair.indexOf('=');
  if (split <= 0) throw new UsageError(`${where}: expected NAME=VALUE`);
  return [pair.slice(0, split).trim(), pair.slice(split + 1).trim()];
}
