// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { createHash, scryptSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { AuthType } from './auth-config.ts';
import { type Authenticator, createAuthenticator, type RequestIdentity } from './authenticator.ts';
import { bcryptMatches, isBcryptHash } from './bcrypt.ts';
import { parseCredentials } from './credentials.ts';
import { SLOW_CHECKS_AT_ONCE, SLOW_CHECKS_PER_SECOND } from './password-check.ts';
import { hashedSecret } from './secret.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-auth-'));
after(() => rmSync(folder, { recursive: true }));

const SALT = Buffer.from('0123456789abcdef');
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');

function scryptHash(password: string, ln = 4): string {
  const hash = scryptSync(password, SALT, 32, { cost: 2 ** ln, blockSize: 8, parallelization: 1 });
  return `$scrypt$ln=${ln},r=8,p=1$${unpadded(SALT)}$${unpadded(hash)}`;
}

let files = 0;

interface Setup {
  readonly authenticator: Authenticator;
  readonly path: string;
  readonly failures: string[];
  millis: number;
}

function setUp(type: AuthType, content: unknown, multitenancyEnabled = true): Setup {
  const path = join(folder, `credentials-${files++}.yml`);
  writeFileSync(path, JSON.stringify(content));
  const failures: string[] = [];
  const setup: { millis: number } = { millis: 0 };
  const authenticator = createAuthenticator(
    { type, file: path },
    {
      multitenancyEnabled,
      reloadPeriodMillis: 20,
      now: () => setup.millis,
      onReloadFailure: (reason, error, isNew) => failures.push(`${reason} ${isNew} ${error.message}`),
    },
  );
  after(() => authenticator.close?.());
  return Object.assign(setup, { authenticator, path, failures });
}

function basic(user: string, password: string, tenant?: string): RequestIdentity {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return { headers: { authorization, ...(tenant !== undefined && { 'x-scope-orgid': tenant }) } };
}

function bearer(token: string, tenant?: string): RequestIdentity {
  const authorization = `Bearer ${token}`;
  return { headers: { authorization, ...(tenant !== undefined && { 'x-scope-orgid': tenant }) } };
}

const UNAUTHENTICATED = { code: 'unauthenticated' };
const DENIED = { code: 'permission_denied' };

test('without authentication the header decides, and credentials mean nothing', () => {
  const one = createAuthenticator({ type: 'none' });
  const empty = { headers: { authorization: 'Basic Og==', 'x-scope-orgid': 'a' } };
  assert.equal(one.tenant(empty, 'write'), 'anonymous');
  assert.deepEqual(one.tenants(empty), ['anonymous']);
  assert.equal(one.challenge, undefined);
  const many = createAuthenticator({ type: 'none' }, { multitenancyEnabled: true });
  assert.equal(many.tenant(empty, 'write'), 'a');
  assert.deepEqual(many.tenants({ headers: { 'x-scope-orgid': 'b|a|b' } }), ['a', 'b']);
  assert.throws(() => many.tenant({ headers: {} }, 'read'), { ...UNAUTHENTICATED, message: 'no org id' });
  assert.throws(() => many.tenants({ headers: {} }), { ...UNAUTHENTICATED, message: 'no org id' });
  assert.throws(() => many.tenant({ headers: { 'x-scope-orgid': 'a|b' } }, 'write'), {
    code: 'invalid_argument',
    message: 'multiple org IDs present',
  });
});

test('users, with each kind of secret', () => {
  const { authenticator } = setUp('basic', {
    users: {
      plain: { password: 'p:1', tenants: ['a'] },
      hashed: { password_hash: scryptHash('p2'), tenants: ['a', 'b'], scopes: ['read'] },
      sum: { password_hash: sha256('p3'), tenants: ['*'] },
      blowfish: {
        password_hash: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
        tenants: ['a'],
      },
    },
  });
  assert.equal(authenticator.challenge, 'Basic realm="Hearthscope", charset="UTF-8"');
  assert.equal(authenticator.tenant(basic('plain', 'p:1'), 'write'), 'a');
  assert.equal(authenticator.tenant(basic('blowfish', 'U*U'), 'write'), 'a');
  assert.equal(authenticator.tenant(basic('sum', 'p3', 'z'), 'write'), 'z');
  assert.deepEqual(authenticator.tenants(basic('hashed', 'p2', 'b|a')), ['a', 'b']);
  assert.equal(authenticator.tenant(basic('hashed', 'p2', 'b'), 'read'), 'b');
  assert.throws(() => authenticator.tenant(basic('hashed', 'p2', 'b'), 'write'), {
    ...DENIED,
    message: 'user hashed may not write',
  });
  const wrong = [
    basic('plain', 'p:2'),
    basic('plain', ''),
    basic('hashed', 'p1', 'a'),
    basic('sum', 'p4', 'a'),
    basic('blowfish', 'U*U*'),
    basic('nobody', 'p:1'),
    basic('', ''),
    basic('__proto__', 'x'),
    bearer('p:1'),
    { headers: {} },
    { headers: { authorization: 'Basic' } },
    { headers: { authorization: 'Basic !!!' } },
    { headers: { authorization: `Basic ${Buffer.from('plain').toString('base64')}` } },
    { headers: { authorization: ['Basic a', 'Basic b'] } },
    { headers: {}, clientCertificate: 'plain' },
  ];
  for (const request of wrong) {
    assert.throws(
      () => authenticator.tenant(request, 'read'),
      { ...UNAUTHENTICATED, message: 'valid credentials are required' },
      JSON.stringify(request),
    );
  }
});

