// SPDX-License-Identifier: Apache-2.0
//
// Names of usage groups: a text that may hold `${labels.NAME}`, for which the value of a label stands.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** The group of profiles that belong to no other. */
export const OTHER_GROUP = 'other';

const PLACEHOLDER_START = '${labels.';
const PLACEHOLDER = /\$\{labels\.([^}]*)\}/g;

/** Whether the name depends on the labels. A name that does not is more specific than one that does. */
export function isTemplate(name: string): boolean {
  return name.includes(PLACEHOLDER_START);
}

/** @throws HearthscopeError invalid_argument */
export function checkGroupName(name: string, where: string): void {
  const refuse = (what: string) => new HearthscopeError('invalid_argument', `${where}: ${what}`);
  if (name === '') throw refuse('usage group name cannot be empty');
  if (name === OTHER_GROUP) throw refuse(`usage group name ${JSON.stringify(name)} is reserved`);
  if (name.replace(PLACEHOLDER, '').includes(PLACEHOLDER_START)) {
    throw refuse(`failed to parse template for usage group ${JSON.stringify(name)}: unclosed placeholder`);
  }
  for (const [, label] of name.matchAll(PLACEHOLDER)) {
    if (label === '') {
      throw refuse(
        `failed to parse template for usage group ${JSON.stringify(name)}: empty label name in placeholder`,
      );
    }
  }
}

/** @returns undefined when a label that the name needs is not there */
export function resolveGroupName(name: string, valueOfLabel: (label: string) => string): string | undefined {
  let isComplete = true;
  const resolved = name.replace(PLACEHOLDER, (_, label: string) => {
    const value = valueOfLabel(label);
    if (value === '') isComplete = false;
    return value;
  });
  return isComplete ? resolved : undefined;
}
