// SPDX-License-Identifier: Apache-2.0
//
// Finds what a mistyped option, key or command was probably meant to be.

/** Beyond this share of the word's length a suggestion is a guess that misleads. */
const MAX_DISTANCE_SHARE = 0.5;
/** Words longer than this are not compared: the distance costs length times length. */
const MAX_WORD_LENGTH = 100;

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let distance = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) distance = Math.min(distance, beforePrevious[column - 2]! + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/** The candidate closest to `word`, or undefined when none is close enough to be what was meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD_LENGTH) return undefined;
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return bestDistance <= Math.max(2, Math.floor(word.length * MAX_DISTANCE_SHARE)) ? best : undefined;
}

/** `; did you mean X?`, or nothing when no candidate is close. */
export function suggestion(word: string, candidates: Iterable<string>, prefix = ''): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? '' : `; did you mean ${prefix}${candidate}?`;
}