test('a tenant that credentials are bound to need not be named, and no other may be', () => {
  const { authenticator } = setUp('bearer', {
    tokens: {
      one: { token: 't1', tenants: ['a'] },
      two: { token_hash: sha256('t2'), tenants: ['a', 'b'] },
      all: { token: 't3', tenants: ['*'] },
    },
  });
  assert.equal(authenticator.challenge, 'Bearer realm="Hearthscope"');
  assert.equal(authenticator.tenant(bearer('t1'), 'write'), 'a');
  assert.deepEqual(authenticator.tenants(bearer('t1')), ['a']);
  assert.equal(authenticator.tenant(bearer('t1', 'a'), 'write'), 'a');
  assert.throws(() => authenticator.tenant(bearer('t1', 'b'), 'write'), {
    ...DENIED,
    message: 'token one has no access to the tenant "b"',
  });
  assert.throws(() => authenticator.tenants(bearer('t1', 'a|b')), DENIED);
  assert.deepEqual(authenticator.tenants(bearer('t2', 'a|b')), ['a', 'b']);
  assert.throws(() => authenticator.tenants(bearer('t2', 'a|c')), DENIED);
  for (const token of ['t2', 't3']) {
    assert.throws(() => authenticator.tenant(bearer(token), 'write'), {
      ...UNAUTHENTICATED,
      message: 'no org id',
    });
    assert.throws(() => authenticator.tenants(bearer(token)), { ...UNAUTHENTICATED, message: 'no org id' });
  }
  assert.equal(authenticator.tenant(bearer('t3', 'x'), 'write'), 'x');
  assert.throws(() => authenticator.tenant(bearer('t3', '../x'), 'write'), { code: 'invalid_argument' });
  for (const token of ['t', 't1 ', 'sha256:00', sha256('t2'), 'one', '']) {
    assert.throws(
      () => authenticator.tenant(bearer(token, 'c'), 'write'),
      (error: { code: string }) => ['unauthenticated', 'permission_denied'].includes(error.code),
      token,
    );
  }
  assert.throws(
    () => authenticator.tenant(bearer(sha256('t2'), 'a'), 'write'),
    UNAUTHENTICATED,
    'a hash is no token',
  );
});

test('client certificates', () => {
  const { authenticator } = setUp('mtls', {
    certificates: { 'agent-1': { tenants: ['a'], scopes: ['write'] } },
  });
  const from = (clientCertificate?: string) => ({
    headers: {},
    ...(clientCertificate !== undefined && { clientCertificate }),
  });
  assert.equal(authenticator.tenant(from('agent-1'), 'write'), 'a');
  assert.throws(() => authenticator.tenants(from('agent-1')), DENIED);
  assert.throws(() => authenticator.tenant(from('agent-2'), 'write'), UNAUTHENTICATED);
  assert.throws(() => authenticator.tenant(from(), 'write'), UNAUTHENTICATED);
  assert.equal(authenticator.challenge, undefined);
});

test('any kind of credentials, without tenants', () => {
  const { authenticator } = setUp(
    'any',
    { users: { u: { password: 'p' } }, tokens: { t: { token: 'x' } }, certificates: { c: null } },
    false,
  );
  for (const request of [basic('u', 'p', 'z'), bearer('x'), { headers: {}, clientCertificate: 'c' }]) {
    assert.equal(authenticator.tenant(request, 'write'), 'anonymous');
    assert.deepEqual(authenticator.tenants(request), ['anonymous']);
  }
  assert.throws(() => authenticator.tenant({ headers: {} }, 'write'), UNAUTHENTICATED);
  assert.throws(
    () => authenticator.tenant({ ...basic('u', 'wrong'), clientCertificate: 'c' }, 'write'),
    UNAUTHENTICATED,
    'credentials that are wrong are not made good by others',
  );
});

test('guesses at a slow password are limited, and those who got in stay in', () => {
  const setup = setUp('basic', { users: { u: { password_hash: scryptHash('right'), tenants: ['a'] } } });
  const { authenticator } = setup;
  assert.equal(authenticator.tenant(basic('u', 'right'), 'read'), 'a');
  for (let n = 1; n < SLOW_CHECKS_AT_ONCE; n++) {
    const name = n % 2 === 0 ? 'u' : 'nobody';
    assert.throws(() => authenticator.tenant(basic(name, `wrong ${n}`), 'read'), UNAUTHENTICATED);
  }
  const another = () => authenticator.tenant(basic('u', 'another'), 'read');
  assert.throws(another, { code: 'resource_exhausted' });
  assert.equal(authenticator.tenant(basic('u', 'right'), 'read'), 'a');
  assert.throws(
    () => authenticator.tenant(basic('u', 'wrong 2'), 'read'),
    UNAUTHENTICATED,
    'known to be wrong',
  );
  setup.millis += 1000 / SLOW_CHECKS_PER_SECOND;
  assert.throws(another, UNAUTHENTICATED);
});

