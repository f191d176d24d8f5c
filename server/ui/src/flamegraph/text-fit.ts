// SPDX-License-Identifier: Apache-2.0
//
// Cuts a name to the width of its bar without asking the canvas for each one: advances of ASCII characters are measured
// once per font. Kerning is ignored, which errs by less than the padding of a bar.

const ASCII = 128;
const ELLIPSIS = '…';
/** Fewer characters than this tell nothing. */
const MIN_CHARS = 3;

export class TextFit {
  readonly #advance = new Float32Array(ASCII);
  readonly #wideAdvance: number;
  readonly #ellipsisAdvance: number;

  /** `measure` gives the width of a text in CSS pixels in the font that will be used. */
  constructor(measure: (text: string) => number) {
    for (let code = 0x20; code < ASCII; code++) this.#advance[code] = measure(String.fromCharCode(code));
    // Full width, so that a text of any script fits.
    this.#wideAdvance = measure('漢');
    this.#ellipsisAdvance = measure(ELLIPSIS);
  }

  /** As much of the name as fits into `maxWidth`, with an ellipsis when it is cut; '' when that is too little. */
  fit(name: string, maxWidth: number): string {
    let width = 0;
    let keep = 0;
    for (let at = 0; at < name.length; at++) {
      if (width + this.#ellipsisAdvance <= maxWidth) keep = at;
      const code = name.charCodeAt(at);
      width += code < ASCII ? this.#advance[code]! : this.#wideAdvance;
      if (width > maxWidth) return keep < MIN_CHARS ? '' : withoutHalfPair(name, keep) + ELLIPSIS;
    }
    return name;
  }
}

/** Never cuts a surrogate pair in two. */
function withoutHalfPair(name: string, length: number): string {
  const isHalf = (name.charCodeAt(length - 1) & 0xfc00) === 0xd800;
  return name.slice(0, isHalf ? length - 1 : length);
}
