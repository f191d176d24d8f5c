// SPDX-License-Identifier: Apache-2.0
//
// What tests ask of a built binary: the rule at an address, and where its symbols are.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type BuiltUnwindTable, buildUnwindTable } from '../build-unwind-table.ts';
import { decodeUnwindRule, type UnwindRule } from '../unwind-rule.ts';
import { isUnwindCommand, lookUpUnwindRule, unwindCommand } from '../unwind-table.ts';
import { elfAt } from './file-access.ts';

/** The table of a file that has one. */
export function tableOf(path: string, debugPath?: string): BuiltUnwindTable {
  const result = buildUnwindTable(elfAt(path), debugPath === undefined ? undefined : elfAt(debugPath));
  assert.ok(result !== undefined);
  return result;
}

/** The rule, or the name of the command, at an address. */
export function ruleAt({ table }: BuiltUnwindTable, address: number): UnwindRule | string {
  const found = lookUpUnwindRule(table, address);
  if (!isUnwindCommand(found)) return decodeUnwindRule(table.rules, found);
  return Object.entries(unwindCommand).find(([, value]) => value === found)?.[0] ?? `${found}`;
}

/** Addresses of symbols by name; a symbol that is not there throws. */
export function symbolsOf(path: string): (name: string) => number {
  const addresses = new Map<string, number>();
  for (const line of execFileSync('nm', [path], { encoding: 'utf8' }).split('\n')) {
    const [address, , name] = line.split(' ');
    if (name !== undefined) addresses.set(name, Number.parseInt(address!, 16));
  }
  return (name) => {
    const address = addresses.get(name);
    assert.ok(address !== undefined, `symbol ${name}`);
    return address;
  };
}
