// SPDX-License-Identifier: Apache-2.0
//
// Sorts the rows of a batch by service: one profile per distinct resource, however many processes it has.

import type { Attribute, ResourceProfile } from '@hearthscope/profile/profile';
import type { ServiceIdentity } from '../discovery/service-name.ts';
import type { ResolvedBatch } from './batch-resolver.ts';
import { ProfileAssembler } from './profile-assembler.ts';

export const SCOPE_NAME = 'hearthscope-agent';

/**
 * @param hostAttributes of every resource, `host.name` among them
 * @returns no profile without samples; services in order of their first sample
 */
export function buildResourceProfiles(
  resolved: ResolvedBatch,
  hostAttributes: readonly Attribute[],
): ResourceProfile[] {
  const { batch } = resolved;
  const timing = {
    startUnixNanos: batch.startUnixNanos,
    durationNanos: batch.endUnixNanos - batch.startUnixNanos,
    frequencyHz: batch.frequencyHz,
  };
  const rowsByResource = new Map<string, { identity: ServiceIdentity; rows: number[] }>();
  for (let row = 0; row < batch.length; row++) {
    const { identity } = resolved.images[row]!;
    const key = resourceKey(identity);
    const entry = rowsByResource.get(key);
    if (entry === undefined) rowsByResource.set(key, { identity, rows: [row] });
    else entry.rows.push(row);
  }
  const profiles: ResourceProfile[] = [];
  for (const { identity, rows } of rowsByResource.values()) {
    const resource = { attributes: resourceAttributes(identity, hostAttributes) };
    const assembler = new ProfileAssembler(timing, { cpuTime: false });
    for (const row of rows) assembler.add(resolved, row);
    profiles.push({
      resource,
      scopeName: SCOPE_NAME,
      scopeVersion: '',
      scopeAttributes: [],
      profile: assembler.build(),
    });
  }
  return profiles;
}

function resourceKey({ serviceName, attributes }: ServiceIdentity): string {
  return attributes.length === 0 ? serviceName : JSON.stringify([serviceName, attributes]);
}

/** A process's own attribute of the same name goes before the host's. */
function resourceAttributes(identity: ServiceIdentity, hostAttributes: readonly Attribute[]): Attribute[] {
  const own: Attribute[] = [{ key: 'service.name', value: identity.serviceName, unit: '' }];
  for (const [key, value] of identity.attributes) own.push({ key, value, unit: '' });
  const keys = new Set(own.map(({ key }) => key));
  return [...own, ...hostAttributes.filter(({ key }) => !keys.has(key))];
}
