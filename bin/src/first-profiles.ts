// SPDX-License-Identifier: Apache-2.0
//
// Finds out when a person who opens the page would see something, by asking the server what the page asks it.

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MILLIS = 250;
/** After this long it is asked for seldom: something is wrong, and the log says what. */
const EAGER_MILLIS = 60_000;
const PATIENT_POLL_MILLIS = 5000;
const REQUEST_TIMEOUT_MILLIS = 5000;

/** @param sinceMillis profiles older than this were there before
 * @returns how many services have profiles, or undefined when aborted */
export async function waitForFirstProfiles(
  url: string,
  sinceMillis: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  while (!signal.aborted) {
    const services = await serviceCount(url, sinceMillis, signal);
    if (services > 0) return services;
    const eager = Date.now() - sinceMillis < EAGER_MILLIS;
    await sleep(eager ? POLL_MILLIS : PATIENT_POLL_MILLIS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** 0 as well when the server does not answer: it may be about to be started again. */
async function serviceCount(url: string, sinceMillis: number, signal: AbortSignal): Promise<number> {
  try {
    const response = await fetch(`${url}/querier.v1.QuerierService/LabelValues`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'service_name', start: String(sinceMillis), end: String(Date.now()) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MILLIS)]),
    });
    const { names } = (await response.json()) as { names?: readonly string[] };
    return response.ok ? (names?.length ?? 0) : 0;
  } catch {
    return 0;
  }
}
