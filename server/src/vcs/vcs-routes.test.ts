// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { VCSService } from '../../gen/vcs/v1/vcs_pb.js';
import { routeTransport, tenantByHeader } from '../settings/testing/route-transport.ts';
import { GitSessions, MAX_COOKIE_LENGTH, MIN_SECRET_BYTES, REFRESH_LIFETIME_MILLIS } from './git-session.ts';
import { MAX_ANSWER_BYTES } from './github-client.ts';
import { MAX_PLACES, MAX_REF_LENGTH, parseRepository, sourcePlaces } from './repository.ts';
import { CLIENT_ID, CLIENT_SECRET, GithubServer, GOOD_CODE } from './testing/github-server.ts';
import { MAX_COMMITS, vcsRoutes } from './vcs-routes.ts';

const NOW = 1_767_225_600_000;
const REPOSITORY = 'acme/shop';

async function setUp(t: TestContext) {
  const github = await GithubServer.start(t);
  const registry = new Registry();
  let nowMillis = NOW;
  const routes = vcsRoutes(
    { authenticator: tenantByHeader, now: () => nowMillis, registry, logger: pino({ level: 'silent' }) },
    {
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      callbackUrl: 'https://profiles.example.org/github/callback',
      sessionSecret: 'a secret of the operator',
      webUrl: github.url,
      apiUrl: github.url,
      requestTimeoutMillis: 5000,
    },
  );
  const client = createClient(VCSService, routeTransport(routes));
  const login = async () => {
    const { token } = await client.githubLogin({ authorizationCode: GOOD_CODE });
    return headersOf(token);
  };
  const pass = (millis: number) => {
    nowMillis += millis;
  };
  return { github, client, login, pass, registry, repositoryURL: `${github.url}/${REPOSITORY}` };
}

/** What the user interface sends after a login. */
function headersOf(token: string) {
  const value = Buffer.from(JSON.stringify({ token })).toString('base64');
  return { headers: { cookie: `a=b; pyroscope_git_session=${value}` } };
}

async function refusal(call: Promise<unknown>): Promise<[Code, string]> {
  const error = await call.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return [error.code, error.rawMessage];
}

function textOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}

test('without a GitHub app nothing is there', async () => {
  const context = {
    authenticator: tenantByHeader,
    now: () => NOW,
    registry: new Registry(),
    logger: pino({ level: 'silent' }),
  };
  const client = createClient(VCSService, routeTransport(vcsRoutes(context, undefined)));
  const unimplemented = [Code.Unimplemented, 'GitHub integration is not configured'];
  assert.deepEqual(await refusal(client.githubApp({})), unimplemented);
  assert.deepEqual(await refusal(client.getFile({})), unimplemented);
});

test('a user logs in, and stays so', async (t) => {
  const { client, pass, repositoryURL } = await setUp(t);
  const app = await client.githubApp({});
  assert.deepEqual(
    [app.clientID, app.callbackURL],
    [CLIENT_ID, 'https://profiles.example.org/github/callback'],
  );
  assert.deepEqual(await refusal(client.githubLogin({ authorizationCode: 'wrong' })), [
    Code.Unauthenticated,
    'failed to authorize with GitHub',
  ]);
  const session = await client.githubLogin({ authorizationCode: GOOD_CODE });
  assert.equal(session.tokenExpiresAt, BigInt(NOW + 28_800_000));
  assert.equal(session.refreshTokenExpiresAt, BigInt(NOW + REFRESH_LIFETIME_MILLIS));
  assert.ok(!textOf(session.token).includes('ghu_1'), 'the token is encrypted');
  assert.match(
    session.cookie,
    /^pyroscope_git_session=[A-Za-z0-9+/=]+; Expires=.* GMT; Secure; SameSite=Lax$/,
  );

  const request = { repositoryURL, ref: 'abc' };
  const old = { headers: { cookie: session.cookie.split(';')[0]! } };
  assert.equal((await client.getCommit(request, old)).message, 'commit abc');
  assert.equal((await client.getCommit(request, headersOf(session.token))).message, 'commit abc');
  pass(28_800_000);
  assert.deepEqual(await refusal(client.getCommit(request, headersOf(session.token))), [
    Code.Unauthenticated,
    'token is expired',
  ]);
  const refreshed = await client.githubRefresh({}, headersOf(session.token));
  assert.equal((await client.getCommit(request, headersOf(refreshed.token))).message, 'commit abc');
  assert.equal((await refusal(client.githubRefresh({}, headersOf(session.token))))[0], Code.Unauthenticated);
});

