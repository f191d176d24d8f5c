// SPDX-License-Identifier: Apache-2.0
//
// One look at the server: what there is to pick from, the flame graph or the two that are compared, and the course of
// the same selection over time. A file is looked at in the same way, without a course.

import type { AdhocFiles, FileProfile, UploadedFile } from './api/adhoc.ts';
import type { HeatmapSlot } from './api/heatmap.ts';
import type { ProfileSelection, Querier } from './api/querier.ts';
import { type Baseline, baselineWindow } from './baseline.ts';
import { type Catalogue, catalogueOf, chooseProfileType } from './catalogue.ts';
import { type DiffLayout, type FlameDiffMessage, layoutDiff, layoutSide } from './flamegraph/diff-layout.ts';
import { type FunctionTotals, functionTotals } from './flamegraph/function-totals.ts';
import { type FlameGraphMessage, type FlameLayout, layoutFlameGraph } from './flamegraph/layout.ts';
import { labelSelector } from './label-selector.ts';
import { nextTask } from './next-task.ts';
import { resolveTimeRange, type TimeRange, type TimeWindow } from './time-range.ts';
import { type TimelineColumns, type TimelineGrid, timelineColumns, timelineGrid } from './timeline-grid.ts';
import { type Measure, measureOf, measureOfFile } from './units.ts';
import type { Overview, Single } from './url-state.ts';

/** What the reader picked; `type` '' means the best there is. */
export interface ProfileQuery {
  readonly service: string;
  readonly type: string;
  readonly filter: string;
  readonly range: TimeRange;
  readonly baseline: Baseline | undefined;
  readonly single: Single | undefined;
  readonly overview: Overview;
  /** '' for what is stored. */
  readonly file: string;
  readonly baseFile: string;
}

export interface Sources {
  readonly querier: Querier;
  readonly files: AdhocFiles;
}

/** One profile, ready to be drawn. */
export interface ShownProfile {
  /** Without a node when there is no profile. */
  readonly layout: FlameLayout;
  readonly functions: FunctionTotals;
}

/** What the shown profile is compared with. All three layouts have the same names. */
export interface Compared {
  readonly baseline: ShownProfile;
  readonly diff: DiffLayout;
}

/** The course of one selection over time. */
export interface Course {
  readonly selection: ProfileSelection;
  readonly grid: TimelineGrid;
  readonly timeline: TimelineColumns;
  /** undefined unless it is asked for. */
  readonly heatmap: readonly HeatmapSlot[] | undefined;
}

export interface Courses {
  readonly shown: Course;
  readonly baseline: Course | undefined;
}

export interface FilesData {
  readonly file: UploadedFile;
  readonly baseFile: UploadedFile | undefined;
  readonly profileTypes: readonly string[];
  readonly flamebearer: string;
}

export interface ProfileData {
  readonly query: ProfileQuery;
  /** Empty for a file. */
  readonly catalogue: Catalogue;
  /** '' when there is no profile of any type in the window. */
  readonly profileTypeId: string;
  readonly measure: Measure;
  readonly shown: ShownProfile;
  readonly compared: Compared | undefined;
  /** undefined for a file. */
  readonly courses: Courses | undefined;
  readonly files: FilesData | undefined;
  readonly receivedAtMillis: number;
}

/** Whether two queries ask for the same profiles, be it at different times. */
export function isSameSelection(one: ProfileQuery, other: ProfileQuery): boolean {
  return (
    one.service === other.service &&
    one.type === other.type &&
    one.filter === other.filter &&
    one.baseline?.service === other.baseline?.service &&
    one.baseline?.filter === other.baseline?.filter &&
    one.single?.id === other.single?.id &&
    one.file === other.file &&
    one.baseFile === other.baseFile
  );
}

/** Whether there is a bar below the root to look at. */
export function hasFrames({ shown, compared }: ProfileData): boolean {
  return (compared?.diff.layout ?? shown.layout).length > 1;
}

/** @throws HearthscopeError */
export function loadProfileData(
  sources: Sources,
  query: ProfileQuery,
  signal: AbortSignal,
): Promise<ProfileData> {
  return query.file === ''
    ? loadStored(sources.querier, query, signal)
    : loadFile(sources.files, query, signal);
}

