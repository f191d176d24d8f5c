// SPDX-License-Identifier: Apache-2.0
//
// How answers look in a terminal: colours, bars, sparklines and tables. Colours only where a person looks at them.

import { printable } from './connection.ts';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const SPARKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const DEFAULT_COLUMNS = 100;

/** Wraps a text in a colour of the 256-colour palette, or leaves it as it is. */
export type Paint = (text: string, colour: number) => string;

export interface Terminal {
  readonly columns: number;
  readonly paint: Paint;
}

/** @param environment NO_COLOR, when it is there and not empty, forbids colours (https://no-color.org) */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isColoured = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  return {
    columns: stream.columns || DEFAULT_COLUMNS,
    paint: isColoured ? (text, colour) => `\x1b[38;5;${colour}m${text}\x1b[0m` : (text) => text,
  };
}

/** A bar of at most `width` characters. @param share 0 to 1 */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const text = '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
  return text.padEnd(width);
}

/** One character a value; a space where there is none. */
export function sparkline(values: readonly (number | undefined)[]): string {
  const max = Math.max(0, ...values.filter((value) => value !== undefined));
  return values
    .map((value) => {
      if (value === undefined) return ' ';
      const step = max === 0 ? 0 : Math.floor((value / max) * (SPARKS.length - 1) + 0.5);
      return SPARKS[Math.min(SPARKS.length - 1, Math.max(0, step))];
    })
    .join('');
}

/** A name as a line of a terminal can hold it. @param width characters; a longer text loses its end */
export function fit(text: string, width: number): string {
  const clean = printable(text);
  return clean.length <= width ? clean : `${clean.slice(0, Math.max(0, width - 1))}…`;
}

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** Columns as wide as they need to be, two spaces between. Ends in a line feed. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i]!.isNumber ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return `${[columns.map(({ title }) => title), ...rows].map(line).join('\n')}\n`;
}
