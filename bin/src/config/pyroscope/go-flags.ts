// SPDX-License-Identifier: Apache-2.0
//
// Command lines that were written for Pyroscope: `-server.http-listen-port=4040`, one dash or two, `-flag=value` or
// `-flag value`, switches without a value, and no command, or `server` anywhere. They are taken out of the arguments, so
// that what is left is a command line of ours.

import { suggestion } from '@hearthscope/profile/nearest';
import { UsageError } from '../../exit-codes.ts';
import { flagNames, keyOfFlag } from './known-keys.ts';

export interface GoFlag {
  /** Without dashes. */
  readonly name: string;
  /** `true` for a switch without a value. */
  readonly value: string;
}

export interface GoCommandLine {
  /** The arguments that are not Pyroscope's, beginning with the command. */
  readonly args: readonly string[];
  readonly flags: readonly GoFlag[];
}

const FLAG = /^(--?)([A-Za-z][\w-]*(?:\.[\w.-]+)?)(?:=(.*))?$/s;
/** Flags of the program itself and what they are called here. */
const PROGRAM_FLAGS: Readonly<Record<string, readonly string[]>> = {
  version: ['version'],
  help: ['server', '--help'],
  h: ['server', '--help'],
  'help-all': ['server', '--help'],
  modules: ['modules'],
};
const FILE_FLAGS: readonly string[] = ['config.file', 'config.expand-env'];
/** The commands that take such flags, where no other use of a single dash is known. */
const TAKERS: readonly string[] = ['server', 'up', 'collector'];

/** @param commands the names of all commands
 * @throws UsageError for a flag that nobody knows, or that lacks its value */
export function splitGoFlags(argv: readonly string[], commands: readonly string[]): GoCommandLine {
  const isOurs = argv.length === 0 || (commands.includes(argv[0]!) && !TAKERS.includes(argv[0]!));
  if (isOurs || !argv.some((argument) => isGoFlag(argument))) return { args: argv, flags: [] };
  const flags: GoFlag[] = [];
  const args: string[] = [];
  let command: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    const match = FLAG.exec(argument);
    if (match === null || !isGoFlag(argument)) {
      if (command === undefined && TAKERS.includes(argument)) command = argument;
      else args.push(argument);
      continue;
    }
    const [, , name, given] = match as unknown as [string, string, string, string?];
    const program = PROGRAM_FLAGS[name];
    if (program !== undefined) return { args: program, flags: [] };
    const known = keyOfFlag(name);
    const isFileFlag = FILE_FLAGS.includes(name);
    if (known === undefined && !isFileFlag) {
      throw new UsageError(
        `unknown flag -${name}${suggestion(name, [...flagNames(), ...FILE_FLAGS, ...Object.keys(PROGRAM_FLAGS)], '-')}`,
      );
    }
    const isSwitch = name === 'config.expand-env' || known?.isSwitch === true;
    let value = given ?? (isSwitch ? 'true' : undefined);
    if (value === undefined) {
      const next = argv[index + 1];
      const hasValue = next !== undefined && !next.startsWith('-') && !TAKERS.includes(next);
      if (hasValue) index++;
      // Of a flag without effect nobody knows here whether it is a switch.
      else if (known?.isHonoured !== false) throw new UsageError(`the flag -${name} needs a value`);
      value = hasValue ? next : '';
    }
    flags.push({ name, value });
  }
  return { args: [command ?? 'server', ...args], flags };
}

/** Names with a dot are Pyroscope's, and so is what has one dash and more than one letter. */
function isGoFlag(argument: string): boolean {
  const match = FLAG.exec(argument);
  if (match === null) return false;
  const [, dashes, name] = match as unknown as [string, string, string];
  if (name.includes('.') || (dashes === '-' && (name.length > 1 || name === 'h'))) return true;
  return keyOfFlag(name) !== undefined;
}
