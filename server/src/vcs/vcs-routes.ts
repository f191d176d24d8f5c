// SPDX-License-Identifier: Apache-2.0
//
// vcs.v1.VCSService: source code of profiled programs, from GitHub, with the rights of the user who looks.

import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { VCSService } from '../../gen/vcs/v1/vcs_pb.js';
import { answering, JSON_OPTIONS } from '../api/connect-service.ts';
import { identityOfCall } from '../http/request-identity.ts';
import type { RouteGroup, ServiceContext } from '../http/service-context.ts';
import { GitSessions, type GitTokens, REFRESH_LIFETIME_MILLIS } from './git-session.ts';
import { type Commit, GithubClient, type SourceFile } from './github-client.ts';
import { checkRef, parseRepository, type Repository, sourcePlaces } from './repository.ts';
import type { VcsOptions } from './vcs-options.ts';

/** Commits of one request. */
export const MAX_COMMITS = 100;
const CONCURRENT_COMMITS = 10;

type VcsContext = Pick<ServiceContext, 'authenticator' | 'now' | 'registry' | 'logger'>;

/** @param options undefined when there is no GitHub app */
export function vcsRoutes(context: VcsContext, options: VcsOptions | undefined): RouteGroup {
  return { connect: options === undefined ? answerUnimplemented : serve(context, options) };
}

function serve(context: VcsContext, options: VcsOptions): (router: ConnectRouter) => void {
  const { authenticator, now, registry, logger } = context;
  const sessions = new GitSessions(options.sessionSecret);
  const github = new GithubClient(options, now, registry);
  const host = new URL(options.webUrl).host;
  const tenantOf = (call: HandlerContext) => authenticator.tenant(identityOfCall(call), 'read');
  const tokensOf = (call: HandlerContext) =>
    sessions.read(tenantOf(call), call.requestHeader.get('cookie') ?? '');
  const validTokensOf = (call: HandlerContext) => {
    const tokens = tokensOf(call);
    if (tokens.expiresUnixMillis <= now()) throw new HearthscopeError('unauthenticated', 'token is expired');
    return tokens;
  };
  const sessionFields = (call: HandlerContext, tokens: GitTokens) => {
    const token = sessions.encrypt(tenantOf(call), tokens);
    return {
      cookie: sessions.cookie(token, tokens, now()),
      token,
      tokenExpiresAt: BigInt(tokens.expiresUnixMillis),
      refreshTokenExpiresAt: BigInt(now() + REFRESH_LIFETIME_MILLIS),
    };
  };
  return (router) => {
    router.service(
      VCSService,
      {
        githubApp: answering((_request, call) => {
          tenantOf(call);
          return { clientID: options.clientId, callbackURL: options.callbackUrl };
        }),
        githubLogin: answering(async ({ authorizationCode }, call) => {
          tenantOf(call);
          return sessionFields(call, await github.login(authorizationCode, call.signal));
        }),
        githubRefresh: answering(async (_request, call) => {
          const { refreshToken } = tokensOf(call);
          if (refreshToken === '') throw new HearthscopeError('unauthenticated', 'invalid token');
          return sessionFields(call, await github.refresh(refreshToken, call.signal));
        }),
        getFile: answering(async ({ repositoryURL, ref, localPath, rootPath }, call) => {
          const { accessToken } = validTokensOf(call);
          const places = sourcePlaces(parseRepository(repositoryURL, host), ref, localPath, rootPath);
          const { contentBase64, url } = await firstFile(
            places.map((place) => () => github.file(accessToken, place, call.signal)),
          );
          return { content: contentBase64, URL: url };
        }),
        getCommit: answering(async ({ repositoryURL, ref }, call) => {
          const { accessToken } = validTokensOf(call);
          const repository = parseRepository(repositoryURL, host);
          checkRef(ref);
          return commitFields(await github.commit(accessToken, repository, ref, call.signal));
        }),
        getCommits: answering(async ({ repositoryUrl, refs }, call) => {
          const { accessToken } = validTokensOf(call);
          const repository = parseRepository(repositoryUrl, host);
          for (const ref of refs) checkRef(ref);
          const found = await commitsOf(repository, refs, (ref) =>
            github.commit(accessToken, repository, ref, call.signal),
          );
          if (found.failures.length > 0) {
            logger.warn(
              { failures: found.failures.length, first: found.failures[0] },
              'commits were not found',
            );
          }
          return { commits: found.commits.map(commitFields) };
        }),
      },
      { jsonOptions: JSON_OPTIONS },
    );
  };
}

function answerUnimplemented(router: ConnectRouter): void {
  const refuse = () => {
    throw new ConnectError('GitHub integration is not configured', Code.Unimplemented);
  };
  router.service(VCSService, {
    githubApp: refuse,
    githubLogin: refuse,
    githubRefresh: refuse,
    getFile: refuse,
    getCommit: refuse,
    getCommits: refuse,
  });
}

/** Asks place after place; only a file that is not there leads to the next. */
async function firstFile(places: readonly (() => Promise<SourceFile>)[]): Promise<SourceFile> {
  let missing: unknown;
  for (const ask of places) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof HearthscopeError && error.code === 'not_found')) throw error;
      missing = error;
    }
  }
  throw missing;
}

/** In the order of the refs, without those that fail.
 * @throws what went wrong first when all fail */
async function commitsOf(
  { owner, name }: Repository,
  refs: readonly string[],
  ask: (ref: string) => Promise<Commit>,
): Promise<{ commits: Commit[]; failures: string[] }> {
  if (refs.length > MAX_COMMITS) {
    throw new HearthscopeError(
      'invalid_argument',
      `${refs.length} refs are too many, the limit is ${MAX_COMMITS}`,
    );
  }
  const results: PromiseSettledResult<Commit>[] = [];
  for (let at = 0; at < refs.length; at += CONCURRENT_COMMITS) {
    results.push(...(await Promise.allSettled(refs.slice(at, at + CONCURRENT_COMMITS).map(ask))));
  }
  const commits = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.filter((result) => result.status === 'rejected');
  if (commits.length === 0 && failed.length > 0) throw failed[0]!.reason;
  return { commits, failures: failed.map(({ reason }) => `${owner}/${name}: ${String(reason)}`) };
}

function commitFields({ message, author, date, sha, url }: Commit) {
  return {
    message,
    date,
    sha,
    URL: url,
    ...(author === undefined ? {} : { author: { login: author.login, avatarURL: author.avatarUrl } }),
  };
}
