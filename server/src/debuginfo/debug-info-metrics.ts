// SPDX-License-Identifier: Apache-2.0
//
// What is counted of uploads and of the files they leave.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { UploadReason } from './upload-refusal.ts';

export interface DebugInfoMetrics {
  readonly uploads: Counter<'result'>;
  readonly receivedBytes: Counter;
  readonly removals: Counter<'reason'>;
}

/** Results of an upload that was not refused. */
export type UploadResult = 'stored' | 'already_there' | UploadReason;

/** Why files were removed. */
export type RemovalReason = 'total_bytes' | 'too_many' | 'deleted' | 'incomplete' | 'unreadable_metadata';

export function debugInfoMetrics(
  registry: Registry,
  state: () => { readonly bytes: number; readonly files: number; readonly uploading: number },
): DebugInfoMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `hearthscope_debuginfo_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('stored_bytes', 'Bytes of the debug information kept.', () => state().bytes);
  gauge('stored_files', 'Files of debug information kept.', () => state().files);
  gauge('uploads_in_flight', 'Uploads that are being received.', () => state().uploading);
  return {
    uploads: new Counter({
      name: 'hearthscope_debuginfo_uploads_total',
      help: 'Uploads of debug information, by what became of them.',
      labelNames: ['result'],
      registers,
    }),
    receivedBytes: new Counter({
      name: 'hearthscope_debuginfo_received_bytes_total',
      help: 'Bytes of uploads, after decompression.',
      registers,
    }),
    removals: new Counter({
      name: 'hearthscope_debuginfo_removals_total',
      help: 'Files of debug information removed, by reason.',
      labelNames: ['reason'],
      registers,
    }),
  };
}
