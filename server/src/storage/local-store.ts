// SPDX-License-Identifier: Apache-2.0
//
// The store of one machine: a write-ahead log, and a head that is rebuilt from it at start.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { Registry } from 'prom-client';
import { DataDir } from './data-dir.ts';
import { decodeFrame, encodeFrame } from './frame-codec.ts';
import { Head } from './head/head.ts';
import { mergeStacks, selectionSize, selectSeries, selectTotals, tenantStats } from './head/head-reader.ts';
import type { TenantHead } from './head/tenant-head.ts';
import type { Log } from './log.ts';
import { registerHeadMetrics, walMetrics } from './storage-metrics.ts';
import type {
  Pace,
  SampleFilter,
  SelectionSize,
  SeriesSelection,
  SeriesTotals,
  Store,
  TenantStats,
} from './store.ts';
import { storedPayload } from './wal/payload.ts';
import { DEFAULT_WAL_LIMITS, Wal, type WalLimits } from './wal/wal.ts';

export interface LocalStoreOptions {
  readonly dataDir: string;
  /** Beyond it profiles are refused. What the WAL holds is loaded in any case. */
  readonly headMaxBytes: number;
  readonly walLimits?: Partial<WalLimits>;
  /** Called when writing begins to fail, with the reason, and with undefined when it works again. */
  readonly onStateChange: (failure: string | undefined) => void;
  readonly registry: Registry;
  readonly log: Log;
}

const WAL_DIRECTORY = 'wal';
const EMPTY_SIZE: SelectionSize = { series: 0, profiles: 0, samples: 0, bytes: 0 };

export class LocalStore implements Store {
  readonly #directory: DataDir;
  readonly #wal: Wal;
  readonly #head: Head;

  private constructor(directory: DataDir, wal: Wal, head: Head) {
    this.#directory = directory;
    this.#wal = wal;
    this.#head = head;
  }

  /** Locks the directory and replays the WAL.
   * @throws HearthscopeError failed_precondition when the directory is unwritable, locked, or of an unknown version */
  static async open(options: LocalStoreOptions): Promise<LocalStore> {
    const { dataDir, headMaxBytes, walLimits, registry, log } = options;
    const directory = DataDir.open(dataDir);
    try {
      const head = new Head(headMaxBytes);
      registerHeadMetrics(registry, () => head.size(), headMaxBytes);
      const startedAt = performance.now();
      head.budget.enforced = false;
      const { wal, replay } = await Wal.open({
        directory: directory.subdirectory(WAL_DIRECTORY),
        limits: { ...DEFAULT_WAL_LIMITS, ...walLimits },
        onFrame: (payload) => {
          const { tenant, ...profile } = decodeFrame(payload);
          head.reserve(tenant, [profile]).commit();
        },
        onStateChange: options.onStateChange,
        metrics: walMetrics(registry),
        log,
      });
      head.budget.enforced = true;
      const millis = Math.round(performance.now() - startedAt);
      log.info({ ...replay, millis }, 'the WAL was replayed');
      if (head.budget.usedBytes > headMaxBytes) {
        log.warn(
          { headBytes: head.budget.usedBytes, headMaxBytes },
          'what the WAL holds is more than the head may grow to; profiles are refused',
        );
      }
      return new LocalStore(directory, wal, head);
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  async append(tenant: string, profiles: readonly NormalisedProfile[]): Promise<void> {
    const reservation = this.#head.reserve(tenant, profiles);
    try {
      await this.#wal.append(profiles.map((profile) => storedPayload(encodeFrame({ tenant, ...profile }))));
    } catch (error) {
      reservation.release();
      throw error;
    }
    reservation.commit();
  }

  async series(tenant: string, selection: SeriesSelection): Promise<LabelSet[]> {
    return this.#read(tenant, [], (head) => selectSeries(head, selection));
  }

  async totals(tenant: string, selection: SeriesSelection): Promise<SeriesTotals[]> {
    return this.#read(tenant, [], (head) => selectTotals(head, selection));
  }

  async mergeStacks(
    tenant: string,
    selection: SeriesSelection,
    filter: SampleFilter,
    pace: Pace,
  ): Promise<Profile | undefined> {
    return this.#read(tenant, undefined, (head) => pace.run(mergeStacks(head, selection, filter)));
  }

  async size(tenant: string, selection: SeriesSelection): Promise<SelectionSize> {
    return this.#read(tenant, EMPTY_SIZE, (head) => selectionSize(head, selection));
  }

  async stats(tenant: string): Promise<TenantStats> {
    return this.#read(tenant, { profiles: 0, range: undefined }, tenantStats);
  }

  /** Waits for what is being written, then gives the directory up. */
  async close(): Promise<void> {
    await this.#wal.close();
    this.#directory.close();
  }

  #read<Answer>(
    tenant: string,
    empty: Answer,
    read: (head: TenantHead) => Answer | Promise<Answer>,
  ): Answer | Promise<Answer> {
    const head = this.#head.tenant(tenant);
    return head === undefined ? empty : read(head);
  }
}
