// SPDX-License-Identifier: Apache-2.0
//
// What the sources of a configuration have said so far. A later source overwrites an earlier one; within one source, two
// keys that mean the same setting and differ are worth a warning.

import { UsageError } from '../exit-codes.ts';
import type { KeySink, PyroscopeKey } from './pyroscope/pyroscope-key.ts';
import type { Command } from './schema/setting-schema.ts';
import { checkSetting, printValue, settingByPath, settingFromText } from './settings.ts';

export interface GivenLimit {
  readonly value: unknown;
  /** What messages begin with: `hearthscope.yml:3: `. */
  readonly place: string;
}

export class GatheredSettings {
  /** By setting path. */
  readonly values = new Map<string, unknown>();
  /** By key of `limits`. */
  readonly limits = new Map<string, GivenLimit>();
  readonly warnings: string[] = [];
  readonly command: Command;

  constructor(command: Command) {
    this.command = command;
  }

  /** Where one of Pyroscope's keys, found in this place, puts what it means.
   * @param where what a message begins with; it names the key
   * @param isText whether values are texts of a flag or a variable, and not of a file
   * @param setBy what has set which setting in the same source */
  sink(where: string, isText: boolean, setBy: Map<string, string>): KeySink {
    return {
      command: this.command,
      set: (path, given) => {
        const setting = settingByPath.get(path)!;
        const value = isText && typeof given === 'string' ? settingFromText(setting, given, where) : given;
        checkSetting(setting, value, where);
        this.#note(path, value, where, setBy);
        this.values.set(path, value);
      },
      limit: (key, value) => this.limits.set(key, { value, place: `${where}: ` }),
      warn: (text) => this.warnings.push(`${where} ${text}`),
      refused: (expected) => new UsageError(`${where}: expected ${expected}`),
    };
  }

  apply(
    key: PyroscopeKey,
    value: unknown,
    where: string,
    { isText, setBy }: { readonly isText: boolean; readonly setBy: Map<string, string> },
  ): void {
    key.apply(value, this.sink(where, isText, setBy));
  }

  /** A value of one of our own settings, checked already. */
  setOwn(path: string, value: unknown, where: string, setBy: Map<string, string>): void {
    this.#note(path, value, where, setBy);
    this.values.set(path, value);
  }

  #note(path: string, value: unknown, where: string, setBy: Map<string, string>): void {
    const before = setBy.get(path);
    if (before !== undefined && printValue(this.values.get(path)) !== printValue(value)) {
      this.warnings.push(`${before} is ignored: ${where} says something else`);
    }
    setBy.set(path, where);
  }
}
