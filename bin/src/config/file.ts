// SPDX-License-Identifier: Apache-2.0
//
// Reads hearthscope.yml, which may hold Pyroscope's keys beside our own. Each complaint has the file, the line and the
// key, and names the nearest key when one is unknown; all complaints of a file are reported at once.

import { readFileSync, statSync } from 'node:fs';
import { messageOf } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import type { ErrorObject } from 'ajv';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { UsageError } from '../exit-codes.ts';
import type { GatheredSettings } from './gathered.ts';
import { expandEnvironment } from './pyroscope/expand-environment.ts';
import { keyAt, namesBeneath } from './pyroscope/known-keys.ts';
import type { PyroscopeKey } from './pyroscope/pyroscope-key.ts';
import { configurationSchema } from './schema.ts';
import { describeViolation, fileViolations, printValue, settingByPath } from './settings.ts';

const MAX_FILE_BYTES = 2 ** 20;
/** An alias may be used this often: the expansion of nested aliases is otherwise unbounded. */
const MAX_ALIAS_COUNT = 100;
const MAX_REPORTED_VIOLATIONS = 10;
/** The section whose keys the collector knows. */
export const LIMITS_SECTION = 'limits';

export interface FileOptions {
  readonly path: string;
  /** With these variables references are replaced before the file is read; undefined: `${…}` is text like any other. */
  readonly environment: Readonly<Record<string, string | undefined>> | undefined;
}

type Mapping = Readonly<Record<string, unknown>>;

