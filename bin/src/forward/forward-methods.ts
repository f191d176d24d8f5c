// SPDX-License-Identifier: Apache-2.0
//
// What the collector's main thread, which has the doors, asks of the thread that decodes and sends on.

import type { LimitsConfig } from '@hearthscope/collector/limits/tenant-limits';
import type { MetricSnapshot } from '@hearthscope/server/ingest/engine-protocol';
import type { ReceiverService } from '@hearthscope/server/receivers/receiver-context';
import type { ForwardConfiguration } from '../config/configuration-types.ts';

export interface ForwardMethods extends Omit<ReceiverService, 'readiness'> {
  setLimits(limits: LimitsConfig): Promise<void>;
  metrics(): Promise<MetricSnapshot[]>;
  /** Lets go of the connections; nothing may be asked after it. */
  stop(): Promise<void>;
}

/** Crosses to the thread when it starts. */
export interface ForwardWorkerData {
  readonly forward: ForwardConfiguration;
  readonly indexedAttributes: readonly string[];
  readonly limits: LimitsConfig;
}
