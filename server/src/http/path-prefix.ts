// SPDX-License-Identifier: Apache-2.0
//
// A server behind a reverse proxy may be mounted under a path. Some proxies take the prefix away and some do not, so both
// kinds of path lead to the same route.

/** A URL without the prefix, where it is there.
 * @param prefix such as `/profiles`; '' for none */
export function withoutPrefix(url: string, prefix: string): string {
  if (prefix === '' || !url.startsWith(prefix)) return url;
  const rest = url.slice(prefix.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
}
