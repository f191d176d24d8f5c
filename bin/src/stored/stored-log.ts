// SPDX-License-Identifier: Apache-2.0
//
// What reading stored blocks has to say, on standard error.

import type { Log } from '@hearthscope/server/storage/log';

/** Only what keeps a part of the answer away. */
export const toolLog: Log = {
  info: () => undefined,
  warn: (fields, message) => print(fields, message),
  error: (fields, message) => print(fields, message),
};

function print(fields: object, message: string): void {
  process.stderr.write(`hearthscope: ${message}: ${JSON.stringify(fields)}\n`);
}
