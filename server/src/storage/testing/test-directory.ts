// SPDX-License-Identifier: Apache-2.0
//
// A directory that is gone after the test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** @param beforeRemoval what must happen first, after the test */
export function testDirectory(
  t: TestContext,
  beforeRemoval?: (path: string) => Promise<void> | void,
): string {
  const path = mkdtempSync(join(tmpdir(), 'hearthscope-test-'));
  t.after(async () => {
    await beforeRemoval?.(path);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}
