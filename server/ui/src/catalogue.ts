// SPDX-License-Identifier: Apache-2.0
//
// What there is to pick from: services, and the profile types that each has.

import type { CatalogueEntry } from './api/querier.ts';

/** `worker-9` comes before `worker-10`. */
const byText = new Intl.Collator('en', { numeric: true });
const PREFERRED_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

export interface Catalogue {
  /** Sorted, without doubles. */
  readonly services: readonly string[];
  /** Profile type ids of one service, or of all of them for ''; sorted, the preferred one first. */
  profileTypes(service: string): readonly string[];
}

export function catalogueOf(entries: readonly CatalogueEntry[]): Catalogue {
  const typesByService = new Map<string, Set<string>>();
  const allTypes = new Set<string>();
  for (const { service, profileTypeId } of entries) {
    if (profileTypeId === '') continue;
    allTypes.add(profileTypeId);
    const types = typesByService.get(service) ?? new Set();
    typesByService.set(service, types.add(profileTypeId));
  }
  return {
    services: [...typesByService.keys()].filter((service) => service !== '').sort(byText.compare),
    profileTypes: (service) =>
      [...(service === '' ? allTypes : (typesByService.get(service) ?? []))].sort(
        (a, b) => Number(b === PREFERRED_TYPE) - Number(a === PREFERRED_TYPE) || (a < b ? -1 : 1),
      ),
  };
}

/** The type to show: the wanted one even when the service has none of it now, else the first. '' when there is none. */
export function chooseProfileType(catalogue: Catalogue, service: string, wanted: string): string {
  if (wanted !== '') return wanted;
  return catalogue.profileTypes(service)[0] ?? catalogue.profileTypes('')[0] ?? '';
}
