// SPDX-License-Identifier: Apache-2.0
//
// What an operator has changed of a configuration.

type Block = Readonly<Record<string, unknown>>;

/** The keys of `running` whose values are not those of `defaults`; of blocks, what differs in them. */
export function configurationDifference(running: Block, defaults: Block): Record<string, unknown> {
  const difference: [string, unknown][] = [];
  for (const [key, value] of Object.entries(running)) {
    const usual = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
    if (isBlock(value) && isBlock(usual)) {
      const inner = configurationDifference(value, usual);
      if (Object.keys(inner).length > 0) difference.push([key, inner]);
    } else if (JSON.stringify(value) !== JSON.stringify(usual)) {
      difference.push([key, value]);
    }
  }
  return Object.fromEntries(difference);
}

function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
