// SPDX-License-Identifier: Apache-2.0
//
// Which sources a profile was made from. Clients say it in labels; Grafana reads it back from the build ids of the
// mappings, as JSON, to show the code of a function.

import type { Label } from '@hearthscope/profile/labels';
import type { MappingTable, Profile } from '@hearthscope/profile/profile';

/** The JSON of a version has these fields in this order, and none that is empty. */
const FIELD_OF_LABEL = [
  ['service_repository', 'repository'],
  ['service_git_ref', 'git_ref'],
  [undefined, 'build_id'],
  ['service_root_path', 'root_path'],
] as const;

/** Puts the version that the labels tell, if they do, into the build id of each mapping. Locations without one get a
 * mapping for it. */
export function withServiceVersion(profile: Profile, labels: readonly Label[]): Profile {
  const labelOf = (wanted: string) => labels.find(({ name }) => name === wanted)?.value ?? '';
  const isTold = FIELD_OF_LABEL.some(([label]) => label !== undefined && labelOf(label) !== '');
  if (!isTold) return profile;
  const strings = [...profile.strings];
  const versionOf = (buildId: string): number => {
    const fields = FIELD_OF_LABEL.map(
      ([label, field]) => [field, label === undefined ? buildId : labelOf(label)] as const,
    );
    return strings.push(JSON.stringify(Object.fromEntries(fields.filter(([, value]) => value !== '')))) - 1;
  };
  const mappings = withUnnamedMapping(profile.mappings);
  const unnamed = mappings.length - 1;
  for (let row = 1; row < mappings.length; row++) {
    mappings.buildId[row] = versionOf(strings[mappings.buildId[row]!]!);
  }
  return {
    ...profile,
    strings,
    mappings,
    locations: {
      ...profile.locations,
      mapping: profile.locations.mapping.map((row) => (row === 0 ? unnamed : row)),
    },
  };
}

/** A copy with one row more, which is empty but may have a build id, unlike row 0. */
function withUnnamedMapping(table: MappingTable): MappingTable {
  const longer64 = (column: BigUint64Array) => BigUint64Array.from([...column, 0n]);
  const longer32 = (column: Uint32Array) => Uint32Array.from([...column, 0]);
  return {
    length: table.length + 1,
    start: longer64(table.start),
    limit: longer64(table.limit),
    fileOffset: longer64(table.fileOffset),
    filename: longer32(table.filename),
    buildId: longer32(table.buildId),
  };
}
