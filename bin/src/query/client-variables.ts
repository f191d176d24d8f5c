// SPDX-License-Identifier: Apache-2.0

/** Variables that say whom the commands for a running server ask, and as whom. */
export const ClientVariable = {
  url: 'HEARTHSCOPE_URL',
  user: 'HEARTHSCOPE_BASIC_AUTH',
  token: 'HEARTHSCOPE_TOKEN',
} as const;

export const CLIENT_VARIABLES: readonly string[] = Object.values(ClientVariable);
