// SPDX-License-Identifier: Apache-2.0
//
// The message of Prometheus remote write 1.0: prometheus.WriteRequest, compressed in Snappy's block format.

import type { LabelSet } from '@hearthscope/profile/labels';
import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';
import { compress } from 'snappyjs';

/** A series with one sample. */
export interface WrittenSeries {
  /** Sorted by name, with `__name__`. */
  readonly labels: LabelSet;
  readonly value: number;
}

const WRITE_REQUEST_TIMESERIES = 1;
const TIME_SERIES_LABELS = 1;
const TIME_SERIES_SAMPLES = 2;
const LABEL_NAME = 1;
const LABEL_VALUE = 2;
const SAMPLE_VALUE = 1;
const SAMPLE_TIMESTAMP = 2;

/** @param timestampMillis of all samples */
export function encodeWriteRequest(series: readonly WrittenSeries[], timestampMillis: number): Uint8Array {
  const writer = new ProtobufWriter();
  for (const { labels, value } of series) {
    writer.message(WRITE_REQUEST_TIMESERIES, () => {
      for (const label of labels) {
        writer.message(TIME_SERIES_LABELS, () => {
          writer.string(LABEL_NAME, label.name);
          writer.string(LABEL_VALUE, label.value);
        });
      }
      writer.message(TIME_SERIES_SAMPLES, () => {
        writer.presentDouble(SAMPLE_VALUE, value);
        writer.int64(SAMPLE_TIMESTAMP, BigInt(timestampMillis));
      });
    });
  }
  return compress(writer.finish());
}
