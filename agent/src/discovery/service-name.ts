// SPDX-License-Identifier: Apache-2.0
//
// Decides which service a process belongs to. The first source that knows a name wins: the operator's rule, the
// process's own OpenTelemetry environment, the container's name, the systemd service, the executable. Names must be
// few and stable, since each is a series: scopes, user slices, ids and versions never become one.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { CgroupPaths } from './cgroup.ts';
import { type ContainerName, type ContainerRef, containerOfCgroup } from './container.ts';
import { isName, MAX_NAME_CHARACTERS, type ServiceEnvironment } from './environment.ts';
import { serviceNameOfUnit, systemServiceUnit } from './systemd.ts';

/**
 * An operator's rule, from the configuration. Each given pattern is a regular expression that must match the whole
 * text, as in Prometheus relabelling; a rule with several patterns wants all of them.
 */
export interface ServiceRule {
  readonly match: {
    /** The thread-group leader's comm, at most 15 bytes. */
    readonly comm?: string;
    /** Path of the executable, without ` (deleted)`. */
    readonly exe?: string;
    /** The arguments joined by single spaces. */
    readonly cmdline?: string;
    /** Any of the process's cgroup paths. */
    readonly cgroup?: string;
    /** The systemd service with its suffix, `nginx.service`. */
    readonly systemdUnit?: string;
  };
  readonly name: string;
}

export type NameSource =
  | 'rule'
  | 'environment'
  | 'kubernetes'
  | 'container'
  | 'systemd'
  | 'executable'
  | 'kernel';

/** Everything about a process that names can come from. */
export interface ProcessFacts {
  readonly comm: string;
  /** '' when it could not be read. */
  readonly exe: string;
  readonly kernelThread: boolean;
  /** '' unless a rule asks for it: see {@link CompiledServiceRules.needCmdline}. */
  readonly cmdline: string;
  readonly cgroups: CgroupPaths;
  readonly environment: ServiceEnvironment;
  readonly containerName: ContainerName | undefined;
}

/** What becomes the resource of a process's profiles. */
export interface ServiceIdentity {
  readonly serviceName: string;
  readonly source: NameSource;
  /** `container.name`, `k8s.*.name` and the bounded ones of {@link ServiceEnvironment.attributes}, sorted by key. */
  readonly attributes: readonly (readonly [key: string, value: string])[];
}

export const KERNEL_IDENTITY: ServiceIdentity = { serviceName: 'kernel', source: 'kernel', attributes: [] };

const PATTERN_KEYS = ['comm', 'exe', 'cmdline', 'cgroup', 'systemdUnit'] as const;

/** The rules, checked and ready to match. */
export class CompiledServiceRules {
  readonly needCmdline: boolean;
  readonly #rules: { name: string; patterns: { key: (typeof PATTERN_KEYS)[number]; pattern: RegExp }[] }[];

  /** @throws HearthscopeError invalid_argument naming the rule */
  constructor(rules: readonly ServiceRule[]) {
    this.#rules = rules.map((rule, index) => {
      const refuse = (what: string): never => {
        throw new HearthscopeError('invalid_argument', `service rule ${index + 1}: ${what}`);
      };
      if (!isName(rule.name)) refuse(`name must be 1 to ${MAX_NAME_CHARACTERS} printable characters`);
      const patterns = PATTERN_KEYS.flatMap((key) => {
        const source = rule.match[key];
        if (source === undefined) return [];
        try {
          return [{ key, pattern: new RegExp(`^(?:${source})$`, 's') }];
        } catch (error) {
          return refuse(`match.${key}: ${messageOf(error)}`);
        }
      });
      if (patterns.length === 0) refuse(`match needs one of ${PATTERN_KEYS.join(', ')}`);
      return { name: rule.name, patterns };
    });
    this.needCmdline = rules.some((rule) => rule.match.cmdline !== undefined);
  }

  /** The name of the first rule that matches, or ''. */
  match(facts: ProcessFacts): string {
    const unit = systemServiceUnit(facts.cgroups.systemd);
    const rule = this.#rules.find(({ patterns }) =>
      patterns.every(({ key, pattern }) => {
        if (key === 'cgroup') return facts.cgroups.all.some((path) => pattern.test(path));
        return pattern.test(key === 'systemdUnit' ? unit : facts[key]);
      }),
    );
    return rule?.name ?? '';
  }
}

