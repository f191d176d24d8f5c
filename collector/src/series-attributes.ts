// SPDX-License-Identifier: Apache-2.0
//
// Which attributes become labels. A label makes a series, so what has a new value for each process, thread or build is
// never one: it stays an attribute of the profile or the sample, where it can be searched and costs no series.
//
// What a resource says of itself is a label otherwise, as with Pyroscope: people select by it. What single samples say is
// one only where it is known to have few values, or where the operator asks for it.

import { type Label, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { Attribute, Profile, ResourceProfile } from '@hearthscope/profile/profile';

export const SERVICE_NAME_ATTRIBUTE = 'service.name';
const EXECUTABLE_NAME_ATTRIBUTE = 'process.executable.name';
const SCOPE_NAME_ATTRIBUTE = 'otel.scope.name';
const SCOPE_VERSION_ATTRIBUTE = 'otel.scope.version';
/** The service of profiles that name none. */
export const UNKNOWN_SERVICE = 'unknown_service';

/** Labels wherever they stand. */
const ALWAYS: readonly string[] = [SERVICE_NAME_ATTRIBUTE, 'host.name', 'container.name'];

/** Names that people give (k8s.pod.name, k8s.namespace.name, …), not uids, which differ with every restart. */
const KUBERNETES_NAME = /^k8s\.[a-z_]+\.name$/;

/** Of a resource: what differs from process to process, from start to start or from build to build. */
const UNBOUNDED =
  /^(?:process\.(?!runtime\.(?:name|version|description)$)|thread\.|telemetry\.|os\.build_id$|container\.(?:id|command|command_line|command_args|image\.id|image\.repo_digests)$|host\.(?:id|ip|mac)$|service\.instance\.id$|profiler?\.)|(?:^|\.)(?:uid|start_time|creation_time)$/;

/** The set of attribute names that become labels. */
export class IndexedAttributes {
  readonly #names: ReadonlySet<string>;

  /** @param configured what the operator adds */
  constructor(configured: readonly string[]) {
    this.#names = new Set([...ALWAYS, ...configured]);
  }

  /** Whether the attribute is a label even where it is a sample's. */
  has(name: string): boolean {
    return this.#names.has(name) || KUBERNETES_NAME.test(name);
  }

  /** Whether an attribute of a resource, a scope or a whole profile is a label. */
  hasOfResource({ key, value }: Attribute): boolean {
    return this.has(key) || (typeof value !== 'number' && !UNBOUNDED.test(key));
  }
}

/** Samples of one profile that belong to one series. */
export interface SeriesSamples {
  /** The indexed attributes that these samples carry themselves. */
  readonly attributes: readonly Attribute[];
  /** Rows of the profile's sample table, ascending. */
  readonly rows: readonly number[];
}

/** Groups the samples by their own indexed attributes, in order of first appearance. */
export function groupBySeries(profile: Profile, indexed: IndexedAttributes): SeriesSamples[] {
  const { samples, attributeSets } = profile;
  const groups = new Map<string, { attributes: readonly Attribute[]; rows: number[] }>();
  const groupOfSet = new Map<number, { rows: number[] }>();
  for (let row = 0; row < samples.length; row++) {
    const set = samples.attributeSet[row]!;
    let group = groupOfSet.get(set);
    if (group === undefined) {
      const attributes: Attribute[] = [];
      for (let i = attributeSets.attributeStart[set]!; i < attributeSets.attributeStart[set + 1]!; i++) {
        const attribute = profile.attributes[attributeSets.attribute[i]!]!;
        if (indexed.has(attribute.key)) attributes.push(attribute);
      }
      attributes.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      const key = JSON.stringify(attributes.map(({ key, value }) => [key, String(value)]));
      const known = groups.get(key);
      group = known ?? { attributes, rows: [] };
      if (known === undefined) groups.set(key, group as { attributes: Attribute[]; rows: number[] });
      groupOfSet.set(set, group);
    }
    group.rows.push(row);
  }
  return [...groups.values()];
}

/** The labels of a series and the attributes of the profile that is left. */
export interface SeriesIdentity {
  /** `service_name` is always among them; no name is there twice and no value is empty. */
  readonly labels: readonly Label[];
  readonly profileAttributes: readonly Attribute[];
}

/** Takes the labels from the samples, else the profile, else the resource, else the scope: the first that has a name
 * wins. What is not indexed becomes an attribute of the profile, under the same rule. */
export function seriesIdentity(
  source: ResourceProfile,
  ofSamples: readonly Attribute[],
  indexed: IndexedAttributes,
): SeriesIdentity {
  const labels = new Map<string, string>();
  const kept = new Map<string, Attribute>();
  const scope: Attribute[] = [
    { key: SCOPE_NAME_ATTRIBUTE, value: source.scopeName, unit: '' },
    { key: SCOPE_VERSION_ATTRIBUTE, value: source.scopeVersion, unit: '' },
  ];
  const hasName = ({ key }: Attribute) => indexed.has(key);
  const hasOfResource = (attribute: Attribute) => indexed.hasOfResource(attribute);
  const layers: readonly [readonly Attribute[], (attribute: Attribute) => boolean][] = [
    [ofSamples, hasName],
    [source.profile.profileAttributes, hasName],
    [source.resource.attributes, hasOfResource],
    [source.scopeAttributes, hasOfResource],
    // Which library measured is not what anybody selects by.
    [scope, hasName],
  ];
  for (const [attributes, isLabel] of layers) {
    for (const attribute of attributes) {
      const { key, value } = attribute;
      if (value === '') continue;
      if (isLabel(attribute)) {
        const name = key === SERVICE_NAME_ATTRIBUTE ? SERVICE_NAME_LABEL : key;
        if (!labels.has(name)) labels.set(name, String(value));
      } else if (!kept.has(key)) {
        kept.set(key, attribute);
      }
    }
  }
  if (!labels.has(SERVICE_NAME_LABEL)) labels.set(SERVICE_NAME_LABEL, unknownService(kept));
  return {
    labels: [...labels].map(([name, value]) => ({ name, value })),
    profileAttributes: [...kept.values()],
  };
}

function unknownService(attributes: ReadonlyMap<string, Attribute>): string {
  const executable = attributes.get(EXECUTABLE_NAME_ATTRIBUTE);
  return executable === undefined ? UNKNOWN_SERVICE : `${UNKNOWN_SERVICE}:${executable.value}`;
}
