// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope doctor`: prints what was found, for people or as JSON.

import { type DoctorReport, examine } from '../doctor/report.ts';
import { ExitCode, UsageError } from '../exit-codes.ts';

export async function doctor(flags: Readonly<Record<string, unknown>>): Promise<number> {
  if (flags.pid !== undefined) return (await import('../doctor/stacks.ts')).examineStacks(flags);
  if (flags.duration !== undefined) throw new UsageError('--duration belongs to --pid');
  const report = examine();
  process.stdout.write(flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  return report.canRun ? ExitCode.ok : ExitCode.agentUnsupported;
}

/** The report as a table, with the verdict at the end where a terminal shows it. */
export function formatReport(report: DoctorReport): string {
  const { kernel, btf, capabilities, kallsyms, cgroup, perf, addon } = report;
  const missing = capabilities.missing.map(({ name, required }) => (required ? name : `${name} (optional)`));
  const rows: (readonly [mark: boolean, name: string, value: string])[] = [
    [kernel.supported, 'kernel', `${kernel.release} ${kernel.arch}, lockdown ${kernel.lockdown}`],
    [btf.available, 'btf', btf.available ? `${btf.path}, ${btf.bytes} bytes` : `${btf.path} cannot be read`],
    [
      capabilities.missing.every(({ required }) => !required),
      'capabilities',
      missing.length === 0
        ? `all that are needed${capabilities.isRoot ? ' (root)' : ''}`
        : `missing: ${missing.join(', ')}`,
    ],
    [
      kallsyms.addressesVisible,
      'kallsyms',
      `addresses ${kallsyms.addressesVisible ? 'visible' : 'hidden'}, kptr_restrict ${kallsyms.kptrRestrict ?? 'unknown'}`,
    ],
    [cgroup.version !== 'none', 'cgroup', cgroup.version],
    [
      true,
      'perf',
      `paranoid ${perf.eventParanoid ?? 'unknown'}, max stack ${perf.eventMaxStack ?? 'unknown'}, max rate ${perf.maxSampleRateHz ?? 'unknown'} Hz, cpu limit ${perf.cpuTimeMaxPercent ?? 'unknown'} %`,
    ],
    [addon.loaded, 'addon', addon.loaded ? `loaded, libbpf ${addon.libbpf}` : `not loaded: ${addon.error}`],
  ];
  const features = report.features.map(({ name, available, required, detail, lostWithout }) => {
    const need = required ? 'required' : 'optional';
    return [
      available,
      name,
      available ? `${need}; ${detail}` : `${need}; ${detail}; lost without it: ${lostWithout}`,
    ] as const;
  });
  const width = Math.max(...[...rows, ...features].map(([, name]) => name.length));
  const line = ([mark, name, value]: readonly [boolean, string, string]) =>
    `  ${mark ? 'yes' : 'NO '}  ${name.padEnd(width)}  ${value}`;
  return [
    'Host',
    ...rows.map(line),
    ...(features.length === 0 ? [] : ['', 'BPF features', ...features.map(line)]),
    ...(report.warnings.length === 0 ? [] : ['', 'Warnings', ...report.warnings.map((text) => `  ${text}`)]),
    '',
    ...(report.canRun
      ? ['The agent can run here.']
      : ['The agent cannot run here:', ...report.problems.map((text) => `  ${text}`)]),
    '',
  ].join('\n');
}