/** The container that the process runs in by any of its cgroups; the cgroup of the first hierarchy that tells wins. */
export function containerOf(cgroups: CgroupPaths): ContainerRef | undefined {
  for (const path of cgroups.all) {
    const container = containerOfCgroup(path);
    if (container !== undefined) return container;
  }
  return undefined;
}

/** Names the process. Always finds something: `unknown` when even comm is no name. */
export function identifyService(facts: ProcessFacts, rules: CompiledServiceRules): ServiceIdentity {
  const ruled = rules.match(facts);
  if (facts.kernelThread)
    return ruled === '' ? KERNEL_IDENTITY : { serviceName: ruled, source: 'rule', attributes: [] };
  const container = containerOf(facts.cgroups);
  const attributes = resourceAttributes(facts, container);
  const named = (serviceName: string, source: NameSource): ServiceIdentity => ({
    serviceName,
    source,
    attributes: [...attributes].sort(([a], [b]) => (a < b ? -1 : 1)),
  });
  if (ruled !== '') return named(ruled, 'rule');
  if (facts.environment.serviceName !== '') return named(facts.environment.serviceName, 'environment');
  const kubernetes = kubernetesName(attributes);
  if (kubernetes !== '') return named(kubernetes, 'kubernetes');
  const containerName = attributes.get('container.name');
  if (containerName !== undefined) return named(containerName, 'container');
  // A container without a known name is not the service whose cgroup it lies below (`containerd.service/kubepods…`).
  const unit = container === undefined ? systemServiceUnit(facts.cgroups.systemd) : '';
  const unitName = unit === '' ? '' : serviceNameOfUnit(unit);
  if (isName(unitName)) return named(unitName, 'systemd');
  return named(executableServiceName(facts), 'executable');
}

function resourceAttributes(facts: ProcessFacts, container: ContainerRef | undefined): Map<string, string> {
  const attributes = new Map(facts.environment.attributes);
  const set = (key: string, value: string): void => {
    if (value !== '' && !attributes.has(key)) attributes.set(key, value);
  };
  const name = facts.containerName;
  if (name !== undefined && name.pod !== '') {
    set('k8s.container.name', name.container);
    set('k8s.pod.name', name.pod);
    set('k8s.namespace.name', name.namespace);
  } else {
    set('container.name', name?.container ?? container?.name ?? '');
  }
  return attributes;
}

const WORKLOADS = ['deployment', 'statefulset', 'daemonset', 'cronjob', 'job', 'replicaset'];

/** The workload where the environment tells it, else `namespace/container`: pod names carry random parts. */
function kubernetesName(attributes: ReadonlyMap<string, string>): string {
  for (const workload of WORKLOADS) {
    const name = attributes.get(`k8s.${workload}.name`);
    if (name !== undefined) return name;
  }
  const container = attributes.get('k8s.container.name');
  const namespace = attributes.get('k8s.namespace.name');
  if (container === undefined) return '';
  return namespace === undefined ? container : `${namespace}/${container}`;
}

/** The file name of an executable path, without the mark of a deleted file; '' for ''. */
export function executableName(exe: string): string {
  return exe.replace(/ \(deleted\)$/, '').replace(/^.*\//, '');
}

/**
 * Interpreters appear as themselves (`node`, `python3.11`); a version or an id (`2.1.3`) gives way to comm, and so does
 * the name of a file in memory (`/memfd:…`), which may be random.
 */
function executableServiceName(facts: ProcessFacts): string {
  const fileName = facts.exe.startsWith('/memfd:') ? '' : executableName(facts.exe);
  for (const name of [fileName, facts.comm]) {
    if (isName(name) && !/^[0-9._-]+$|^[0-9a-f-]{16,}$/.test(name)) return name;
  }
  return 'unknown';
}
