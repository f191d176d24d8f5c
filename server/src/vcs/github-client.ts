// SPDX-License-Identifier: Apache-2.0
//
// The few requests of GitHub's OAuth and REST interfaces that are needed here. Addresses are made of the configured ones
// and of escaped parts, answers are read within limits, and tokens go nowhere else.

import { type ErrorCode, HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { Histogram, type Registry } from 'prom-client';
import { type GitTokens, REFRESH_LIFETIME_MILLIS } from './git-session.ts';
import type { Repository, SourcePlace } from './repository.ts';
import type { VcsOptions } from './vcs-options.ts';

export interface SourceFile {
  readonly contentBase64: string;
  readonly url: string;
}

export interface Commit {
  readonly sha: string;
  readonly message: string;
  /** RFC 3339. */
  readonly date: string;
  readonly url: string;
  readonly author: { readonly login: string; readonly avatarUrl: string } | undefined;
}

/** Bytes of an answer: GitHub gives files of at most 1 MiB, in base64. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  409: 'failed_precondition',
  422: 'invalid_argument',
  429: 'resource_exhausted',
};

type Json = Readonly<Record<string, unknown>>;

export class GithubClient {
  readonly #options: VcsOptions;
  readonly #now: () => number;
  readonly #seconds: Histogram<'method' | 'route' | 'status_code'>;

  constructor(options: VcsOptions, now: () => number, registry: Registry) {
    this.#options = options;
    this.#now = now;
    this.#seconds = new Histogram({
      name: 'pyroscope_vcs_github_request_duration',
      help: 'Seconds that GitHub took for a request.',
      labelNames: ['method', 'route', 'status_code'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
  }

  /** @throws HearthscopeError unauthenticated when GitHub does not take the code, unavailable */
  login(code: string, signal: AbortSignal): Promise<GitTokens> {
    return this.#tokens({ code }, signal);
  }

  /** @throws HearthscopeError unauthenticated when GitHub does not take the token, unavailable */
  refresh(refreshToken: string, signal: AbortSignal): Promise<GitTokens> {
    return this.#tokens({ grant_type: 'refresh_token', refresh_token: refreshToken }, signal);
  }

  /** @throws HearthscopeError not_found, invalid_argument for a folder, unavailable and others of GitHub */
  async file(
    accessToken: string,
    { owner, name, ref, path }: SourcePlace,
    signal: AbortSignal,
  ): Promise<SourceFile> {
    const query = ref === '' ? '' : `?ref=${encodeURIComponent(ref)}`;
    const answer = await this.#get(
      accessToken,
      'contents',
      `/repos/${escaped(owner)}/${escaped(name)}/contents/${path.split('/').map(escaped).join('/')}${query}`,
      signal,
    );
    if (answer.type !== 'file') throw new HearthscopeError('invalid_argument', 'path is not a file');
    if (answer.encoding !== 'base64' || typeof answer.content !== 'string') {
      throw new HearthscopeError(
        'failed_precondition',
        'the file is too large for GitHub to give its content',
      );
    }
    return { contentBase64: answer.content.replace(/\s/g, ''), url: text(answer.html_url) };
  }

  /** @param ref a hash, a branch or a tag
   * @throws HearthscopeError not_found, unavailable and others of GitHub */
  async commit(
    accessToken: string,
    repository: Repository,
    ref: string,
    signal: AbortSignal,
  ): Promise<Commit> {
    const names = [ref, `heads/${ref}`, `tags/${ref}`];
    for (const [i, each] of names.entries()) {
      try {
        return await this.#commitOf(accessToken, repository, each, signal);
      } catch (error) {
        const mayBeOther =
          error instanceof HearthscopeError && ['not_found', 'invalid_argument'].includes(error.code);
        if (!mayBeOther || i === names.length - 1) throw error;
      }
    }
    throw new HearthscopeError('not_found', `there is no commit ${ref}`);
  }

  async #commitOf(
    accessToken: string,
    { owner, name }: Repository,
    ref: string,
    signal: AbortSignal,
  ): Promise<Commit> {
    const path = `/repos/${escaped(owner)}/${escaped(name)}/commits/${ref.split('/').map(escaped).join('/')}`;
    const answer = await this.#get(accessToken, 'commits', path, signal);
    const commit = object(answer.commit);
    const author = object(answer.author);
    const login = text(author.login);
    return {
      sha: text(answer.sha),
      message: text(commit.message),
      date: text(object(commit.author).date),
      url: text(answer.html_url),
      author: login === '' ? undefined : { login, avatarUrl: text(author.avatar_url) },
    };
  }

  async #tokens(parameters: Readonly<Record<string, string>>, signal: AbortSignal): Promise<GitTokens> {
    const { webUrl, clientId, clientSecret } = this.#options;
    const answer = await this.#request('access_token', `${webUrl}/login/oauth/access_token`, signal, {
      method: 'POST',
      headers: { Accept: 'application/json' },
      body: new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...parameters }),
    });
    const accessToken = text(answer.access_token);
    // GitHub answers 200 to what it does not take.
    if (accessToken === '') throw new HearthscopeError('unauthenticated', 'failed to authorize with GitHub');
    const lifetimeSeconds = Number(answer.expires_in);
    return {
      accessToken,
      refreshToken: text(answer.refresh_token),
      expiresUnixMillis:
        this.#now() + (lifetimeSeconds > 0 ? lifetimeSeconds * 1000 : REFRESH_LIFETIME_MILLIS),
    };
  }

  #get(accessToken: string, route: string, path: string, signal: AbortSignal): Promise<Json> {
    return this.#request(route, `${this.#options.apiUrl}${path}`, signal, {
      method: 'GET',
      headers: {
        Accept: 'application/vnd.github+json',
        Authorization: `Bearer ${accessToken}`,
        'X-GitHub-Api-Version': '2022-11-28',
      },
    });
  }

  async #request(route: string, url: string, signal: AbortSignal, init: RequestInit): Promise<Json> {
    const method = init.method!;
    const stop = this.#seconds.startTimer({ method, route });
    let status = 0;
    try {
      const response = await fetch(url, {
        ...init,
        headers: { ...init.headers, 'User-Agent': 'hearthscope' },
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(this.#options.requestTimeoutMillis)]),
      });
      status = response.status;
      const body = await limitedBody(response);
      if (!response.ok) {
        const reason = `GitHub answered ${status} for ${route}`;
        throw new HearthscopeError(CODE_OF_STATUS[status] ?? 'unavailable', reason);
      }
      return object(JSON.parse(body));
    } catch (error) {
      if (error instanceof HearthscopeError) throw error;
      throw new HearthscopeError('unavailable', `GitHub cannot be asked: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      stop({ status_code: String(status) });
    }
  }
}

async function limitedBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new HearthscopeError(
        'unavailable',
        `the answer of GitHub is longer than ${MAX_ANSWER_BYTES} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function escaped(part: string): string {
  return encodeURIComponent(part);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