async function loadStored(querier: Querier, query: ProfileQuery, signal: AbortSignal): Promise<ProfileData> {
  const nowMillis = Date.now();
  const window = resolveTimeRange(query.range, nowMillis);
  const catalogue = catalogueOf(await querier.catalogue(window, signal));
  const profileTypeId = chooseProfileType(catalogue, query.service, query.type);
  const { baseline, single } = query;
  const selection = selectionOf(query, profileTypeId, window, single);
  const compared =
    baseline &&
    selectionOf(baseline, profileTypeId, baselineWindow(baseline.time, window, nowMillis), undefined);
  const [profiles, shownCourse, baselineCourse] = await Promise.all([
    compared === undefined
      ? askProfile(querier, selection, signal)
      : askComparison(querier, compared, selection, signal),
    askCourse(querier, selection, query.overview, signal),
    compared && askCourse(querier, compared, query.overview, signal),
  ]);
  return {
    query,
    catalogue,
    profileTypeId,
    measure: measureOf(profileTypeId),
    ...profiles,
    courses: { shown: shownCourse, baseline: baselineCourse },
    files: undefined,
    receivedAtMillis: Date.now(),
  };
}

function selectionOf(
  { service, filter }: { readonly service: string; readonly filter: string },
  profileTypeId: string,
  window: TimeWindow,
  single: Single | undefined,
): ProfileSelection {
  return { profileTypeId, labelSelector: labelSelector(service, filter), ...window, single };
}

async function loadFile(files: AdhocFiles, query: ProfileQuery, signal: AbortSignal): Promise<ProfileData> {
  const { file, baseFile, type } = query;
  const [profile, all] = await Promise.all([
    baseFile === '' ? files.get(file, type, signal) : files.diff(baseFile, file, type, signal),
    files.list(signal),
  ]);
  const named = (id: string): UploadedFile =>
    all.find((each) => each.id === id) ?? { id, name: id, uploadedAtMillis: 0 };
  return {
    query,
    catalogue: catalogueOf([]),
    profileTypeId: type,
    measure: measureOfFile(profile.metadata),
    ...(await profilesOfFile(profile)),
    courses: undefined,
    files: {
      file: named(file),
      baseFile: baseFile === '' ? undefined : named(baseFile),
      profileTypes: profile.profileTypes,
      flamebearer: profile.flamebearer,
    },
    receivedAtMillis: Date.now(),
  };
}

type Profiles = Pick<ProfileData, 'shown' | 'compared'>;

const NOTHING: FlameGraphMessage = { names: [], levels: [] };

async function askProfile(
  querier: Querier,
  selection: ProfileSelection,
  signal: AbortSignal,
): Promise<Profiles> {
  const message = selection.profileTypeId === '' ? NOTHING : await querier.flameGraph(selection, signal);
  return oneProfile(message);
}

async function askComparison(
  querier: Querier,
  baseline: ProfileSelection,
  comparison: ProfileSelection,
  signal: AbortSignal,
): Promise<Profiles> {
  const message =
    comparison.profileTypeId === '' ? NOTHING : await querier.diff(baseline, comparison, signal);
  return twoProfiles(message);
}

function profilesOfFile({ isDiff, graph }: FileProfile): Promise<Profiles> {
  return isDiff ? twoProfiles(graph) : oneProfile(graph);
}

// Reading an answer, laying it out and rendering it are tasks of up to 30 ms each; together they would be felt.

async function oneProfile(message: FlameGraphMessage): Promise<Profiles> {
  await nextTask();
  return { shown: await shownProfile(layoutFlameGraph(message)), compared: undefined };
}

async function twoProfiles(message: FlameDiffMessage): Promise<Profiles> {
  await nextTask();
  const diff = layoutDiff(message);
  await nextTask();
  const baseline = await shownProfile(layoutSide(message, 'left'));
  const shown = await shownProfile(layoutSide(message, 'right'));
  return { shown, compared: { baseline, diff } };
}

async function shownProfile(layout: FlameLayout): Promise<ShownProfile> {
  await nextTask();
  const functions = functionTotals(layout);
  await nextTask();
  return { layout, functions };
}

async function askCourse(
  querier: Querier,
  selection: ProfileSelection,
  overview: Overview,
  signal: AbortSignal,
): Promise<Course> {
  const grid = timelineGrid(selection);
  const aligned = { ...selection, startMillis: grid.startMillis, endMillis: grid.endMillis };
  const isKnown = selection.profileTypeId !== '';
  const [points, heatmap] = await Promise.all([
    isKnown ? querier.series(aligned, grid.stepMillis, signal) : [],
    isKnown && overview !== 'timeline'
      ? querier.heatmap(aligned, overview, grid.stepMillis, signal)
      : undefined,
  ]);
  return { selection, grid, timeline: timelineColumns(grid, points), heatmap };
}