test('a token of another tenant, a changed one and none are alike', async (t) => {
  const { client, repositoryURL } = await setUp(t);
  const { token } = await client.githubLogin({ authorizationCode: GOOD_CODE });
  const request = { repositoryURL, ref: 'abc' };
  const bytes = Buffer.from(token, 'base64');
  bytes[20]! ^= 1;
  const other = headersOf(token);
  const cookies = [
    '',
    'pyroscope_git_session=',
    'pyroscope_git_session=%',
    'pyroscope_git_session=e30=',
    `pyroscope_git_session=${Buffer.from('null').toString('base64')}`,
    headersOf('').headers.cookie,
    headersOf('AAAA').headers.cookie,
    headersOf(bytes.toString('base64')).headers.cookie,
    headersOf(token.slice(0, 40)).headers.cookie,
    `pyroscope_git_session=${'A'.repeat(MAX_COOKIE_LENGTH)}`,
  ];
  const invalid = [Code.Unauthenticated, 'invalid token'];
  for (const cookie of cookies) {
    assert.deepEqual(await refusal(client.getCommit(request, { headers: { cookie } })), invalid, cookie);
  }
  const headers = { ...other.headers, 'x-scope-orgid': 'other' };
  assert.deepEqual(await refusal(client.getCommit(request, { headers })), invalid);
});

test('files are found where the paths of symbols lead', async (t) => {
  const { client, login, github, repositoryURL } = await setUp(t);
  const session = await login();
  const contentOf = async (localPath: string, rootPath = '') =>
    textOf((await client.getFile({ repositoryURL, ref: 'main', localPath, rootPath }, session)).content);
  assert.equal(await contentOf('app/server.py'), 'print("ä")\n');
  assert.equal(await contentOf('server.py', 'app'), 'print("ä")\n');
  assert.equal(await contentOf('/home/ci/build/shop/app/server.py'), 'print("ä")\n');
  assert.equal(await contentOf('/build/cmd/shop/main.go'), 'package main\n');
  assert.equal(await contentOf('/usr/local/go1.22.1/src/net/http/server.go'), 'package http\n');
  assert.equal(await contentOf('$GOROOT/src/fmt/print.go'), 'package fmt\n');
  assert.equal(
    await contentOf('/root/go/pkg/mod/github.com/acme/shop@v1.2.3/cart/cart.go'),
    'package cart\n',
  );
  assert.equal(
    await contentOf('/root/go/pkg/mod/github.com/acme/shop@v0.0.0-20260101000000-abcdef123456/cart/cart.go'),
    'package cart // later\n',
  );
  const { URL } = await client.getFile({ repositoryURL, ref: 'main', localPath: 'app/server.py' }, session);
  assert.equal(URL, 'https://github.com/acme/shop/blob/app/server.py');

  const file = (localPath: string, ref = 'main') =>
    client.getFile({ repositoryURL, ref, localPath }, session);
  assert.equal((await refusal(file('nowhere.py')))[0], Code.NotFound);
  assert.equal((await refusal(file('/go/pkg/mod/example.org/x/y@v1.0.0/a.go')))[0], Code.NotFound);
  assert.deepEqual(await refusal(file('app')), [Code.InvalidArgument, 'path is not a file']);
  assert.equal((await refusal(file('large.bin')))[0], Code.FailedPrecondition);
  for (const [path, ref] of [
    ['', 'main'],
    ['a/../../b', 'main'],
    ['a', '../x'],
    ['x'.repeat(5000), 'main'],
    ['a', 'x'.repeat(MAX_REF_LENGTH + 1)],
  ]) {
    const before = github.requests.length;
    assert.equal((await refusal(file(path!, ref)))[0], Code.InvalidArgument, path);
    assert.equal(github.requests.length, before, 'GitHub is not asked');
  }
});

