// SPDX-License-Identifier: Apache-2.0
//
// What is shown of a file: one of its profiles, or how it differs from that of another file, as flamebearer JSON.

import type { DecodeLimits } from '@hearthscope/profile/codecs/decode-limits';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { toFlameGraph } from '@hearthscope/profile/flame-graph';
import { toFlameGraphDiff } from '@hearthscope/profile/flame-graph-diff';
import { type StackTree, StackTreeBuilder } from '@hearthscope/profile/stack-tree';
import { encodeFlamebearer } from '../legacy/flamebearer.ts';
import {
  type AdhocContent,
  type AdhocInput,
  type AdhocProfile,
  type AdhocSide,
  readAdhocFile,
} from './adhoc-file.ts';

interface ViewChoice {
  /** Undefined, or one that the file does not have, for the first. */
  readonly profileType: string | undefined;
  /** 0 for all. */
  readonly maxNodes: number;
  readonly limits: DecodeLimits;
}

export interface ViewQuestion extends ViewChoice {
  readonly kind: 'view';
  readonly file: AdhocInput;
}

export interface DiffQuestion extends ViewChoice {
  readonly kind: 'diff';
  readonly left: AdhocInput;
  readonly right: AdhocInput;
}

export interface AdhocAnswer {
  /** What is shown. */
  readonly profileType: string;
  /** All that could be. */
  readonly profileTypes: readonly string[];
  readonly flamebearer: string;
  /** Parts of the files that were left out or changed, by reason. */
  readonly repairs: Readonly<Record<string, number>>;
}

/** @throws HearthscopeError invalid_argument */
export function answerAdhoc(question: ViewQuestion | DiffQuestion): AdhocAnswer {
  return question.kind === 'view' ? view(question) : diff(question);
}

function view({ file, profileType, maxNodes, limits }: ViewQuestion): AdhocAnswer {
  const content = read(file, limits, 'profile');
  const shown = chosen(content, profileType);
  return {
    profileType: shown.type,
    profileTypes: typesOf(content),
    flamebearer: encodeProfile(shown, maxNodes),
    repairs: repairsOf([content]),
  };
}

function diff({ left, right, profileType, maxNodes, limits }: DiffQuestion): AdhocAnswer {
  const leftContent = read(left, limits, 'left profile');
  const rightContent = read(right, limits, 'right profile');
  const common = typesOf(leftContent).filter((type) => typesOf(rightContent).includes(type));
  const leftProfile = chosen(leftContent, profileType);
  const rightProfile = chosen(rightContent, profileType);
  // Texts have no type but the name of their file; two of them can be compared all the same.
  const areTexts = [leftContent, rightContent].every(({ format }) => isText(format));
  if (!areTexts) {
    if (common.length === 0) {
      throw invalid(
        `no common profile types between left (${typesOf(leftContent).join(' ')}) and right (${typesOf(rightContent).join(' ')})`,
      );
    }
    if (leftProfile.type !== rightProfile.type) {
      throw invalid(
        `profile type mismatch: left profile uses '${leftProfile.type}', right profile uses '${rightProfile.type}'; please specify a profile type from the common types: ${common.join(' ')}`,
      );
    }
  }
  if (leftProfile.right !== undefined || rightProfile.right !== undefined) {
    throw invalid('a file that is a comparison itself cannot be compared');
  }
  const compared: AdhocProfile = {
    ...leftProfile,
    metadata: { ...leftProfile.metadata, format: 'double' },
    right: rightProfile.side,
  };
  return {
    profileType: leftProfile.type,
    profileTypes: areTexts ? [leftProfile.type] : common,
    flamebearer: encodeProfile(compared, maxNodes),
    repairs: repairsOf([leftContent, rightContent]),
  };
}

function encodeProfile({ metadata, side, right }: AdhocProfile, maxNodes: number): string {
  if (right === undefined) {
    return encodeFlamebearer({ graph: toFlameGraph(treeOf(side), maxNodes), metadata });
  }
  const graph = toFlameGraphDiff(treeOf(side), treeOf(right), maxNodes);
  return encodeFlamebearer({ graph, metadata, leftTicks: graph.leftTicks, rightTicks: graph.rightTicks });
}

function treeOf({ profile, valueType }: AdhocSide): StackTree {
  const builder = new StackTreeBuilder();
  builder.addProfile(profile, valueType);
  return builder.build();
}

function read(file: AdhocInput, limits: DecodeLimits, what: string): AdhocContent {
  try {
    return readAdhocFile(file, limits);
  } catch (error) {
    if (!(error instanceof HearthscopeError)) throw error;
    throw new HearthscopeError(error.code, `failed to parse ${what}: ${messageOf(error)}`, { cause: error });
  }
}

function chosen({ profiles }: AdhocContent, profileType: string | undefined): AdhocProfile {
  return profiles.find(({ type }) => type === profileType) ?? profiles[0]!;
}

function typesOf({ profiles }: AdhocContent): string[] {
  return profiles.map(({ type }) => type);
}

function isText(format: AdhocContent['format']): boolean {
  return format === 'collapsed' || format === 'perf_script';
}

function repairsOf(contents: readonly AdhocContent[]): Record<string, number> {
  const repairs: Record<string, number> = {};
  for (const { report } of contents) {
    for (const { reason, count } of [...report.repaired, ...report.rejected]) {
      repairs[reason] = (repairs[reason] ?? 0) + count;
    }
  }
  return repairs;
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
