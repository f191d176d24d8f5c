// SPDX-License-Identifier: Apache-2.0
//
// How a key of Grafana Pyroscope's configuration is described: what it means here, or why it means nothing.

import type { UsageError } from '../../exit-codes.ts';
import type { Command } from '../schema/setting-schema.ts';

/** What a key's value turns into. */
export interface KeySink {
  readonly command: Command;
  /** A value for one of our own settings, by its path.
   * @throws UsageError when it is not one that the setting takes */
  set(setting: string, value: unknown): void;
  /** A value for a key of the `limits` section.
   * @throws UsageError */
  limit(key: string, value: unknown): void;
  /** Says that the key has no effect, or not the whole one. The text follows the key's name: `… is ignored: …`. */
  warn(text: string): void;
  /** The error of a value that is something else. */
  refused(expected: string): UsageError;
}

export interface PyroscopeKey {
  /** Where it stands in the file, with dots between. */
  readonly key: string;
  /** As a flag in Go's spelling, without the dash; undefined when there is none. */
  readonly flag: string | undefined;
  /** A flag that needs no value. */
  readonly isSwitch: boolean;
  /** For the documentation: the setting or what happens. */
  readonly means: string;
  readonly isHonoured: boolean;
  readonly apply: (value: unknown, sink: KeySink) => void;
}

interface KeyOptions {
  readonly isSwitch?: boolean;
  readonly means?: string;
}

/** A key with a counterpart of ours. `convert` gives undefined where the value says nothing. */
export function sets(
  key: string,
  flag: string | undefined,
  setting: string,
  convert: (value: unknown) => unknown = (value) => value,
  { isSwitch = false, means = `\`${setting}\`` }: KeyOptions = {},
): PyroscopeKey {
  const apply = (value: unknown, sink: KeySink): void => {
    const converted = convert(value);
    if (converted !== undefined) sink.set(setting, converted);
  };
  return { key, flag, isSwitch, means, isHonoured: true, apply };
}

/** A flag for a key of `limits`. */
export function limits(key: string, flag: string, isSwitch = false): PyroscopeKey {
  const apply = (value: unknown, sink: KeySink): void => sink.limit(key, value);
  return { key: `limits.${key}`, flag, isSwitch, means: `\`limits.${key}\``, isHonoured: true, apply };
}

export function honoured(
  key: string,
  flag: string | undefined,
  means: string,
  apply: (value: unknown, sink: KeySink) => void,
): PyroscopeKey {
  return { key, flag, isSwitch: false, means, isHonoured: true, apply };
}

/** A key, with everything beneath it, that is read and warned about.
 * @param because completes "ignored: …"
 * @param already the value with which nothing has to be said, as it is what happens anyway */
export function ignored(
  key: string,
  flag: string | undefined,
  because: string,
  already?: unknown,
  isSwitch = false,
): PyroscopeKey {
  const apply = (value: unknown, sink: KeySink): void => {
    if (already === undefined || String(value) !== String(already)) sink.warn(`is ignored: ${because}`);
  };
  const means = `ignored: ${because}${already === undefined ? '' : ` (\`${String(already)}\` is what happens anyway)`}`;
  return { key, flag, isSwitch, means, isHonoured: false, apply };
}
