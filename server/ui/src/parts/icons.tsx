// SPDX-License-Identifier: Apache-2.0
//
// The page's own icons, drawn on a 16-pixel grid with a 1.5-pixel line. They decorate; what they stand for is said in
// words beside them or in the label of their button.

const PATHS = {
  chevron: 'M4.5 6.5 8 10l3.5-3.5',
  check: 'm3.5 8.5 3 3 6-7',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3l3.2 3.2',
  close: 'm4.5 4.5 7 7m0-7-7 7',
  clock: 'M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 5v3.2l2.2 1.3',
  refresh: 'M13.2 7A5.3 5.3 0 0 0 3.5 5.2M2.8 9a5.3 5.3 0 0 0 9.7 1.8M3.3 2.3v3.2h3.2m6.2 8.2v-3.2H9.5',
  filter: 'M2.5 4h11M4.8 8h6.4M6.8 12h2.4',
  copy: 'M6 6V3.8c0-.7.6-1.3 1.3-1.3h4.9c.7 0 1.3.6 1.3 1.3v4.9c0 .7-.6 1.3-1.3 1.3H10M3.8 6h4.9c.7 0 1.3.6 1.3 1.3v4.9c0 .7-.6 1.3-1.3 1.3H3.8c-.7 0-1.3-.6-1.3-1.3V7.3C2.5 6.6 3.1 6 3.8 6Z',
  flame: 'M2.5 3.5h11M2.5 6.5h8M2.5 9.5h5.5M2.5 12.5h2.5',
  table: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M9.5 3.5v9',
  both: 'M2.5 3.5h11v9h-11zM7 3.5v9',
  diff: 'M2.5 4h6.5v3H2.5zM2.5 9.5h11v3h-11zM11.5 5.5h2',
  sides: 'M2.5 3.5h4.5v9H2.5zM9 3.5h4.5v9H9z',
  compare: 'M5.5 3v10M10.5 3v10M2.5 5.5h1M12.5 5.5h1M2.5 10.5h1M12.5 10.5h1',
  swap: 'M3 5.5h9.5M10 3l2.5 2.5L10 8M13 10.5H3.5M6 8l-2.5 2.5L6 13',
  file: 'M4 2.5h5l3 3v8H4zM9 2.5v3h3',
  download: 'M8 2.5v7.5M5 7.2l3 3 3-3M3 13.2h10',
  upload: 'M8 10.5V3M5 5.8l3-3 3 3M3 13.2h10',
  query:
    'M6 3.5c-1.6 0-1.4 1-1.4 2.4S4.2 8 3 8c1.2 0 1.6.7 1.6 2.1S4.4 12.5 6 12.5M10 3.5c1.6 0 1.4 1 1.4 2.4S11.8 8 13 8c-1.2 0-1.6.7-1.6 2.1s.2 2.4-1.4 2.4',
  zoomOut: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3l3.2 3.2M5 7h4',
  warning: 'M8 2.8 14 13H2L8 2.8ZM8 6.8v2.7m0 1.8v.1',
  service: 'M2.5 3.5h11v3.5h-11zM2.5 9h11v3.5h-11zM5 5.25h.01M5 10.75h.01',
  gauge: 'M2.8 12a6 6 0 1 1 10.4 0M8 9.5l2.5-3',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a flame on its hearth. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <rect class="mark-ground" width="24" height="24" rx="6" />
      <path
        class="mark-flame"
        d="M12 4.2c.5 2.7-3.9 4.6-3.9 8.8a3.9 3.9 0 0 0 7.8 0c0-1.7-.9-2.8-1.4-3.6-.2 1-.7 1.5-1.3 1.8.4-2.6-.3-5.2-1.2-7z"
      />
      <path class="mark-hearth" d="M6 19.2h12" />
    </svg>
  );
}
