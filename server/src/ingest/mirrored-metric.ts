// SPDX-License-Identifier: Apache-2.0
//
// A metric that lives in the worker, shown in the registry of the main thread. It is asked for when it is scraped.

import { Gauge, type Registry } from 'prom-client';
import type { MetricSnapshot } from './engine-protocol.ts';

/** Shows whatever kind of metric the worker has: a registry prints what `get` gives it. */
export class MirroredMetric extends Gauge {
  readonly #read: () => Promise<MetricSnapshot>;

  constructor(metric: MetricSnapshot, registry: Registry, read: () => Promise<MetricSnapshot>) {
    super({ name: metric.name, help: metric.help, registers: [registry] });
    this.#read = read;
  }

  override async get(): ReturnType<Gauge['get']> {
    return { ...(await this.#read()), collect: () => undefined };
  }
}
