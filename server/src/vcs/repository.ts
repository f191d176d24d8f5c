// SPDX-License-Identifier: Apache-2.0
//
// Where a source file of a profiled program is: which repository, which state of it, which path. Symbols have the paths of
// the machine that compiled the program, so several places are tried.

import { HearthscopeError } from '@hearthscope/profile/errors';

export interface Repository {
  readonly owner: string;
  readonly name: string;
}

export interface SourcePlace extends Repository {
  /** '' for the default branch. */
  readonly ref: string;
  readonly path: string;
}

/** Places of one file that are asked for; each is a request. */
export const MAX_PLACES = 30;
export const MAX_REF_LENGTH = 255;
export const MAX_PATH_LENGTH = 4096;

const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/;
const GO_STANDARD_LIBRARY = /(?:^|\/)(?:go|golang)(1\.[0-9][0-9a-z.]*)?(?:[^/]*)\/src\/(.+)$/;
const GO_ROOT = /^\$GOROOT\/src\/(.+)$/;
const GO_MODULE = /(?:^|\/)pkg\/mod\/([^@]+)@([^/]+)\/(.+)$/;
const GO_PSEUDO_VERSION = /-(?:[0-9.]*)\d{14}-([0-9a-f]{12})$/;
const GO_REPOSITORY: Repository = { owner: 'golang', name: 'go' };

/** @param host of the only server whose repositories are served, such as `github.com`
 * @throws HearthscopeError invalid_argument */
export function parseRepository(url: string, host: string): Repository {
  const [, foundHost, owner = '', name = ''] =
    /^(?:https?:\/\/|ssh:\/\/(?:[^@/]*@)?|(?:[^@/]*@)?)([^/:]+(?::\d+)?)[/:]([^/]+)\/([^/?#]+?)(?:\.git)?\/?$/.exec(
      url,
    ) ?? [];
  if (foundHost === undefined)
    throw invalid(`${JSON.stringify(url.slice(0, 200))} is no URL of a repository`);
  if (foundHost !== host) throw invalid('only GitHub repositories are supported');
  if (!NAME.test(owner) || !NAME.test(name)) {
    throw invalid(`${JSON.stringify(url.slice(0, 200))} is no repository`);
  }
  return { owner, name };
}

/** Where a file may be, the likeliest place first.
 * @param rootPath where in the repository the program is
 * @throws HearthscopeError invalid_argument */
export function sourcePlaces(
  repository: Repository,
  ref: string,
  localPath: string,
  rootPath: string,
): SourcePlace[] {
  checkRef(ref);
  if (localPath.length > MAX_PATH_LENGTH || rootPath.length > MAX_PATH_LENGTH) {
    throw invalid(`a path is longer than ${MAX_PATH_LENGTH} characters`);
  }
  const elsewhere = localPath.endsWith('.go') || localPath.endsWith('.s') ? goPlace(localPath) : undefined;
  if (elsewhere !== undefined) return [elsewhere];
  const parts = elementsOf(localPath);
  const root = elementsOf(rootPath);
  if (parts.length === 0) throw invalid('localPath is required');
  const places: SourcePlace[] = [];
  // Whatever lies before the repository on the machine that compiled is cut off step by step.
  for (let first = 0; first < parts.length && places.length < MAX_PLACES; first++) {
    places.push({ ...repository, ref, path: [...root, ...parts.slice(first)].join('/') });
  }
  return places;
}

/** @throws HearthscopeError invalid_argument */
export function checkRef(ref: string): void {
  if (ref.length > MAX_REF_LENGTH || ref.split('/').some((part) => part === '..' || part === '.')) {
    throw invalid(`${JSON.stringify(ref.slice(0, MAX_REF_LENGTH))} is no ref`);
  }
}

/** Of the standard library, or of a module that comes from GitHub. */
function goPlace(path: string): SourcePlace | undefined {
  const [, module, version, file] = GO_MODULE.exec(path) ?? [];
  if (module !== undefined) return modulePlace(module, version!, file!);
  const root = GO_ROOT.exec(path)?.[1];
  if (root !== undefined)
    return { ...GO_REPOSITORY, ref: 'master', path: ['src', ...elementsOf(root)].join('/') };
  const [, goVersion, library] = GO_STANDARD_LIBRARY.exec(path) ?? [];
  if (library === undefined || library.includes('.com/') || library.includes('.org/')) return undefined;
  return {
    ...GO_REPOSITORY,
    ref: goVersion === undefined ? 'master' : `go${goVersion}`,
    path: ['src', ...elementsOf(library)].join('/'),
  };
}

function modulePlace(module: string, version: string, file: string): SourcePlace {
  const [host, owner = '', name = '', ...inner] = module
    .replace(/![a-z]/g, (escaped) => escaped[1]!.toUpperCase())
    .split('/');
  if (host !== 'github.com' || !NAME.test(owner) || !NAME.test(name)) {
    throw new HearthscopeError('not_found', `the module ${JSON.stringify(module)} does not come from GitHub`);
  }
  // A major version is a suffix of the module's path and no folder.
  const folders = inner.filter((part, i) => !(i === inner.length - 1 && /^v\d+$/.test(part)));
  const tag = version.replace(/\+incompatible$/, '');
  const ref = GO_PSEUDO_VERSION.exec(tag)?.[1] ?? [...folders, tag].join('/');
  checkRef(ref);
  return { owner, name, ref, path: [...folders, ...elementsOf(file)].join('/') };
}

/** @throws HearthscopeError invalid_argument for a path that leads upwards */
function elementsOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid('a path must not have ".." in it');
  return parts;
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
