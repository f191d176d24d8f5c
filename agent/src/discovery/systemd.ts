// SPDX-License-Identifier: Apache-2.0
//
// Finds the system service that a cgroup path belongs to. Only units that an administrator names count: scopes and
// everything below user.slice are sessions and come and go with ids in their names.

/**
 * The unit (`nginx.service`) of a path such as `/system.slice/nginx.service/worker`, or '' when the path is not that of
 * a service of system.slice.
 */
export function systemServiceUnit(path: string): string {
  const parts = path.split('/');
  const slice = parts.indexOf('system.slice');
  if (slice < 0 || parts.includes('user.slice')) return '';
  for (const part of parts.slice(slice + 1)) {
    const unit = unescapeUnit(part);
    if (unit.endsWith('.service')) return unit.startsWith('user@') ? '' : unit;
    if (!unit.endsWith('.slice')) return '';
  }
  return '';
}

/**
 * The service's name without suffix and instance: `postgresql@15-main.service` is `postgresql`. Instances are left out
 * because socket-activated units carry the peer's address in them; an operator's rule can tell instances apart.
 */
export function serviceNameOfUnit(unit: string): string {
  const name = unit.slice(0, -'.service'.length);
  const at = name.indexOf('@');
  return at > 0 ? name.slice(0, at) : name;
}

/** Undoes the leading `_` of names that would clash with cgroup files, and the `\xNN` escapes of unit names. */
function unescapeUnit(part: string): string {
  const name = part.startsWith('_') ? part.slice(1) : part;
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
