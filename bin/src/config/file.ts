// SPDX-License-Identifier: Apache-2.0
//
// Reads hearthscope.yml. Each complaint has the file, the line and the key, and names the nearest key when one
// is unknown; all complaints of a file are reported at once.

import { readFileSync, statSync } from 'node:fs';
import { messageOf } from '@hearthscope/profile/errors';
import type { ErrorObject } from 'ajv';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { UsageError } from '../exit-codes.ts';
import { suggestion } from '../nearest.ts';
import { configurationSchema } from './schema.ts';
import { describeViolation, fileViolations, settingByPath } from './settings.ts';

const MAX_FILE_BYTES = 2 ** 20;
/** An alias may be used this often: the expansion of nested aliases is otherwise unbounded. */
const MAX_ALIAS_COUNT = 100;
const MAX_REPORTED_VIOLATIONS = 10;

/** Values by setting path.
 * @throws UsageError when the file cannot be read or a value does not follow the schema */
export function readConfigurationFile(path: string): Map<string, unknown> {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_FILE_BYTES}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read the configuration file ${path}: ${messageOf(error)}`);
  }
  return parseConfiguration(text, path);
}

/** @throws UsageError */
export function parseConfiguration(text: string, path: string): Map<string, unknown> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    throw new UsageError(`${path}:${lines.linePos(syntax.pos[0]).line}: not valid YAML: ${syntax.message}`);
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }) ?? {};
  } catch (error) {
    throw new UsageError(`${path}: not valid YAML: ${messageOf(error)}`);
  }
  // A section that is written but empty (`agent:` with every key commented out) sets nothing.
  if (content !== null && typeof content === 'object' && !Array.isArray(content)) {
    content = Object.fromEntries(Object.entries(content).filter(([, section]) => section !== null));
  }
  const violations = fileViolations(content);
  if (violations.length > 0) {
    const lineOf = (keys: readonly string[]) => lines.linePos(offsetOf(document.contents, keys)).line;
    const messages = violations
      .slice(0, MAX_REPORTED_VIOLATIONS)
      .map((violation) => describeInFile(violation, path, lineOf));
    const hidden = violations.length - messages.length;
    if (hidden > 0) messages.push(`… and ${hidden} more`);
    throw new UsageError(messages.join('\n'));
  }
  const values = new Map<string, unknown>();
  for (const [section, entries] of Object.entries(content as Record<string, Record<string, unknown>>)) {
    for (const [key, value] of Object.entries(entries)) values.set(`${section}.${key}`, value);
  }
  return values;
}

function describeInFile(
  violation: ErrorObject,
  path: string,
  lineOf: (keys: readonly string[]) => number,
): string {
  const keys = violation.instancePath
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (violation.keyword === 'additionalProperties') {
    const unknown = violation.params.additionalProperty as string;
    const known = Object.keys((violation.parentSchema as { properties?: object }).properties ?? {});
    const parent = keys.length === 0 ? '' : `${keys.join('.')}.`;
    const elsewhere = keys.length === 0 ? sectionOf(unknown) : undefined;
    const hint =
      elsewhere === undefined ? suggestion(unknown, known, parent) : `; did you mean ${elsewhere}?`;
    return `${path}:${lineOf([...keys, unknown])}: unknown key ${parent}${unknown}${hint}`;
  }
  const setting = settingByPath.get(keys.slice(0, 2).join('.'));
  const where = keys.length === 0 ? '' : `${keys.join('.')}: `;
  return `${path}:${lineOf(keys)}: ${where}${describeViolation(violation, setting?.schema['x-secret'])}`;
}

/** A key of some section that was written at the top. */
function sectionOf(key: string): string | undefined {
  for (const [section, { properties }] of Object.entries(configurationSchema.properties)) {
    if (Object.hasOwn(properties, key)) return `${section}.${key}`;
  }
  return undefined;
}

/** The byte offset of the last key of the path that the document has, or of the document. */
function offsetOf(contents: Node | null, keys: readonly string[]): number {
  let offset = contents?.range?.[0] ?? 0;
  let node: unknown = contents;
  for (const key of keys) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else {
      const item = (node as { items?: readonly Node[] } | null)?.items?.[Number(key)];
      if (item === undefined) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    }
  }
  return offset;
}
