// SPDX-License-Identifier: Apache-2.0
//
// Finds out whether a cgroup path is that of a container, and the container's name from the state that the runtimes keep
// on disk. An id is only ever a key to look a name up with: it is random, and would make one series of each container.

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isName } from './environment.ts';

/** What a cgroup path says about the container. */
export interface ContainerRef {
  /** 64 hex digits (32 and a number on AWS Fargate), or '' when only the name is known. */
  readonly id: string;
  /** The name where the path itself carries it (LXC), else ''. */
  readonly name: string;
}

/** Names from a runtime's state; '' where it has none. */
export interface ContainerName {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

/** Where container names come from; an orchestrator's API can stand behind it as well as files. */
export interface ContainerNames {
  /** @param id as in {@link ContainerRef.id}. Resolves to undefined when no name is known; never rejects. */
  lookup(id: string): Promise<ContainerName | undefined>;
}

const CONTAINER_ID = /(?:^|[:-])([0-9a-f]{64})(?:\.scope)?$/;
const FARGATE_ID = /^[0-9a-f]{32}-[0-9]{8,10}$/;

/** The innermost container of a cgroup path, or undefined when the path is not inside of one. */
export function containerOfCgroup(path: string): ContainerRef | undefined {
  let id = '';
  let name = '';
  let previous = '';
  for (const part of path.split('/')) {
    // The monitor processes of CRI-O and Podman (`crio-conmon-…`, `libpod-conmon-…`) run beside the container, not in it.
    const found = part.includes('conmon-') ? undefined : CONTAINER_ID.exec(part)?.[1];
    if (found !== undefined) id = found;
    else if (FARGATE_ID.test(part)) id = part;
    else if (part.startsWith('lxc.payload.')) name = part.slice('lxc.payload.'.length);
    else if (previous === 'lxc') name = part;
    previous = part;
  }
  if (id !== '') return { id, name: '' };
  return isName(name) ? { id: '', name } : undefined;
}

/** Files above this size are not read: the largest seen of a real runtime is some tens of KiB. */
const MAX_STATE_BYTES = 4 * 1024 * 1024;
const MAX_CACHED_NAMES = 2048;
/** A runtime writes its state about when it starts the container, so a miss is worth another look soon. */
const MISS_LIFETIME_MILLIS = 10_000;

/** Reads the state of Docker, containerd (Kubernetes and nerdctl), CRI-O and Podman below `root`. */
export class DiskContainerNames implements ContainerNames {
  readonly #root: string;
  readonly #cache = new Map<string, { name: ContainerName | undefined; readAtMillis: number }>();
  readonly #now: () => number;

  /** @param root '/' on a host, the mount of the host's root in a container. */
  constructor(root = '/', now: () => number = Date.now) {
    this.#root = root;
    this.#now = now;
  }

  async lookup(id: string): Promise<ContainerName | undefined> {
    if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
    const cached = this.#cache.get(id);
    if (cached !== undefined) {
      if (cached.name !== undefined || this.#now() - cached.readAtMillis < MISS_LIFETIME_MILLIS)
        return cached.name;
    }
    const name = await this.#read(id);
    this.#cache.delete(id);
    this.#cache.set(id, { name, readAtMillis: this.#now() });
    if (this.#cache.size > MAX_CACHED_NAMES) this.#cache.delete(this.#cache.keys().next().value as string);
    return name;
  }

  async #read(id: string): Promise<ContainerName | undefined> {
    const runtimes = 'run/containerd/io.containerd.runtime.v2.task';
    const docker = await this.#json(`var/lib/docker/containers/${id}/config.v2.json`);
    if (docker !== undefined) return nameFromDocker(docker);
    for (const namespace of ['k8s.io', 'default']) {
      const bundle = await this.#json(`${runtimes}/${namespace}/${id}/config.json`);
      if (bundle !== undefined) return nameFromAnnotations(field(bundle, 'annotations'));
    }
    const crio = await this.#json(`run/containers/storage/overlay-containers/${id}/userdata/config.json`);
    const annotated = crio === undefined ? undefined : nameFromAnnotations(field(crio, 'annotations'));
    if (annotated !== undefined) return annotated;
    const podman = await this.#json('var/lib/containers/storage/overlay-containers/containers.json');
    return podman === undefined ? undefined : nameFromPodman(podman, id);
  }

  /** The parsed file, or undefined when it is not there, not readable, too large or not JSON. */
  async #json(path: string): Promise<unknown> {
    try {
      await using file = await open(join(this.#root, path));
      const { size } = await file.stat();
      if (size > MAX_STATE_BYTES) return undefined;
      return JSON.parse(await file.readFile('utf8'));
    } catch {
      return undefined;
    }
  }
}

function nameFromDocker(state: unknown): ContainerName | undefined {
  const labels = field(field(state, 'Config'), 'Labels');
  const kubernetes = nameFromLabels(labels);
  if (kubernetes !== undefined) return kubernetes;
  return containerName(text(state, 'Name').replace(/^\//, ''), '', '');
}

function nameFromAnnotations(annotations: unknown): ContainerName | undefined {
  return (
    containerName(
      text(annotations, 'io.kubernetes.cri.container-name'),
      text(annotations, 'io.kubernetes.cri.sandbox-name'),
      text(annotations, 'io.kubernetes.cri.sandbox-namespace'),
    ) ??
    nameFromLabels(annotations) ??
    containerName(text(annotations, 'nerdctl/name'), '', '')
  );
}

/** The labels that the kubelet sets through dockershim, cri-dockerd and CRI-O. */
function nameFromLabels(labels: unknown): ContainerName | undefined {
  return containerName(
    text(labels, 'io.kubernetes.container.name'),
    text(labels, 'io.kubernetes.pod.name'),
    text(labels, 'io.kubernetes.pod.namespace'),
  );
}

function nameFromPodman(containers: unknown, id: string): ContainerName | undefined {
  if (!Array.isArray(containers)) return undefined;
  const names = field(
    containers.find((container) => text(container, 'id') === id),
    'names',
  );
  return Array.isArray(names) && typeof names[0] === 'string' ? containerName(names[0], '', '') : undefined;
}

function containerName(container: string, pod: string, namespace: string): ContainerName | undefined {
  if (!isName(container)) return undefined;
  return { container, pod: isName(pod) ? pod : '', namespace: isName(namespace) ? namespace : '' };
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function text(value: unknown, key: string): string {
  const found = field(value, key);
  return typeof found === 'string' ? found : '';
}
