// SPDX-License-Identifier: Apache-2.0
//
// `-config.expand-env`: replaces references to variables in the text of a configuration file before it is read as YAML.
//
//   ${VAR}              the value, nothing when unset
//   ${VAR:-default}     the default when unset or empty; `-` alone: when unset. `:=` and `=` are the same here
//   ${VAR:?message}     an error when unset or empty; `?` alone: when unset
//   $${VAR}             ${VAR} as it stands

import { UsageError } from '../../exit-codes.ts';

const REFERENCE = /(\$?)\$\{([^}\n]*)\}/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?)([-=?])(.*))?$/;

/** @param path the file's name, for messages
 * @throws UsageError naming the line of a reference that cannot be understood or whose variable must be set */
export function expandEnvironment(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
  path: string,
): string {
  return text.replace(REFERENCE, (reference, prefix: string, inside: string, offset: number) => {
    if (prefix !== '') return reference.slice(1);
    const complaint = (what: string): UsageError =>
      new UsageError(`${path}:${text.slice(0, offset).split('\n').length}: ${what}`);
    const match = INSIDE.exec(inside);
    if (match === null)
      throw complaint(`${reference} is no reference to a variable such as \${NAME:-default}`);
    const [, name, colon, operator, argument] = match as unknown as [
      string,
      string,
      string?,
      string?,
      string?,
    ];
    const value = environment[name];
    if (value !== undefined && !(colon === ':' && value === '')) return value;
    if (operator === '?')
      throw complaint(argument ? `${name}: ${argument}` : `the variable ${name} is not set`);
    return argument ?? '';
  });
}
