// SPDX-License-Identifier: Apache-2.0
//
// Who may import whom. One direction only: what data reaches later is never imported by what it passes earlier.

import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { moduleUsage } from './module-usage.ts';

export interface Room {
  /** Folder, from the root of the repository. */
  readonly folder: string;
  readonly packageName: string;
  /** Package names of ours that it may import. */
  readonly mayImport: readonly string[];
  /** Third-party packages of its package.json. */
  readonly dependencies: readonly string[];
}

const PROFILE = '@hearthscope/profile';
const NATIVE = '@hearthscope/native';
const AGENT = '@hearthscope/agent';
const COLLECTOR = '@hearthscope/collector';
const SERVER = '@hearthscope/server';
const CLI = 'hearthscope';

/** Folder to package name and what it may import of ours. */
export const ROOMS: readonly Omit<Room, 'dependencies'>[] = [
  { folder: 'profile', packageName: PROFILE, mayImport: [] },
  { folder: 'native', packageName: NATIVE, mayImport: [] },
  { folder: 'agent', packageName: AGENT, mayImport: [PROFILE, NATIVE] },
  { folder: 'collector', packageName: COLLECTOR, mayImport: [PROFILE] },
  { folder: 'server/ui', packageName: '@hearthscope/ui', mayImport: [PROFILE] },
  { folder: 'server', packageName: SERVER, mayImport: [PROFILE, COLLECTOR] },
  { folder: 'bin', packageName: CLI, mayImport: [PROFILE, NATIVE, AGENT, COLLECTOR, SERVER] },
];

const OURS = new Set(ROOMS.map(({ packageName }) => packageName));

/** All that pure code may use of Node: neither of them does I/O or keeps time. */
const PURE_BUILTINS: readonly string[] = ['node:buffer', 'node:crypto', 'node:util', 'node:zlib'];
const IMPURE_GLOBALS: readonly string[] = [
  'process',
  'fetch',
  'WebSocket',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'console',
];
/** Only the command line reads arguments and environment, and only it ends the process. */
const CLI_ONLY_PROCESS_MEMBERS: readonly string[] = [
  'argv',
  'env',
  'exit',
  'abort',
  'reallyExit',
  'exitCode',
];

/** The violations of one file, each a sentence that begins with the file's path.
 * @param path from the root of the repository */
export function violations(path: string, source: string, room: Room): string[] {
  const usage = moduleUsage(source, path);
  const isTest = /\.(test|test-support)\.tsx?$/.test(path) || path.includes('/testing/');
  const found = usage.specifiers.flatMap((specifier) => importViolation(path, specifier, room, isTest) ?? []);
  if (usage.computedImports > 0 && !isTest) found.push('imports a module by a computed name');
  if (!isTest && room.folder === 'profile') {
    for (const name of IMPURE_GLOBALS) if (usage.globals.has(name)) found.push(`uses ${name}, but is pure`);
  }
  if (!isTest && room.packageName !== CLI) {
    for (const member of CLI_ONLY_PROCESS_MEMBERS) {
      if (usage.processMembers.has(member))
        found.push(`uses process.${member}, which only the command line may`);
    }
  }
  return found.map((violation) => `${path} ${violation}`);
}

function importViolation(path: string, specifier: string, room: Room, isTest: boolean): string | undefined {
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(path), specifier));
    return target.startsWith(`${room.folder}/`) ? undefined : `reaches into ${target} by a relative path`;
  }
  if (isBuiltin(specifier)) return builtinViolation(specifier, room, isTest);
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (OURS.has(name)) {
    if (name === room.packageName) return `imports its own package by name: ${specifier}`;
    return room.mayImport.includes(name) ? undefined : `imports ${specifier}, which ${room.folder} may not`;
  }
  // Tests may use what the repository has for all tests.
  if (isTest || room.dependencies.includes(name)) return undefined;
  return `imports ${name}, which ${room.folder}/package.json does not name`;
}

function builtinViolation(specifier: string, room: Room, isTest: boolean): string | undefined {
  if (!specifier.startsWith('node:')) return `imports ${specifier} without node:`;
  if (isTest) return undefined;
  if (room.folder === 'profile' && !PURE_BUILTINS.includes(specifier))
    return `imports ${specifier}, but is pure`;
  if (room.folder === 'server/ui') return `imports ${specifier}, but runs in a browser`;
  return undefined;
}
