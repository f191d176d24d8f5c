// SPDX-License-Identifier: Apache-2.0
//
// A label set names a series. It is kept sorted by name in code-unit order, so that equal sets have equal keys.

export interface Label {
  readonly name: string;
  readonly value: string;
}

/** Sorted by name, names unique, no empty values. Build it with {@link labelSet}. */
export type LabelSet = readonly Label[];

/** Labels the storage derives from the profile's type; users select on them but do not set them. */
export const ProfileTypeLabels = {
  name: '__name__',
  profileType: '__profile_type__',
  type: '__type__',
  unit: '__unit__',
  periodType: '__period_type__',
  periodUnit: '__period_unit__',
} as const;

export const SERVICE_NAME_LABEL = 'service_name';

/** Sorts, drops empty values (an empty value means "no such label"), and lets the first of equal names win. */
export function labelSet(labels: Iterable<Label>): LabelSet {
  const first = new Map<string, string>();
  for (const { name, value } of labels) {
    if (value !== '' && !first.has(name)) first.set(name, value);
  }
  return [...first]
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** A string that is equal exactly when the label sets are. */
export function labelSetKey(labels: LabelSet): string {
  return labels.map(({ name, value }) => `${name.length}:${name}${value.length}:${value}`).join('');
}

/** The value of a label, or '' when the set does not have it. */
export function labelValue(labels: LabelSet, name: string): string {
  return labels.find((label) => label.name === name)?.value ?? '';
}

/** `{a="b", c="d"}`, for logs and error messages. */
export function formatLabelSet(labels: LabelSet): string {
  return `{${labels.map(({ name, value }) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}
