// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope query`: asks a running server, and shows the answer in a terminal or hands it to other tools.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { nearest } from '@hearthscope/profile/nearest';
import { parseProfileType } from '@hearthscope/profile/profile-type';
import { DURATION_EXPECTED, parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';
import { ExitCode, UsageError } from '../exit-codes.ts';
import { type AnswerOutput, answerOutput } from '../query/answer-output.ts';
import { type Connection, call, callBytes, connectionOf, type JsonMessage } from '../query/connection.ts';
import { collapsedText, diffTableText, functionTableText, treeText } from '../query/flame-text.ts';
import { type FlameGraphMessage, type FlameNode, flameTree } from '../query/flame-tree.ts';
import { isoTime, type QuerySide, resolveQuery, selections, timeRange } from '../query/request.ts';
import { type SeriesMessage, seriesChart, seriesTable } from '../query/series-text.ts';

const QUERIER = 'querier.v1.QuerierService';
/** How many points a series has unless --step says otherwise. */
const POINTS = 60;
const LABEL_OF_NO_USE = /^__.*__$/;

type Flags = Readonly<Record<string, unknown>>;

interface Question {
  readonly connection: Connection;
  readonly flags: Flags;
  readonly output: AnswerOutput;
  /** One of the formats of the kind. */
  readonly format: string;
}

interface Kind {
  /** The first is the default. */
  readonly formats: readonly string[];
  readonly ask: (question: Question) => Promise<void>;
}

const kinds: Readonly<Record<string, Kind>> = {
  flamegraph: { formats: ['tree', 'collapsed', 'json', 'dot', 'table'], ask: askFlameGraph },
  series: { formats: ['chart', 'table', 'json'], ask: askSeries },
  pprof: { formats: ['pprof'], ask: askPprof },
  labels: { formats: ['table', 'json'], ask: askLabels },
  diff: { formats: ['table', 'json'], ask: askDiff },
};

/** @throws UsageError, and HearthscopeError with the server's code */
export async function query(flags: Flags): Promise<number> {
  const word = String((flags._ as readonly unknown[])[1]);
  const kind = Object.hasOwn(kinds, word) ? kinds[word] : undefined;
  if (kind === undefined) {
    const meant = nearest(word, Object.keys(kinds));
    throw new UsageError(
      `unknown kind of query ${word}${meant === undefined ? '' : `; did you mean ${meant}?`}; there are ${Object.keys(kinds).join(', ')}`,
    );
  }
  const format = (flags.format as string | undefined) ?? kind.formats[0]!;
  if (!kind.formats.includes(format)) {
    throw new UsageError(`--format: expected one of ${kind.formats.join(', ')} for ${word}, got ${format}`);
  }
  const output = answerOutput(flags.output as string | undefined);
  await kind.ask({ connection: connectionOf(flags, process.env), flags, output, format });
  return ExitCode.ok;
}

async function askFlameGraph({ connection, flags, output, format }: Question): Promise<void> {
  const { left } = await resolveQuery(connection, onlyOne(flags), timeRange(flags, Date.now()));
  const request = mergeRequest(left, flags);
  if (format === 'dot') {
    const { dot = '' } = await call<{ readonly dot?: string }>(
      connection,
      `${QUERIER}/SelectMergeStacktraces`,
      { ...request, format: 'PROFILE_FORMAT_DOT' },
    );
    return output.write(dot);
  }
  const { flamegraph = {} } = await call<{ readonly flamegraph?: FlameGraphMessage }>(
    connection,
    `${QUERIER}/SelectMergeStacktraces`,
    request,
  );
  if (format === 'json') return output.write(json(flamegraph));
  const root = needed(flameTree(flamegraph, 1), left);
  if (format === 'collapsed') return output.write(collapsedText(root));
  const { sampleType } = parseProfileType(left.profileTypeId);
  if (format === 'table') return output.write(functionTableText(root, sampleType.unit));
  await output.write(`${heading(left)}\n\n${treeText(root, sampleType.unit, output.terminal)}`);
}

async function askDiff({ connection, flags, output, format }: Question): Promise<void> {
  const { left, right } = await resolveQuery(connection, flags, timeRange(flags, Date.now()));
  if (right === undefined) {
    throw new UsageError("diff compares two selections: --query '{…} vs {…}', such as {…} vs {…, offset=7d}");
  }
  const { flamegraph = {} } = await call<{ readonly flamegraph?: FlameGraphMessage }>(
    connection,
    `${QUERIER}/Diff`,
    { left: mergeRequest(left, flags), right: mergeRequest(right, flags) },
  );
  if (format === 'json') return output.write(json(flamegraph));
  const root = needed(flameTree(flamegraph, 2), left);
  await output.write(
    `left   ${heading(left)}\nright  ${heading(right)}\n\n${diffTableText(root, output.terminal)}`,
  );
}

async function askSeries({ connection, flags, output, format }: Question): Promise<void> {
  const range = timeRange(flags, Date.now());
  const { left } = await resolveQuery(connection, onlyOne(flags), range);
  const stepSeconds = stepOf(flags, left);
  const groupBy = (flags['group-by'] as readonly string[] | undefined) ?? [];
  const { series = [] } = await call<{ readonly series?: readonly SeriesMessage[] }>(
    connection,
    `${QUERIER}/SelectSeries`,
    { ...selectorRequest(left), groupBy, step: stepSeconds },
  );
  if (format === 'json') return output.write(json({ series }));
  if (series.length === 0) throw nothing(left);
  const { sampleType } = parseProfileType(left.profileTypeId);
  const shown = { series, unit: sampleType.unit, range: left, stepSeconds };
  await output.write(
    format === 'table' ? seriesTable(shown) : `${heading(left)}\n\n${seriesChart(shown, output.terminal)}`,
  );
}

async function askPprof({ connection, flags, output }: Question): Promise<void> {
  if (output.isTerminal) throw new UsageError('a pprof file is not for a terminal: name one with --output');
  const { left } = await resolveQuery(connection, onlyOne(flags), timeRange(flags, Date.now()));
  const request = new ProtobufWriter();
  request.string(1, left.profileTypeId);
  request.string(2, left.labelSelector);
  request.int64(3, BigInt(left.startMillis));
  request.int64(4, BigInt(left.endMillis));
  const maxNodes = maxNodesOf(flags);
  if (maxNodes !== undefined) request.int64(5, BigInt(maxNodes));
  const bytes = Uint8Array.from(request.finish());
  const profile = await callBytes(connection, `${QUERIER}/SelectMergeProfile`, bytes);
  if (profile.length === 0) throw nothing(left);
  await output.write(await promisify(gzip)(profile));
}

async function askLabels({ connection, flags, output, format }: Question): Promise<void> {
  const { startMillis, endMillis } = timeRange(flags, Date.now());
  const name = flags.label as string | undefined;
  const { names = [] } = await call<{ readonly names?: readonly string[] }>(
    connection,
    `${QUERIER}/${name === undefined ? 'LabelNames' : 'LabelValues'}`,
    {
      matchers: [selections(onlyOne(flags)).left.labelSelector],
      start: String(startMillis),
      end: String(endMillis),
      ...(name !== undefined && { name }),
    },
  );
  const shown = name === undefined ? names.filter((label) => !LABEL_OF_NO_USE.test(label)) : names;
  await output.write(format === 'json' ? json({ names }) : shown.map((label) => `${label}\n`).join(''));
}

/** @throws UsageError when two selections are given where one is asked for */
function onlyOne(flags: Flags): Flags {
  if (selections(flags).right !== undefined) {
    throw new UsageError('two selections are for `hearthscope query diff`');
  }
  return flags;
}

function selectorRequest(side: QuerySide): JsonMessage {
  return {
    profile_typeID: side.profileTypeId,
    labelSelector: side.labelSelector,
    start: String(side.startMillis),
    end: String(side.endMillis),
  };
}

function mergeRequest(side: QuerySide, flags: Flags): JsonMessage {
  const maxNodes = maxNodesOf(flags);
  return { ...selectorRequest(side), ...(maxNodes !== undefined && { maxNodes }) };
}

function maxNodesOf(flags: Flags): string | undefined {
  const text = flags['max-nodes'] as string | undefined;
  if (text !== undefined && !/^[1-9]\d{0,9}$/.test(text)) {
    throw new UsageError(`--max-nodes: expected a number from 1 on, got ${JSON.stringify(text)}`);
  }
  return text;
}

/** Seconds; at least one. */
function stepOf({ step }: Flags, { startMillis, endMillis }: QuerySide): number {
  if (step === undefined) return Math.max(1, Math.round((endMillis - startMillis) / 1000 / POINTS));
  const millis = parseDurationMillis(step as string);
  if (millis === undefined || millis === 0) {
    throw new UsageError(`--step: expected ${DURATION_EXPECTED}, got ${JSON.stringify(step)}`);
  }
  return millis / 1000;
}

function heading({ labelSelector, profileTypeId, startMillis, endMillis }: QuerySide): string {
  return `${profileTypeId} ${labelSelector}  ${isoTime(startMillis)} to ${isoTime(endMillis)}`;
}

function needed(root: FlameNode | undefined, side: QuerySide): FlameNode {
  if (root === undefined) throw nothing(side);
  return root;
}

function nothing(side: QuerySide): HearthscopeError {
  return new HearthscopeError('not_found', `no profiles match ${heading(side)}`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
