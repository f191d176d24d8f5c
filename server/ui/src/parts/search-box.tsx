// SPDX-License-Identifier: Apache-2.0
//
// The search field of the flame graph and the table. The slash key comes here from anywhere on the page.

import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './icons.tsx';

export interface SearchBoxProps {
  readonly value: string;
  readonly onInput: (value: string) => void;
  /** What was found, in words; '' without a search. */
  readonly result: string;
  readonly isInvalid: boolean;
}

export function SearchBox({ value, onInput, result, isInvalid }: SearchBoxProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof Element && event.target.closest('input, textarea, select');
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      field.current!.select();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    onInput('');
  };
  return (
    <search class="search">
      <Icon name="search" />
      <input
        ref={field}
        class="field"
        type="text"
        aria-label="Search functions"
        aria-invalid={isInvalid}
        placeholder="Search functions"
        title="Text, or /regular expression/"
        autocomplete="off"
        spellcheck={false}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={keyDown}
      />
      {value === '' ? (
        <kbd>/</kbd>
      ) : (
        <button type="button" class="search-clear" aria-label="Clear search" onClick={() => onInput('')}>
          <Icon name="close" />
        </button>
      )}
      <output class={`search-result ${isInvalid ? 'is-invalid' : ''}`}>{result}</output>
    </search>
  );
}
