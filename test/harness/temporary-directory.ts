// SPDX-License-Identifier: Apache-2.0
//
// A directory for one test that the server can still enter after it has given up root.

import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `hearthscope-${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}
