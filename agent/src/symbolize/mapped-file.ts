// SPDX-License-Identifier: Apache-2.0
//
// Opening the file behind a mapping of another process. The agent is root and the process is not trusted, so:
//  - the first open is O_PATH, which has no side effects (a device, a FIFO or a tape drive is not touched);
//  - the descriptor must be a regular file with the inode that was mapped, and only then is it opened for reading,
//    through the descriptor, so that nothing can be exchanged in between;
//  - paths inside a process's root are walked name by name: see root-path.ts. The paths of /proc/PID/maps contain no
//    symbolic link, so one on the way means that the path was changed.
//
// Where the file is looked for, in this order:
//   /proc/PID/map_files/START-END   the very file, even when deleted or in another mount namespace; needs the process
//   /proc/PID/root/path             also for the siblings given; needs a process
//   host root/path                  works for processes that have ended

import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import { hostRoot, openBeneath, openInRoot, openPath, processRoot } from './root-path.ts';
import type { BinaryRef } from './symbol-request.ts';

export type FileSource = 'map_files' | 'process_root' | 'host_path' | 'companion';

/** What tells one state of a file from another. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: bigint;
  readonly modifiedNanos: bigint;
  readonly ownerUid: bigint;
}

/** True when both are the same file in the same state. */
export function isSameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return (
    a.device === b.device && a.inode === b.inode && a.size === b.size && a.modifiedNanos === b.modifiedNanos
  );
}

/** Equal for two looks at a file exactly when it has not changed between them. */
export function identityKey({ device, inode, size, modifiedNanos }: FileIdentity): string {
  return `${device}:${inode}:${size}:${modifiedNanos}`;
}

/** A regular file opened for reading; close it when done, since an open file blocks unmounting. */
export class OpenedFile implements RandomAccess, Disposable {
  readonly source: FileSource;
  readonly identity: FileIdentity;
  readonly byteLength: number;
  readonly #descriptor: number;

  constructor(descriptor: number, source: FileSource, identity: FileIdentity) {
    this.#descriptor = descriptor;
    this.source = source;
    this.identity = identity;
    this.byteLength = Number(identity.size);
  }