/** @throws UsageError when the file cannot be read or a value does not follow the schema */
export function readConfigurationFile({ path, environment }: FileOptions, into: GatheredSettings): void {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_FILE_BYTES}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read the configuration file ${path}: ${messageOf(error)}`);
  }
  parseConfiguration(
    environment === undefined ? text : expandEnvironment(text, environment, path),
    path,
    into,
  );
}

function parseConfiguration(text: string, path: string, into: GatheredSettings): void {
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
  const at = (keys: readonly string[]) =>
    `${path}:${lines.linePos(offsetOf(document.contents, keys)).line}: `;
  new FileReader(at, into).read(content);
}

/** Sorts the keys of one file into our own settings, limits, and what Pyroscope's keys mean. */
class FileReader {
  /** `file:line: ` of a key. */
  readonly #at: (keys: readonly string[]) => string;
  readonly #into: GatheredSettings;
  readonly #complaints: string[] = [];
  readonly #setBy = new Map<string, string>();

  constructor(at: (keys: readonly string[]) => string, into: GatheredSettings) {
    this.#at = at;
    this.#into = into;
  }

  /** @throws UsageError with all complaints */
  read(content: unknown): void {
    const own = isMapping(content) ? this.#sections(content) : content;
    const violations = fileViolations(own);
    this.#complaints.push(...violations.map((violation) => this.#describe(violation)));
    this.#throwComplaints();
    for (const [section, entries] of Object.entries(own as Record<string, Mapping>)) {
      for (const [key, value] of Object.entries(entries)) {
        const path = `${section}.${key}`;
        this.#into.setOwn(path, value, this.#at([section, key]) + path, this.#setBy);
      }
    }
  }

  /** @returns what is our own */
  #sections(content: Mapping): Record<string, unknown> {
    const own: Record<string, unknown> = {};
    for (const [section, entries] of Object.entries(content)) {
      // A section that is written but empty (`agent:` with every key commented out) sets nothing.
      if (entries === null) continue;
      const properties = configurationSchema.properties[section]?.properties;
      if (section === LIMITS_SECTION) {
        this.#limits(entries);
      } else if (properties === undefined) {
        this.#foreign([section], entries);
      } else if (!isMapping(entries)) {
        own[section] = entries;
      } else {
        const ofSection: Record<string, unknown> = {};
        for (const [key, value] of Object.entries(entries)) {
          if (Object.hasOwn(properties, key)) ofSection[key] = value;
          else this.#foreign([section, key], value);
        }
        own[section] = ofSection;
      }
    }
    return own;
  }

  #limits(entries: unknown): void {
    if (!isMapping(entries)) {
      this.#complain([LIMITS_SECTION], `${LIMITS_SECTION}: expected ${MAPPING}, got ${printValue(entries)}`);
      return;
    }
    for (const [key, value] of Object.entries(entries)) {
      const place = this.#at([LIMITS_SECTION, key]);
      if (value !== null) this.#into.limits.set(key, { value, place });
    }
  }

  /** A key of Pyroscope, or an unknown one. @param ignoredBy the key above it that is ignored as a whole */
  #foreign(keys: readonly string[], value: unknown, ignoredBy?: PyroscopeKey): void {
    const path = keys.join('.');
    const known = keyAt(path);
    const beneath = namesBeneath(path);
    const isIgnored = known !== undefined && !known.isHonoured;
    const above = isIgnored ? known : ignoredBy;
    if (known === undefined && beneath.length === 0 && above === undefined) {
      this.#complain(keys, unknownKey(keys));
    } else if (value === null) {
      return;
    } else if ((known === undefined || isIgnored) && isMapping(value)) {
      for (const [key, inner] of Object.entries(value)) this.#foreign([...keys, key], inner, above);
    } else if (known === undefined && above === undefined) {
      this.#complain(keys, `${path}: expected ${MAPPING}, got ${printValue(value)}`);
    } else {
      this.#apply(known ?? above!, value, keys);
    }
  }

  #apply(key: PyroscopeKey, value: unknown, keys: readonly string[]): void {
    try {
      const where = this.#at(keys) + keys.join('.');
      this.#into.apply(key, value, where, { isText: false, setBy: this.#setBy });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.#complaints.push(error.message);
    }
  }

  #complain(keys: readonly string[], what: string): void {
    this.#complaints.push(this.#at(keys) + what);
  }

  #throwComplaints(): void {
    if (this.#complaints.length === 0) return;
    const shown = this.#complaints.slice(0, MAX_REPORTED_VIOLATIONS);
    const hidden = this.#complaints.length - shown.length;
    if (hidden > 0) shown.push(`… and ${hidden} more`);
    throw new UsageError(shown.join('\n'));
  }

  #describe(violation: ErrorObject): string {
    const keys = violation.instancePath
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (violation.keyword === 'additionalProperties') {
      const unknown = violation.params.additionalProperty as string;
      const known = Object.keys((violation.parentSchema as { properties?: object }).properties ?? {});
      const parent = `${keys.join('.')}.`;
      const hint = suggestion(unknown, known, parent);
      return `${this.#at([...keys, unknown])}unknown key ${parent}${unknown}${hint}`;
    }
    const setting = settingByPath.get(keys.slice(0, 2).join('.'));
    const where = keys.length === 0 ? '' : `${keys.join('.')}: `;
    return `${this.#at(keys)}${where}${describeViolation(violation, setting?.schema['x-secret'])}`;
  }
}

const MAPPING = 'a mapping of names to values';

function unknownKey(keys: readonly string[]): string {
  const above = keys.slice(0, -1).join('.');
  const parent = above === '' ? '' : `${above}.`;
  const last = keys.at(-1)!;
  const elsewhere = above === '' ? sectionOf(last) : undefined;
  const hint =
    elsewhere === undefined
      ? suggestion(last, ownAndPyroscope(above), parent)
      : `; did you mean ${elsewhere}?`;
  return `unknown key ${parent}${last}${hint}`;
}

function ownAndPyroscope(above: string): string[] {
  const own =
    above === ''
      ? [...Object.keys(configurationSchema.properties), LIMITS_SECTION]
      : Object.keys(configurationSchema.properties[above]?.properties ?? {});
  return [...own, ...namesBeneath(above)];
}

/** A key of some section that was written at the top. */
function sectionOf(key: string): string | undefined {
  for (const [section, { properties }] of Object.entries(configurationSchema.properties)) {
    if (Object.hasOwn(properties, key)) return `${section}.${key}`;
  }
  return undefined;
}

function isMapping(value: unknown): value is Mapping {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
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
