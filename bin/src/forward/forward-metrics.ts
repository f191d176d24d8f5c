// SPDX-License-Identifier: Apache-2.0

import type { ForwardObserver } from '@hearthscope/collector/forward/forwarder';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Counters of what is sent on and what is not. */
export function forwardMetrics(registry: Registry, queuedBytes: () => number): ForwardObserver {
  const registers = [registry];
  const sent = new Counter({
    name: 'hearthscope_forward_requests_total',
    help: 'Requests that the receiver behind has taken.',
    registers,
  });
  const sentBytes = new Counter({
    name: 'hearthscope_forward_sent_bytes_total',
    help: 'Bytes of requests that the receiver behind has taken, before compression.',
    registers,
  });
  const retries = new Counter({
    name: 'hearthscope_forward_retries_total',
    help: 'Attempts that failed and were worth another one, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const lost = new Counter({
    name: 'hearthscope_forward_lost_profiles_total',
    help: 'Profiles that the receiver behind has not taken, by reason. Their senders were told, unless the reason is count_beside_time or *_too_large.',
    labelNames: ['reason'],
    registers,
  });
  new Gauge({
    name: 'hearthscope_forward_queued_bytes',
    help: 'Bytes of requests that are on their way to the receiver behind.',
    registers,
    collect() {
      this.set(queuedBytes());
    },
  });
  return {
    onSent: (bodyBytes) => {
      sent.inc();
      sentBytes.inc(bodyBytes);
    },
    onRetry: (reason) => retries.inc({ reason }),
    onLost: (reason, profiles) => lost.inc({ reason }, profiles),
  };
}
