// SPDX-License-Identifier: Apache-2.0
//
// Paths of source files as LLVM puts them together from compilation directory, include directory and name. Nothing is
// normalised: `..` stays, and a path of Windows is told by its drive or double backslash.

/** True for an absolute path of any system, whatever system it was compiled on. */
export function isAbsolutePath(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path) || /^[\\/]{2}[^\\/]/.test(path);
}

/** Joins parts; empty ones leave no trace. */
export function joinPath(...parts: readonly string[]): string {
  let path = '';
  for (const part of parts) {
    if (part === '') continue;
    if (path === '') path = part;
    else if (path.endsWith('/')) path += part.replace(/^\/+/, '');
    else path += part.startsWith('/') ? part : `/${part}`;
  }
  return path;
}
