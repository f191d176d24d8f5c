// SPDX-License-Identifier: Apache-2.0
//
// The selection as a text that people write, `{service="x"}{type="cpu"}` or `{…} vs {…, offset=7d}`, and back. The first
// of two is the baseline. Offsets count from the later of both time ranges, so that applying the text of what is shown
// changes nothing.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { ProfileTypeLabels } from '@hearthscope/profile/labels';
import {
  type DialectQuery,
  type DialectSelection,
  parseQueryDialect,
} from '@hearthscope/profile/query-dialect/query-dialect';
import { profileTypeOfName } from '@hearthscope/profile/query-dialect/type-name';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { type Baseline, type BaselineTime, SAME_TIME } from './baseline.ts';
import type { Catalogue } from './catalogue.ts';
import { labelSelector, type SelectorParts, selectorParts } from './label-selector.ts';
import { formatSpan, resolveTimeRange, shiftRange } from './time-range.ts';
import { sampleTypeOf } from './units.ts';
import type { PageState } from './url-state.ts';

const SECOND_MILLIS = 1_000;

export type QuerySelection = Pick<PageState, 'service' | 'filter' | 'type' | 'range' | 'baseline'>;

/** @param profileTypeId what is shown, '' for nothing
 * @param available profile type ids, of which a short name must mean the one shown */
export function formatQuery(
  selection: QuerySelection,
  profileTypeId: string,
  available: readonly string[],
): string {
  const type = typeText(profileTypeId, available);
  const { baseline } = selection;
  if (baseline === undefined) return sideText(selection, 0) + type;
  const shift = shiftMillis(selection, baseline.time) ?? 0;
  const left = sideText(baseline, Math.max(0, shift));
  const right = sideText(selection, Math.max(0, -shift));
  return `${left}${type} vs ${right}${type}`;
}

function sideText({ service, filter }: SelectorParts, offsetMillis: number): string {
  const selector = labelSelector(service, filter);
  if (offsetMillis === 0) return selector;
  const inner = selector.slice(1, -1);
  return `{${inner === '' ? '' : `${inner}, `}offset=${formatSpan(offsetMillis)}}`;
}

function typeText(profileTypeId: string, available: readonly string[]): string {
  if (profileTypeId === '') return '';
  const short = sampleTypeOf(profileTypeId);
  const isClear = short !== undefined && profileTypeOfName(short, available) === profileTypeId;
  return `{type=${JSON.stringify(isClear ? short : profileTypeId)}}`;
}

/** The change of the page that shows what the text says.
 * @throws HearthscopeError invalid_argument, with the position where there is one */
export function applyQuery(
  text: string,
  selection: QuerySelection,
  catalogue: Catalogue | undefined,
): QuerySelection {
  const { left, right }: DialectQuery = parseQueryDialect(text);
  const one = sideOf(left, catalogue);
  if (right === undefined) {
    const range = shiftRange(selection.range, wholeSeconds(left.offsetMillis));
    return { ...one.parts, type: one.type || selection.type, range, baseline: undefined };
  }
  const other = sideOf(right, catalogue);
  if (one.type !== '' && other.type !== '' && one.type !== other.type) {
    throw invalid(`both sides must be of one profile type, not of ${one.type} and ${other.type}`);
  }
  return {
    ...other.parts,
    type: one.type || other.type || selection.type,
    ...comparedTimes(selection, one.parts, wholeSeconds(left.offsetMillis), wholeSeconds(right.offsetMillis)),
  };
}

/** The times of both sides by their offsets from the later of those shown. */
function comparedTimes(
  selection: QuerySelection,
  parts: SelectorParts,
  leftOffset: number,
  rightOffset: number,
): { readonly range: PageState['range']; readonly baseline: Baseline } {
  const time = selection.baseline?.time ?? SAME_TIME;
  const shownShift = shiftMillis(selection, time);
  const shift = leftOffset - rightOffset;
  // What the text cannot say better stays as it is: a fixed range, or "the period before".
  if (shift === (shownShift ?? 0) && rightOffset === Math.max(0, -(shownShift ?? 0))) {
    return { range: selection.range, baseline: { ...parts, time } };
  }
  const latest = shownShift !== undefined && shownShift < 0 ? shownShift : 0;
  const range = shiftRange(selection.range, latest + rightOffset);
  return { range, baseline: { ...parts, time: { kind: 'shift', millis: shift } } };
}

/** How long before the selection's time; undefined where that cannot be said. */
function shiftMillis({ range }: QuerySelection, time: BaselineTime): number | undefined {
  if (time.kind === 'shift') return time.millis;
  if (time.kind === 'range') return undefined;
  const { startMillis, endMillis } = resolveTimeRange(range, Date.now());
  return wholeSeconds(endMillis - startMillis);
}

function sideOf(
  selection: DialectSelection,
  catalogue: Catalogue | undefined,
): { readonly parts: SelectorParts; readonly type: string } {
  const matchers = parseSelector(selection.labelSelector);
  const isType = (name: string): boolean => name === ProfileTypeLabels.profileType;
  const written = matchers.find(({ name, operator }) => isType(name) && operator === '=');
  const rest = matchers.filter((matcher) => matcher !== written);
  const type = selection.profileTypeId ?? namedType(selection.typeName, catalogue) ?? written?.value ?? '';
  return { parts: selectorParts(rest, catalogue?.services ?? []), type };
}

function namedType(name: string | undefined, catalogue: Catalogue | undefined): string | undefined {
  if (name === undefined) return undefined;
  const available = catalogue?.profileTypes('') ?? [];
  const id = profileTypeOfName(name, available);
  if (id !== undefined) return id;
  const known = available.map((each) => sampleTypeOf(each) ?? each);
  const hint = known.length === 0 ? 'there are none in this time range' : `there are ${known.join(', ')}`;
  throw invalid(`no profile type is called ${JSON.stringify(name)}: ${hint}`);
}

/** The character that an error is about, from 0; undefined when it does not say one of the text itself. */
export function errorPosition(message: string): number | undefined {
  const position = /^query: .* at character (\d+)$/s.exec(message)?.[1];
  return position === undefined ? undefined : Number(position) - 1;
}

function wholeSeconds(millis: number): number {
  return Math.round(millis / SECOND_MILLIS) * SECOND_MILLIS;
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
