// SPDX-License-Identifier: Apache-2.0
//
// What `hearthscope doctor` finds: the host, the addon, and each BPF feature tried on the running kernel.

import { type FeatureProbe, libbpfVersion, loadError, probeFeatures } from '@hearthscope/native';
import { messageOf } from '@hearthscope/profile/errors';
import { type HostReport, hostObstacles, readHost } from './host.ts';

export interface DoctorReport extends HostReport {
  readonly canRun: boolean;
  /** Why not, each a sentence that says what to do. */
  readonly problems: readonly string[];
  /** What the agent will lack although it runs. */
  readonly warnings: readonly string[];
  readonly addon: { readonly loaded: boolean; readonly error: string | null; readonly libbpf: string | null };
  /** Empty when they could not be tried; `problems` says why. */
  readonly features: readonly FeatureProbe[];
}

/** Probing the features takes about a second. */
export function examine(): DoctorReport {
  const host = readHost();
  const problems = hostObstacles(host);
  const error = loadError();
  if (error !== null)
    problems.push(`the native addon cannot be loaded: ${error}; run \`npm run bootstrap\`.`);
  const features = error === null ? tryFeatures(problems) : [];
  for (const { name, available, required, detail } of features) {
    if (required && !available)
      problems.push(`the kernel refuses ${name}, which the agent needs: ${detail}.`);
  }
  return {
    ...host,
    canRun: problems.length === 0,
    problems,
    warnings: warningsOf(host, features),
    addon: { loaded: error === null, error, libbpf: error === null ? libbpfVersion() : null },
    features,
  };
}

function tryFeatures(problems: string[]): readonly FeatureProbe[] {
  try {
    return probeFeatures();
  } catch (error) {
    problems.push(`the kernel's BPF features could not be tried: ${messageOf(error)}.`);
    return [];
  }
}

function warningsOf(host: HostReport, features: readonly FeatureProbe[]): string[] {
  const warnings: string[] = [];
  for (const { name, required, purpose } of host.capabilities.missing) {
    if (!required) warnings.push(`without ${name} the agent cannot ${purpose}.`);
  }
  if (!host.kallsyms.addressesVisible) {
    warnings.push(
      'kernel functions will have no names: /proc/kallsyms shows no addresses (kernel.kptr_restrict, CAP_SYSLOG).',
    );
  }
  for (const { name, available, required, lostWithout } of features) {
    if (!available && !required) warnings.push(`without ${name}: ${lostWithout}.`);
  }
  return warnings;
}
