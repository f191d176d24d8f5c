// SPDX-License-Identifier: Apache-2.0
//
// The real query engine over a real store, for tests of what asks it.

import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { StoreQuerier } from '../../query/querier.ts';
import { LocalStore } from '../../storage/local-store.ts';
import { RecordingLog } from '../../storage/testing/stored-profile.ts';
import { testDirectory } from '../../storage/testing/test-directory.ts';

export interface StoredQuerier {
  readonly store: LocalStore;
  readonly querier: StoreQuerier;
}

export async function storedQuerier(t: TestContext, now: () => number): Promise<StoredQuerier> {
  const store: LocalStore = await LocalStore.open({
    dataDir: testDirectory(t, () => store.close()),
    headMaxBytes: 1 << 28,
    onStateChange: () => undefined,
    registry: new Registry(),
    log: new RecordingLog(),
  });
  return { store, querier: new StoreQuerier(store, { now }) };
}
