// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';

/** The version of the package that this file is part of. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

export async function version(): Promise<number> {
  process.stdout.write(
    `hearthscope ${packageVersion()} (node ${process.version}, ${process.platform} ${process.arch})\n`,
  );
  return 0;
}