  read(offset: number, length: number, scratch?: Uint8Array): Uint8Array {
    return readAt(this.#descriptor, offset, length, scratch);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

/** Why a file could not be opened, from the least to the most telling. */
const refusals = ['gone', 'io_error', 'permission', 'not_regular', 'replaced', 'inode_mismatch'] as const;
export type OpenFailure = (typeof refusals)[number];

/** Opens the file that `ref` had mapped, or says why not. */
export function openMappedFile(ref: BinaryRef): OpenedFile | OpenFailure {
  let failure: OpenFailure = 'gone';
  const path = unescaped(ref.path.replace(/ \(deleted\)$/, ''));
  const range = `${ref.start.toString(16)}-${ref.limit.toString(16)}`;
  const attempts: [
    FileSource,
    () => number,
    (identity: FileIdentity, descriptor: number) => OpenFailure | '',
  ][] = [
    [
      'map_files',
      () => openSync(`/proc/${ref.pid}/map_files/${range}`, openPath),
      (identity) => (isSameInode(ref, identity, range) ? '' : 'inode_mismatch'),
    ],
    ...[ref.pid, ...(ref.siblingPids ?? [])].map((pid): (typeof attempts)[number] => [
      'process_root',
      () => openBeneath(processRoot(pid), path),
      (identity, descriptor) => mismatch(ref, identity, descriptor),
    ]),
    [
      'host_path',
      () => openBeneath(hostRoot, path),
      (identity, descriptor) => mismatch(ref, identity, descriptor),
    ],
  ];
  for (const [source, open, check] of attempts) {
    const opened = openChecked(source, open, check);
    if (opened instanceof OpenedFile) return opened;
    if (refusals.indexOf(opened) > refusals.indexOf(failure)) failure = opened;
  }
  return failure;
}

/**
 * Opens a regular file that belongs to a mapped one, such as its separate debug file. Links are followed inside of the
 * root. `check` says '' or why the file is not wanted.
 */
export function openCompanion<Refusal extends string>(
  root: string,
  path: string,
  check: (identity: FileIdentity) => Refusal | '',
): OpenedFile | OpenFailure | Refusal {
  return openChecked('companion', () => openInRoot(root, path), check);
}

/** As {@link openCompanion}, but without following any link: for places where every user may write. */
export function openOwnedFile<Refusal extends string>(
  root: string,
  path: string,
  check: (identity: FileIdentity) => Refusal | '',
): OpenedFile | OpenFailure | Refusal {
  return openChecked('companion', () => openBeneath(root, path), check);
}

/** Reads up to `length` bytes, fewer only at the end of the file; into `scratch` where it is given. */
export function readAt(descriptor: number, offset: number, length: number, scratch?: Uint8Array): Uint8Array {
  const bytes = scratch?.subarray(0, length) ?? new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(descriptor, bytes, filled, length - filled, offset + filled);
    if (count === 0) return bytes.subarray(0, filled);
    filled += count;
  }
  return bytes;
}

function openChecked<Refusal extends string>(
  source: FileSource,
  open: () => number,
  check: (identity: FileIdentity, descriptor: number) => Refusal | '',
): OpenedFile | OpenFailure | Refusal {
  let descriptor: number;
  try {
    descriptor = open();
  } catch (error) {
    return failureOf(error);
  }
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    if (!stat.isFile()) return 'not_regular';
    const identity: FileIdentity = {
      device: stat.dev,
      inode: stat.ino,
      size: stat.size,
      modifiedNanos: stat.mtimeNs,
      ownerUid: stat.uid,
    };
    const failure = check(identity, descriptor);
    if (failure !== '') return failure;
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return new OpenedFile(openSync(`/proc/self/fd/${descriptor}`, flags), source, identity);
  } catch (error) {
    return failureOf(error);
  } finally {
    closeSync(descriptor);
  }
}

function mismatch(ref: BinaryRef, identity: FileIdentity, descriptor: number): OpenFailure | '' {
  if (identity.inode !== ref.inode || !isSameDevice(ref.device, identity.device)) return 'inode_mismatch';
  if (ref.seenAtUnixMillis === undefined) return '';
  const { birthtimeMs, mtimeMs } = fstatSync(descriptor);
  const isFuture = mtimeMs > Date.now();
  return birthtimeMs > ref.seenAtUnixMillis || (mtimeMs > ref.seenAtUnixMillis && !isFuture)
    ? 'replaced'
    : '';
}

/**
 * Compares `major:minor` of maps with a device of stat. File systems without a device of their own (btrfs subvolumes,
 * overlay) show different numbers in both places, at least one of them with major 0; then the inode has to do.
 */
export function isSameDevice(fromMaps: string, fromStat: bigint): boolean {
  const major = majorOf(fromStat);
  const minor = (fromStat & 0xffn) | ((fromStat >> 12n) & ~0xffn);
  const [mapsMajor, mapsMinor] = fromMaps.split(':').map((part) => BigInt(`0x${part}`));
  if (mapsMajor === major && mapsMinor === minor) return true;
  return mapsMajor === 0n || major === 0n;
}

/**
 * A process id and an address range can be used again by another program, so the link alone proves nothing. On overlay
 * file systems stat may widen the inode number; those have no device of their own and their path has to do.
 */
function isSameInode(ref: BinaryRef, identity: FileIdentity, range: string): boolean {
  if (identity.inode === ref.inode) return true;
  return majorOf(identity.device) === 0n && readlinkSync(`/proc/${ref.pid}/map_files/${range}`) === ref.path;
}

function majorOf(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
}

/** The kernel writes a newline in a path as \012. */
function unescaped(path: string): string {
  return path.replaceAll('\\012', '\n');
}

function failureOf(error: unknown): OpenFailure {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENOTDIR' || code === 'ELOOP') return 'gone';
  return code === 'EACCES' || code === 'EPERM' ? 'permission' : 'io_error';
}
