// SPDX-License-Identifier: Apache-2.0
//
// The credentials file: who may do what. Its complaints never quote a value, as most of them are secrets.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import { checkTenantId } from '../tenant.ts';
import type { Scope } from './authenticator.ts';
import { hashedSecret, keyedSum, plainSecret, type Secret, sha256Of } from './secret.ts';

/** Users, tokens and certificates together. */
export const MAX_CREDENTIALS = 10_000;
const MAX_TENANTS_OF_ONE = 1000;

/** What somebody may do. */
export interface Grant {
  /** For messages: `user alice`. */
  readonly who: string;
  /** 'all', or the tenants that it is bound to. */
  readonly tenants: 'all' | ReadonlySet<string>;
  readonly scopes: ReadonlySet<Scope>;
}

export interface User extends Grant {
  readonly secret: Secret;
}

export interface Credentials {
  readonly users: ReadonlyMap<string, User>;
  /** By {@link tokenKey} and by {@link tokenHashKey}. */
  readonly tokens: ReadonlyMap<string, Grant>;
  /** By common name. */
  readonly certificates: ReadonlyMap<string, Grant>;
}

const SECTIONS = ['users', 'tokens', 'certificates'] as const;
const GRANT_KEYS = ['tenants', 'scopes'] as const;
const SCOPES: readonly Scope[] = ['read', 'write'];

/** Under which a token is found that the file has in plain text. */
export function tokenKey(token: string): string {
  return `plain:${keyedSum(token).toString('hex')}`;
}

/** Under which a token is found that the file has as a hash. */
export function tokenHashKey(token: string): string {
  return `sha256:${sha256Of(token).toString('hex')}`;
}

/** @param multitenancyEnabled when it is, each entry must say its tenants; otherwise none may
 * @throws HearthscopeError invalid_argument naming the entry */
export function parseCredentials(
  content: Readonly<Record<string, unknown>>,
  multitenancyEnabled: boolean,
): Credentials {
  checkKeys(content, SECTIONS, 'the file');
  const sections = SECTIONS.map((section) => Object.entries(mapping(content[section] ?? {}, section)));
  const count = sections.reduce((sum, entries) => sum + entries.length, 0);
  if (count > MAX_CREDENTIALS)
    throw invalid('the file', `${count} entries, at most ${MAX_CREDENTIALS} are allowed`);
  const [users, tokens, certificates] = sections as [Entries, Entries, Entries];
  const grant = (entry: Readonly<Record<string, unknown>>, who: string) =>
    parseGrant(entry, who, multitenancyEnabled);
  return {
    users: new Map(
      users.map(([name, value]) => {
        const who = `user ${name}`;
        const entry = entryOf(value, who, ['password', 'password_hash']);
        return [name, { ...grant(entry, who), secret: parsePassword(entry, who) }];
      }),
    ),
    tokens: new Map(
      tokens.map(([name, value]) => {
        const who = `token ${name}`;
        const entry = entryOf(value, who, ['token', 'token_hash']);
        return [parseToken(entry, who), grant(entry, who)];
      }),
    ),
    certificates: new Map(
      certificates.map(([name, value]) => {
        const who = `certificate ${name}`;
        return [name, grant(entryOf(value, who, []), who)];
      }),
    ),
  };
}

type Entries = [name: string, value: unknown][];
type Entry = Readonly<Record<string, unknown>>;

function invalid(where: string, what: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', `${where}: ${what}`);
}

function mapping(value: unknown, where: string): Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(where, 'expected a mapping of names to values');
  }
  return value as Entry;
}

function checkKeys(entry: Entry, known: readonly string[], where: string): void {
  for (const key of Object.keys(entry)) {
    if (!known.includes(key)) throw invalid(where, `unknown key ${key}${suggestion(key, known)}`);
  }
}

function entryOf(value: unknown, who: string, secretKeys: readonly string[]): Entry {
  const entry = mapping(value ?? {}, who);
  checkKeys(entry, [...secretKeys, ...GRANT_KEYS], who);
  return entry;
}

/** The one of two keys that an entry must have, as a text. */
function oneText(entry: Entry, who: string, plainKey: string, hashKey: string): [key: string, text: string] {
  const given = [plainKey, hashKey].filter((key) => entry[key] !== undefined && entry[key] !== null);
  if (given.length !== 1) throw invalid(who, `expected either ${plainKey} or ${hashKey}`);
  const text = entry[given[0]!];
  if (typeof text !== 'string' || text === '') {
    throw invalid(who, `${given[0]} is no text; a number must be put in quotes`);
  }
  return [given[0]!, text];
}

function parsePassword(entry: Entry, who: string): Secret {
  const [key, text] = oneText(entry, who, 'password', 'password_hash');
  return key === 'password' ? plainSecret(text) : hashedSecret(text, `${who}: ${key}`);
}

function parseToken(entry: Entry, who: string): string {
  const [key, text] = oneText(entry, who, 'token', 'token_hash');
  if (key === 'token') return tokenKey(text);
  if (!/^sha256:[0-9a-fA-F]{64}$/.test(text)) {
    throw invalid(who, 'token_hash: expected "sha256:" and 64 hexadecimal digits');
  }
  return text.toLowerCase();
}

function parseGrant(entry: Entry, who: string, multitenancyEnabled: boolean): Grant {
  const scopes = names(entry.scopes ?? SCOPES, `${who}: scopes`);
  for (const scope of scopes) {
    if (!SCOPES.includes(scope as Scope)) throw invalid(who, `scopes: expected read or write`);
  }
  return { who, tenants: parseTenants(entry, who, multitenancyEnabled), scopes: new Set(scopes as Scope[]) };
}

function parseTenants(entry: Entry, who: string, multitenancyEnabled: boolean): Grant['tenants'] {
  if (!multitenancyEnabled) {
    if (entry.tenants !== undefined) throw invalid(who, 'tenants are named, and multi-tenancy is off');
    return 'all';
  }
  if (entry.tenants === undefined || entry.tenants === null) {
    throw invalid(who, 'the key tenants is missing; ["*"] stands for all');
  }
  const tenants = names(entry.tenants, `${who}: tenants`);
  if (tenants.includes('*')) return 'all';
  for (const tenant of tenants) checkTenantId(tenant);
  return new Set(tenants);
}

function names(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.some((name) => typeof name !== 'string')) {
    throw invalid(where, 'expected a list of names');
  }
  if (value.length > MAX_TENANTS_OF_ONE) {
    throw invalid(where, `${value.length} names, at most ${MAX_TENANTS_OF_ONE} are allowed`);
  }
  return value;
}
