// SPDX-License-Identifier: Apache-2.0
//
// The labels of a profile that came through /ingest, whatever its format.

import { type Label, ProfileTypeLabels, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { IngestMetadata } from './ingest-metadata.ts';

const APP_NAME_LABEL = 'app_name';
/** What clients of Pyroscope may set among the labels that begin like its own. */
const SESSION_ID_LABEL = '__session_id__';
const RESERVED_PREFIX = '__';

/** `__name__`, what names the client, the labels of the application name without those that are reserved, and
 * `service_name`: the application, which is `app_name` when the client names the service itself.
 * @param extra labels that the format adds */
export function ingestLabels(
  metricName: string,
  { application, spyName }: Pick<IngestMetadata, 'application' | 'spyName'>,
  extra: readonly Label[] = [],
): Label[] {
  const own = application.labels.filter(
    ({ name }) => name === SESSION_ID_LABEL || !name.startsWith(RESERVED_PREFIX),
  );
  const has = (name: string) => own.some((label) => label.name === name);
  const labels: Label[] = [
    { name: ProfileTypeLabels.name, value: metricName },
    { name: '__delta__', value: 'false' },
    { name: 'pyroscope_spy', value: spyName },
    ...extra,
    ...own,
  ];
  if (!has(SERVICE_NAME_LABEL)) labels.push({ name: SERVICE_NAME_LABEL, value: application.name });
  else if (!has(APP_NAME_LABEL)) labels.push({ name: APP_NAME_LABEL, value: application.name });
  return labels;
}
