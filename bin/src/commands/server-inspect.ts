// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope server inspect`: what is stored, from the manifests alone.

import {
  type BlockReport,
  inspectStore,
  type TenantReport,
} from '@hearthscope/server/storage/inspect/inspect-store';
import { openStoredData } from '@hearthscope/server/storage/inspect/stored-data';
import { ExitCode } from '../exit-codes.ts';
import { printable } from '../query/connection.ts';

type Flags = Readonly<Record<string, unknown>>;

/** @throws HearthscopeError failed_precondition when the folder cannot be read */
export async function inspect(flags: Flags): Promise<number> {
  const folder = String((flags._ as readonly unknown[])[2]);
  const { store, isServed } = await openStoredData(folder);
  const wanted = flags.tenant as string | undefined;
  const reports = (await inspectStore(store)).filter(
    ({ tenant }) => wanted === undefined || tenant === wanted,
  );
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ location: store.location, isServed, tenants: reports }, null, 2)}\n`
      : text(reports, flags.blocks === true, isServed),
  );
  return reports.some(({ problem }) => problem !== undefined) ? ExitCode.failure : ExitCode.ok;
}

function text(reports: readonly TenantReport[], withBlocks: boolean, isServed: boolean): string {
  const lines = [isServed ? 'a server is running on it' : 'no server is running on it'];
  if (reports.length === 0) lines.push('no blocks are stored');
  for (const report of reports) {
    lines.push('', `tenant ${printable(report.tenant)}`);
    if (report.problem !== undefined) {
      lines.push(`  cannot be read: ${printable(report.problem)}`);
      continue;
    }
    lines.push(
      `  manifest ${report.sequence}, ${report.tombstones} removals pending, ${bytesText(report.bytes)}, ${report.samples} samples, ${report.bytesPerSample.toFixed(2)} bytes a sample`,
      ...report.deletions.map(
        ({ service, throughMillis }) =>
          `  being deleted: service ${printable(service)} through ${isoTime(throughMillis)}`,
      ),
      ...table([HEADER, ...levelRows(report.blocks)]),
    );
    if (withBlocks) lines.push(...table([BLOCK_HEADER, ...report.blocks.map(blockRow)]));
  }
  return `${lines.join('\n')}\n`;
}

const HEADER = ['level', 'blocks', 'from', 'to', 'profiles', 'samples', 'bytes', 'bytes a sample'];
const BLOCK_HEADER = [
  'block',
  'level',
  'from',
  'to',
  'series',
  'profiles',
  'samples',
  'bytes',
  'bytes a sample',
];
const LEVELS = ['cut', 'hour', 'day'];

function levelRows(blocks: readonly BlockReport[]): string[][] {
  const byLevel = Map.groupBy(blocks, ({ level }) => level);
  return [...byLevel]
    .sort(([a], [b]) => a - b)
    .map(([level, list]) => {
      const sum = (field: 'profiles' | 'samples' | 'bytes') =>
        list.reduce((total, block) => total + block[field], 0);
      return [
        LEVELS[level] ?? String(level),
        String(list.length),
        isoTime(
          list.reduce((least, { startMillis }) => Math.min(least, startMillis), Number.POSITIVE_INFINITY),
        ),
        isoTime(list.reduce((most, { endMillis }) => Math.max(most, endMillis), 0)),
        String(sum('profiles')),
        String(sum('samples')),
        bytesText(sum('bytes')),
        sum('samples') === 0 ? '-' : (sum('bytes') / sum('samples')).toFixed(2),
      ];
    });
}

function blockRow(block: BlockReport): string[] {
  return [
    block.id,
    LEVELS[block.level] ?? String(block.level),
    isoTime(block.startMillis),
    isoTime(block.endMillis),
    String(block.series),
    String(block.profiles),
    String(block.samples),
    bytesText(block.bytes),
    block.samples === 0 ? '-' : block.bytesPerSample.toFixed(2),
  ];
}

/** Columns as wide as what is in them. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd(),
  );
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A damaged store may say any number. */
function isoTime(millis: number): string {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? String(millis) : date.toISOString();
}