test('credentials change with their file; those of a broken one are kept', async () => {
  const { authenticator, path, failures } = setUp('any', {
    tokens: { t: { token: 'old', tenants: ['a'] } },
    users: { u: { password_hash: scryptHash('old'), tenants: ['a'] } },
  });
  assert.equal(authenticator.tenant(basic('u', 'old'), 'read'), 'a');
  writeFileSync(
    path,
    JSON.stringify({
      tokens: { t: { token: 'new', tenants: ['a'] } },
      users: { u: { password_hash: scryptHash('new'), tenants: ['a'] } },
    }),
  );
  const works = (request: RequestIdentity) => {
    try {
      return authenticator.tenant(request, 'read') === 'a';
    } catch {
      return false;
    }
  };
  while (!works(bearer('new'))) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(works(bearer('old')), false);
  assert.equal(works(basic('u', 'old')), false, 'what was remembered is forgotten');
  assert.equal(works(basic('u', 'new')), true);
  writeFileSync(path, 'tokens: { t: { token: hunter2, tenant: [a] } }');
  while (failures.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(failures[0]!, /^invalid true .*token t: unknown key tenant; did you mean tenants\?$/);
  assert.match(failures[1]!, /^invalid false/);
  assert.equal(works(bearer('new')), true);
});

test('a file of credentials that cannot be meant is refused, without quoting it', () => {
  const cases: readonly [content: Readonly<Record<string, unknown>>, message: RegExp][] = [
    [{ user: {} }, /^the file: unknown key user; did you mean users\?$/],
    [{ users: ['hunter2'] }, /^users: expected a mapping/],
    [{ users: { u: 'hunter2' } }, /^user u: expected a mapping/],
    [{ users: { u: { tenants: ['a'] } } }, /^user u: expected either password or password_hash$/],
    [{ users: { u: { password: 'hunter2', password_hash: 'hunter2', tenants: ['a'] } } }, /expected either/],
    [{ users: { u: { password: 4711, tenants: ['a'] } } }, /^user u: password is no text/],
    [{ users: { u: { password: '', tenants: ['a'] } } }, /^user u: password is no text/],
    [
      { users: { u: { password_hash: 'hunter2', tenants: ['a'] } } },
      /^user u: password_hash: expected a hash/,
    ],
    [
      { users: { u: { password_hash: scryptHash('x').replace('ln=4', 'ln=40'), tenants: ['a'] } } },
      /scrypt with/,
    ],
    [
      { users: { u: { password_hash: scryptHash('x').replace('r=8', 'r=0'), tenants: ['a'] } } },
      /scrypt with/,
    ],
    [{ users: { u: { password: 'hunter2' } } }, /^user u: the key tenants is missing/],
    [{ users: { u: { password: 'hunter2', tenants: [] } } }, /tenants: expected a list of names$/],
    [{ users: { u: { password: 'hunter2', tenants: 'a' } } }, /tenants: expected a list of names$/],
    [{ users: { u: { password: 'hunter2', tenants: ['a/b'] } } }, /unsupported character/],
    [{ users: { u: { password: 'hunter2', tenants: ['a'], scopes: ['admin'] } } }, /expected read or write/],
    [
      { tokens: { t: { token_hash: 'hunter2', tenants: ['a'] } } },
      /^token t: token_hash: expected "sha256:"/,
    ],
  ];
  for (const [content, message] of cases) {
    assert.throws(
      () => parseCredentials(content, true),
      (error: Error) => message.test(error.message) && !error.message.includes('hunter2'),
      String(message),
    );
  }
  assert.throws(() => parseCredentials({ tokens: { t: { token: 'x', tenants: ['a'] } } }, false), {
    message: 'token t: tenants are named, and multi-tenancy is off',
  });
  assert.throws(() => createAuthenticator({ type: 'basic' }), { code: 'failed_precondition' });
  assert.throws(() => createAuthenticator({ type: 'basic', file: join(folder, 'absent') }), {
    code: 'failed_precondition',
  });
});

test('bcrypt', () => {
  // Public test vectors of the crypt_blowfish library.
  const vectors = [
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U*', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
    ['U*U*U', '$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a'],
    ['', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy'],
    [
      '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored',
      '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
    ],
  ] as const;
  for (const [password, hash] of vectors) {
    assert.equal(isBcryptHash(hash), true);
    assert.equal(bcryptMatches(password, hash), true, password);
    assert.equal(bcryptMatches(`x${password}`, hash), false);
  }
  assert.equal(
    isBcryptHash('$2a$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    false,
    'too slow',
  );
  assert.equal(isBcryptHash('$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'), false);
  assert.equal(hashedSecret(scryptHash('ü', 5), 'w').matches('ü'), true);
});
