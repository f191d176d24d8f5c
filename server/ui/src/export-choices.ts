// SPDX-License-Identifier: Apache-2.0
//
// Which files there are to be had of what is shown.

import { collapsedFile, type ExportFormat, type Exports, flamebearerFile, formatsOf } from './api/exports.ts';
import type { ProfileSelection } from './api/querier.ts';
import { collapsedStacks } from './flamegraph/collapsed-stacks.ts';
import type { ExportChoice, ExportGroup } from './parts/export-menu.tsx';
import type { FilesData, ProfileData } from './profile-data.ts';

const FORMATS: Readonly<Record<ExportFormat, { readonly title: string; readonly detail: string }>> = {
  pprof: { title: 'pprof', detail: 'All frames, with lines · .pb.gz' },
  flamebearer: { title: 'Flamebearer JSON', detail: 'Graph and timeline · .json' },
  dot: { title: 'DOT', detail: 'Call graph · .dot' },
  collapsed: { title: 'Collapsed stacks', detail: 'One stack a line · .collapsed' },
};

export function exportGroups(data: ProfileData, exports: Exports): ExportGroup[] {
  if (data.files !== undefined) return [{ title: '', choices: choicesOfFile(data, data.files) }];
  const { courses } = data;
  if (courses === undefined || data.profileTypeId === '') return [];
  const shown = courses.shown.selection;
  if (courses.baseline === undefined) return [{ title: '', choices: choicesOf(shown, exports) }];
  const baseline = courses.baseline.selection;
  const diff: ExportChoice = {
    ...FORMATS.flamebearer,
    detail: 'Both sides in one graph · .json',
    make: (signal) => exports.diff(baseline, shown, signal),
  };
  return [
    // The plain endpoints know no single profile.
    ...(shown.single === undefined ? [{ title: 'Difference', choices: [diff] }] : []),
    { title: 'Baseline', choices: choicesOf(baseline, exports) },
    { title: 'Comparison', choices: choicesOf(shown, exports) },
  ];
}

function choicesOf(selection: ProfileSelection, exports: Exports): ExportChoice[] {
  return formatsOf(selection).map((format) => ({
    ...FORMATS[format],
    make: (signal) => exports.profile(selection, format, signal),
  }));
}

function choicesOfFile({ compared, shown }: ProfileData, files: FilesData): ExportChoice[] {
  const name = files.file.name.replace(/\.(gz|pb|pprof|json|collapsed|folded)$/g, '');
  const flamebearer: ExportChoice = {
    ...FORMATS.flamebearer,
    detail: 'The graph as shown · .json',
    make: async () => flamebearerFile(name, files.flamebearer),
  };
  const collapsed: ExportChoice = {
    ...FORMATS.collapsed,
    make: async () => collapsedFile(name, collapsedStacks(shown.layout)),
  };
  return compared === undefined ? [flamebearer, collapsed] : [flamebearer];
}