test('commits are found by hash, branch and tag', async (t) => {
  const { client, login, repositoryURL, github } = await setUp(t);
  const session = await login();
  const commit = await client.getCommit({ repositoryURL, ref: 'main' }, session);
  assert.equal(commit.message, 'commit heads/main');
  assert.deepEqual(
    [commit.author?.login, commit.author?.avatarURL],
    ['octocat', 'https://example.org/a.png'],
  );
  assert.deepEqual(
    [commit.date, commit.URL],
    ['2026-01-01T00:00:00Z', 'https://github.com/acme/shop/commit/012345'],
  );
  assert.equal((await client.getCommit({ repositoryURL, ref: 'abc' }, session)).author, undefined);
  assert.equal(
    (await refusal(client.getCommit({ repositoryURL, ref: 'unknown' }, session)))[0],
    Code.NotFound,
  );

  const { commits } = await client.getCommits(
    { repositoryUrl: repositoryURL, refs: ['v1', 'unknown', 'abc'] },
    session,
  );
  assert.deepEqual(
    commits.map(({ message }) => message),
    ['commit tags/v1', 'commit abc'],
  );
  assert.equal(
    (await refusal(client.getCommits({ repositoryUrl: repositoryURL, refs: ['unknown'] }, session)))[0],
    Code.NotFound,
  );
  assert.deepEqual((await client.getCommits({ repositoryUrl: repositoryURL }, session)).commits, []);
  const refs = Array<string>(MAX_COMMITS).fill('abc');
  assert.equal(
    (await client.getCommits({ repositoryUrl: repositoryURL, refs }, session)).commits.length,
    MAX_COMMITS,
  );
  const before = github.requests.length;
  assert.equal(
    (await refusal(client.getCommits({ repositoryUrl: repositoryURL, refs: [...refs, 'abc'] }, session)))[0],
    Code.InvalidArgument,
  );
  assert.equal(github.requests.length, before);
});

test('what GitHub refuses, and a GitHub that does not answer as it should', async (t) => {
  const { client, login, repositoryURL, github, registry } = await setUp(t);
  const session = await login();
  const codes: [number, Code][] = [
    [401, Code.Unauthenticated],
    [403, Code.PermissionDenied],
    [429, Code.ResourceExhausted],
    [500, Code.Unavailable],
    [302, Code.Unavailable],
  ];
  for (const [status, code] of codes) {
    github.failures.push(status);
    assert.equal(
      (await refusal(client.getCommit({ repositoryURL, ref: 'abc' }, session)))[0],
      code,
      String(status),
    );
  }
  github.padding = MAX_ANSWER_BYTES;
  assert.match((await refusal(client.getCommit({ repositoryURL, ref: 'abc' }, session)))[1], /longer than/);
  assert.match(
    await registry.metrics(),
    /pyroscope_vcs_github_request_duration_count\{method="GET",route="commits",status_code="500"\} 1/,
  );
});

test('a secret that could be guessed is refused', () => {
  assert.throws(() => new GitSessions('x'.repeat(MIN_SECRET_BYTES - 1)), { code: 'failed_precondition' });
  new GitSessions('x'.repeat(MIN_SECRET_BYTES));
});

test('repositories are those of the configured server', () => {
  for (const url of [
    'https://github.com/acme/shop',
    'https://github.com/acme/shop.git',
    'https://github.com/acme/shop/',
    'git@github.com:acme/shop.git',
    'ssh://git@github.com/acme/shop',
    'github.com/acme/shop',
  ]) {
    assert.deepEqual(parseRepository(url, 'github.com'), { owner: 'acme', name: 'shop' }, url);
  }
  for (const url of [
    '',
    'acme',
    'https://gitlab.com/acme/shop',
    'https://github.com.evil.org/acme/shop',
    'https://github.com@evil.org/acme/shop',
    'https://github.com/acme/..',
    'https://github.com/acme/shop/tree/main',
    'https://github.com/ac me/shop',
    `https://github.com/${'a'.repeat(101)}/shop`,
  ]) {
    assert.throws(() => parseRepository(url, 'github.com'), { code: 'invalid_argument' }, url);
  }
});

test('a deep path is tried in so many places', () => {
  const path = Array.from({ length: 100 }, (_, i) => `d${i}`).join('/');
  const places = sourcePlaces({ owner: 'a', name: 'b' }, '', path, '/root/');
  assert.equal(places.length, MAX_PLACES);
  assert.equal(places[1]?.path, `root/${path.split('/').slice(1).join('/')}`);
});
