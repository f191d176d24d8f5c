// SPDX-License-Identifier: Apache-2.0
//
// GNU build ids as clients write them. They become folder names, so nothing but lower-case hex digits gets past here.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** Whole bytes, one to twenty of them; linkers write 8, 16 or 20. */
const BUILD_ID = /^(?:[0-9a-f]{2}){1,20}$/;

/** Whether it is a build id in the form that is stored: lower-case hex digits. */
export function isBuildId(text: string): boolean {
  return BUILD_ID.test(text);
}

/** The build id in the form that is stored.
 * @throws HearthscopeError invalid_argument */
export function parseBuildId(text: string): string {
  const buildId = text.toLowerCase();
  if (isBuildId(buildId)) return buildId;
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  throw new HearthscopeError(
    'invalid_argument',
    `${JSON.stringify(shown)} is no GNU build id: 2 to 40 hex digits, two for each byte, are needed`,
  );
}
