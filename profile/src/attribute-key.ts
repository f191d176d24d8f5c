// SPDX-License-Identifier: Apache-2.0

import type { Attribute } from './profile.ts';

/** A string that is equal exactly when key, unit, value and the value's type are: "1" and 1n are different values. */
export function attributeKey({ key, value, unit }: Attribute): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return `${typeof value}:${key.length}:${key}${unit.length}:${unit}${text}`;
}
