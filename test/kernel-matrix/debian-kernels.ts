// SPDX-License-Identifier: Apache-2.0
//
// Kernels of Debian, fetched from the mirror that this machine is configured with, by an apt that has lists and caches of
// its own: nothing of the machine's own apt changes. They are kept in the user's cache folder for the next run.

import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 << 20;

export interface KernelSeries {
  readonly name: string;
  /** Of packages: the newest by version is taken. */
  readonly packages: RegExp;
}

export const KERNEL_SERIES: readonly KernelSeries[] = [
  { name: '5.10', packages: /^linux-image-5\.10\.0-\d+-cloud-amd64$/ },
  { name: '6.1', packages: /^linux-image-6\.1\.0-\d+-cloud-amd64$/ },
  { name: '6.12', packages: /^linux-image-6\.12\.\d+\+deb\d+-cloud-amd64$/ },
  { name: '6.18', packages: /^linux-image-6\.18\.\d+\+deb\d+-cloud-amd64$/ },
];

const SUITES = {
  archive: ['bookworm-backports', 'trixie-backports'],
  security: ['bullseye-security', 'bookworm-security'],
};

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Addresses of the archive and of the security archive that this machine's own apt uses. */
async function configuredMirror(): Promise<{ archive: string; security: string }> {
  const { stdout } = await execFileAsync('apt-get', ['indextargets', '--format', '$(RELEASE) $(REPO_URI)']);
  let archive: string | undefined;
  let security: string | undefined;
  for (const line of stdout.split('\n')) {
    const [release = '', uri = ''] = line.split(' ');
    if (/^(bullseye|bookworm|trixie|forky|sid)$/.test(release)) archive ??= uri;
    else if (/^[a-z]+-security$/.test(release)) security ??= uri;
  }
  if (archive === undefined || security === undefined) throw new Error('apt knows no archive of Debian');
  return { archive, security };
}

/** An apt of its own in a folder. */
export class DebianKernels {
  readonly #directory: string;
  readonly #cache = join(homedir(), '.cache', 'hearthscope-tests', 'kernels');
  #options: string[] | undefined;

  /** @param directory an empty one, for lists and packages */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Path of the newest kernel image of the series. @throws when the mirror has none or cannot be reached */
  async fetch(series: KernelSeries): Promise<{ version: string; path: string }> {
    let options: string[];
    try {
      options = await this.#ready();
    } catch (error) {
      const kept = this.#keptKernel(series);
      if (kept !== undefined) return kept;
      throw error;
    }
    const { stdout: names } = await execFileAsync('apt-cache', [...options, 'pkgnames', 'linux-image-'], {
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    const candidates = names.split('\n').filter((name) => series.packages.test(name));
    const newest = candidates.toSorted(byVersion).at(-1);
    if (newest === undefined) throw new Error(`the mirror has no kernel ${series.name}`);
    const path = join(this.#cache, `vmlinuz-${newest}`);
    if (!existsSync(path)) await this.#download(newest, path);
    return { version: newest, path };
  }

  #keptKernel(series: KernelSeries): { version: string; path: string } | undefined {
    if (!existsSync(this.#cache)) return undefined;
    const prefix = 'vmlinuz-';
    const newest = readdirSync(this.#cache)
      .map((file) => file.slice(prefix.length))
      .filter((name) => series.packages.test(name))
      .toSorted(byVersion)
      .at(-1);
    return newest === undefined ? undefined : { version: newest, path: join(this.#cache, prefix + newest) };
  }

  async #ready(): Promise<string[]> {
    if (this.#options !== undefined) return this.#options;
    const { archive, security } = await configuredMirror();
    for (const folder of ['lists/partial', 'cache/archives/partial', 'packages'])
      mkdirSync(join(this.#directory, folder), { recursive: true });
    const line = (uri: string, suite: string) =>
      `deb [signed-by=${KEYRING} arch=amd64] ${uri} ${suite} main\n`;
    writeFileSync(
      join(this.#directory, 'sources.list'),
      SUITES.archive.map((suite) => line(archive, suite)).join('') +
        SUITES.security.map((suite) => line(security, suite)).join(''),
    );
    writeFileSync(join(this.#directory, 'status'), '');
    const options = [
      `Dir::Etc::sourcelist=${join(this.#directory, 'sources.list')}`,
      'Dir::Etc::sourceparts=-',
      `Dir::State::lists=${join(this.#directory, 'lists')}`,
      `Dir::State::status=${join(this.#directory, 'status')}`,
      `Dir::Cache=${join(this.#directory, 'cache')}`,
      'Acquire::Languages=none',
      'APT::Architecture=amd64',
      'APT::Sandbox::User=root',
    ].flatMap((option) => ['-o', option]);
    await execFileAsync('apt-get', [...options, '-qq', 'update'], { maxBuffer: MAX_OUTPUT_BYTES });
    this.#options = options;
    return options;
  }

  async #download(name: string, path: string): Promise<void> {
    const folder = join(this.#directory, 'packages', name);
    mkdirSync(folder);
    await execFileAsync('apt-get', [...this.#options!, '-qq', 'download', name], { cwd: folder });
    const file = readdirSync(folder).find((entry) => entry.endsWith('.deb'));
    if (file === undefined) throw new Error(`${name} was not downloaded`);
    await execFileAsync('dpkg-deb', ['-x', file, 'contents'], { cwd: folder });
    const boot = join(folder, 'contents', 'boot');
    const image = existsSync(boot)
      ? readdirSync(boot).find((entry) => entry.startsWith('vmlinuz'))
      : undefined;
    if (image === undefined) throw new Error(`${name} holds no kernel in /boot`);
    mkdirSync(this.#cache, { recursive: true });
    copyFileSync(join(boot, image), path);
    rmSync(folder, { recursive: true });
  }
}

/** By the numbers in the name, in their order. */
function byVersion(left: string, right: string): number {
  const numbers = (name: string) => [...name.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const [a, b] = [numbers(left), numbers(right)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
