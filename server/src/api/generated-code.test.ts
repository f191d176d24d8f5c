// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testDirectory } from '../storage/testing/test-directory.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

function filesIn(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((path) => [path.slice(directory.length), readFileSync(path, 'utf8')] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

test('the generated code that is checked in is what the .proto files give', (t) => {
  const script = join(REPOSITORY, 'scripts', 'generate.sh');
  if (!existsSync(script)) return t.skip('SKIPPED: not in the repository');
  const output = testDirectory(t);
  execFileSync('sh', [script, output], { stdio: 'pipe' });
  assert.deepEqual(filesIn(join(output, 'server', 'gen')), filesIn(join(REPOSITORY, 'server', 'gen')));
});
