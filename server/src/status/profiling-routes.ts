// SPDX-License-Identifier: Apache-2.0
//
// /debug/pprof/*: profiles of the server itself, where scrapers of Go programs look for them. Only what can be told
// truthfully is there: CPU time and the heap of the main thread.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import type { PlainAnswer, PlainRequest, RouteGroup, ServiceContext } from '../http/service-context.ts';
import { SelfProfiler } from './self-profiler.ts';

export const MAX_PROFILE_SECONDS = 60;
const DEFAULT_PROFILE_SECONDS = 30;

const INDEX = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hearthscope: profiles of itself</title>
<ul>
<li><a href="profile?seconds=10">profile</a> CPU time of the main thread, at most ${MAX_PROFILE_SECONDS} seconds</li>
<li><a href="heap">heap</a> what is alive of what was allocated since this was first asked for</li>
</ul>
</html>
`;

export function profilingRoutes({ authenticator }: Pick<ServiceContext, 'authenticator'>): RouteGroup {
  const profiler = new SelfProfiler();
  const closing = new AbortController();
  const route = (path: string, answer: (request: PlainRequest) => Promise<PlainAnswer>) => ({
    method: 'GET' as const,
    path,
    handle: async (request: PlainRequest) => {
      authenticator.tenants(request.identity);
      return answer(request);
    },
  });
  return {
    plain: [
      route('/debug/pprof/', async () => ({
        status: 200,
        contentType: 'text/html; charset=utf-8',
        body: INDEX,
        headers: { 'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'" },
      })),
      route('/debug/pprof/profile', async ({ query, signal }) => {
        const seconds = secondsOf(query.get('seconds'));
        return pprof('profile', await profiler.cpu(seconds, AbortSignal.any([signal, closing.signal])));
      }),
      route('/debug/pprof/heap', async () => pprof('heap', await profiler.heap())),
    ],
    close: async () => {
      closing.abort();
      profiler.close();
    },
  };
}

function secondsOf(text: string | null): number {
  const seconds = text === null || text === '' ? DEFAULT_PROFILE_SECONDS : Number(text);
  if (seconds > 0 && seconds <= MAX_PROFILE_SECONDS) return seconds;
  throw new HearthscopeError(
    'invalid_argument',
    `seconds must be more than 0 and at most ${MAX_PROFILE_SECONDS}`,
  );
}

async function pprof(name: string, profile: Profile): Promise<PlainAnswer> {
  return {
    status: 200,
    contentType: 'application/octet-stream',
    body: await promisify(gzip)(encodePprof(profile)),
    headers: { 'Content-Disposition': `attachment; filename="${name}"` },
  };
}
