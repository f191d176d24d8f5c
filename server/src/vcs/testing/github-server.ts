// SPDX-License-Identifier: Apache-2.0
//
// A server that speaks the parts of GitHub's OAuth and REST interfaces that are used, as GitHub documents them, on a port
// of its own: one user, one repository.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

export const CLIENT_ID = 'Iv1.0123456789abcdef';
export const CLIENT_SECRET = 'secret-of-the-app';
export const GOOD_CODE = 'a1b2c3';

const FILES: Readonly<Record<string, string>> = {
  'acme/shop/main/cmd/shop/main.go': 'package main\n',
  'acme/shop/main/app/server.py': 'print("ä")\n',
  'acme/shop/v1.2.3/cart/cart.go': 'package cart\n',
  'acme/shop/abcdef123456/cart/cart.go': 'package cart // later\n',
  'golang/go/go1.22.1/src/net/http/server.go': 'package http\n',
  'golang/go/master/src/fmt/print.go': 'package fmt\n',
};

export class GithubServer {
  readonly url: string;
  readonly requests: string[] = [];
  /** Answers the next requests with these statuses. */
  readonly failures: number[] = [];
  /** Bytes of the next answer. */
  padding = 0;
  #logins = 0;

  private constructor(url: string) {
    this.url = url;
  }

  static async start(t: TestContext): Promise<GithubServer> {
    const server = createServer((request, response) => void github.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const github = new GithubServer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return github;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    const send = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify(body) + ' '.repeat(this.padding));
    };
    const failure = this.failures.shift();
    if (failure !== undefined) return send(failure, { message: 'no' });
    const url = new URL(request.url!, this.url);
    if (url.pathname === '/login/oauth/access_token') {
      return send(200, this.#login(new URLSearchParams(await text(request))));
    }
    if (!/^Bearer ghu_\d+$/.test(request.headers.authorization ?? '')) {
      return send(401, { message: 'Bad credentials' });
    }
    const [, , owner, repository, kind, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const path = rest.join('/');
    if (kind === 'contents') {
      const key = `${owner}/${repository}/${url.searchParams.get('ref') ?? 'main'}/${path}`;
      const content = FILES[key];
      if (content !== undefined) {
        return send(200, {
          type: 'file',
          encoding: 'base64',
          // GitHub breaks the lines of base64.
          content: `${Buffer.from(content).toString('base64')}\n`,
          html_url: `https://github.com/${owner}/${repository}/blob/${path}`,
        });
      }
      if (path === 'large.bin') return send(200, { type: 'file', encoding: 'none', content: '' });
      if (path === 'app') return send(200, [{ type: 'file', name: 'server.py' }]);
      return send(404, { message: 'Not Found' });
    }
    if (kind === 'commits' && ['abc', 'heads/main', 'tags/v1'].includes(path)) {
      return send(200, {
        sha: '0123456789012345678901234567890123456789',
        html_url: `https://github.com/${owner}/${repository}/commit/012345`,
        commit: { message: `commit ${path}`, author: { name: 'A', date: '2026-01-01T00:00:00Z' } },
        author: path === 'abc' ? null : { login: 'octocat', avatar_url: 'https://example.org/a.png' },
      });
    }
    send(path === 'heads/unknown' ? 422 : 404, { message: 'No commit found for SHA' });
  }

  #login(form: URLSearchParams): object {
    const isApp = form.get('client_id') === CLIENT_ID && form.get('client_secret') === CLIENT_SECRET;
    const isRefresh =
      form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === `ghr_${this.#logins}`;
    if (!isApp || (form.get('code') !== GOOD_CODE && !isRefresh)) {
      return {
        error: 'bad_verification_code',
        error_description: 'The code passed is incorrect or expired.',
      };
    }
    this.#logins++;
    return {
      access_token: `ghu_${this.#logins}`,
      expires_in: 28_800,
      refresh_token: `ghr_${this.#logins}`,
      refresh_token_expires_in: 15_897_600,
      scope: '',
      token_type: 'bearer',
    };
  }
}
