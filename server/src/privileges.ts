// SPDX-License-Identifier: Apache-2.0
//
// The server parses bytes of strangers, so it does not stay root. It starts as root only where root is needed to read
// its own code and to open its ports; then it becomes an unprivileged user for good, in all its threads.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';

export interface UnprivilegedUser {
  readonly uid: number;
  readonly gid: number;
}

export interface NamedUser extends UnprivilegedUser {
  readonly name: string;
}

/** Whom a server that was started as root becomes: the first of these that exists. */
const DEFAULT_USERS: readonly string[] = ['hearthscope', 'nobody'];
const ROOT = 0;

/** The user of a name or of a uid in digits.
 * @param passwd the text of /etc/passwd
 * @throws HearthscopeError not_found, or invalid_argument for root */
export function findUser(nameOrUid: string, passwd: string): NamedUser {
  for (const line of passwd.split('\n')) {
    const [name, , uidText, gidText] = line.split(':');
    if (name !== nameOrUid && uidText !== nameOrUid) continue;
    const uid = Number(uidText);
    const gid = Number(gidText);
    if (!(Number.isInteger(uid) && Number.isInteger(gid))) continue;
    if (uid === ROOT || gid === ROOT) {
      throw new HearthscopeError(
        'invalid_argument',
        `user ${name} has uid ${uid} and gid ${gid}: choose one without root's`,
      );
    }
    return { name: name!, uid, gid };
  }
  throw new HearthscopeError('not_found', `there is no user ${JSON.stringify(nameOrUid)} in /etc/passwd`);
}

/** {@link findUser} on this host; without a name, `hearthscope` where that user exists, else `nobody`. */
export function resolveUser(nameOrUid?: string): NamedUser {
  const passwd = readFileSync('/etc/passwd', 'utf8');
  if (nameOrUid !== undefined) return findUser(nameOrUid, passwd);
  const exists = (name: string) => passwd.split('\n').some((line) => line.startsWith(`${name}:`));
  return findUser(DEFAULT_USERS.find(exists) ?? 'nobody', passwd);
}

/** Whether there are privileges to drop. */
export function isRoot(): boolean {
  return process.getuid?.() === ROOT || process.geteuid?.() === ROOT;
}

/** Becomes `user` in all threads, without a way back.
 * @throws HearthscopeError permission_denied when anything of root is left; the process must then end */
export function dropPrivileges({ uid, gid }: UnprivilegedUser): void {
  try {
    process.setgroups!([]);
    process.setgid!(gid);
    process.setuid!(uid);
  } catch (error) {
    throw new HearthscopeError(
      'permission_denied',
      `cannot become uid ${uid}, gid ${gid}: ${messageOf(error)}`,
      { cause: error },
    );
  }
  const remains = remainingPrivilege(uid, gid);
  if (remains !== undefined) {
    throw new HearthscopeError('permission_denied', `became uid ${uid}, but ${remains}`);
  }
}

/** Whether that user can open a file for reading. For root, before it became somebody. */
export function isReadableBy({ uid, gid }: UnprivilegedUser, path: string): boolean {
  const groups = process.getgroups!();
  process.setgroups!([]);
  process.setegid!(gid);
  process.seteuid!(uid);
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid!(ROOT);
    process.setegid!(ROOT);
    process.setgroups!(groups);
  }
}

function remainingPrivilege(uid: number, gid: number): string | undefined {
  if (process.getuid!() !== uid || process.geteuid!() !== uid) return `the uid is ${process.getuid!()}`;
  if (process.getgid!() !== gid || process.getegid!() !== gid) return `the gid is ${process.getgid!()}`;
  const foreignGroup = process.getgroups!().find((group) => group !== gid);
  if (foreignGroup !== undefined) return `group ${foreignGroup} was kept`;
  if (succeeds(() => process.setuid!(ROOT)) || succeeds(() => process.seteuid!(ROOT)))
    return 'root came back';
  if (succeeds(() => process.setgid!(ROOT)) || succeeds(() => process.setegid!(ROOT)))
    return "root's group came back";
  const capabilities = /^CapPrm:\s*0*([0-9a-f]*)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  if (capabilities === null) return 'its capabilities cannot be read from /proc/self/status';
  return capabilities[1] === '' ? undefined : `the capabilities ${capabilities[1]} were kept`;
}

function succeeds(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
