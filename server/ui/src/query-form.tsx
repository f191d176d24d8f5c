// SPDX-License-Identifier: Apache-2.0
//
// The selection as a text, for those who would rather write it: the same as what the pickers say.

import { messageOf } from '@hearthscope/profile/errors';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Catalogue } from './catalogue.ts';
import { applyQuery, errorPosition, formatQuery } from './query-text.ts';
import type { PageState } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

export interface QueryFormProps {
  readonly state: PageState;
  readonly catalogue: Catalogue | undefined;
  /** The type that is shown, whether picked or chosen by the page. */
  readonly profileTypeId: string;
  readonly onChange: ChangePageState;
}

export function QueryForm({ state, catalogue, profileTypeId, onChange }: QueryFormProps) {
  const { service, filter, type, range, baseline } = state;
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const shown = formatQuery(state, profileTypeId, catalogue?.profileTypes('') ?? []);
  const [typed, setTyped] = useState<string>();
  const [error, setError] = useState('');
  // What the pickers change is written anew; the text alone may change with the clock.
  useEffect(() => {
    setTyped(undefined);
    setError('');
  }, [service, filter, type, range, baseline]);

  const apply = (event: Event): void => {
    event.preventDefault();
    try {
      const query = applyQuery(typed ?? shown, state, catalogue);
      setTyped(undefined);
      setError('');
      onChange({ ...query, single: undefined, root: [] });
    } catch (failure) {
      setError(messageOf(failure));
      const position = errorPosition(messageOf(failure));
      field.current!.focus();
      if (position !== undefined) field.current!.setSelectionRange(position, position + 1);
    }
  };
  const isChanged = typed !== undefined && typed !== shown;
  return (
    <form class="query-form" onSubmit={apply}>
      <label for={id}>Query</label>
      <div class="query-field">
        <input
          ref={field}
          id={id}
          class="field"
          type="text"
          placeholder={'{service="shop", "host.name"="web-1"}{type="cpu"}'}
          title={'{service="a"}{type="cpu"}, or {…} vs {…, offset=7d} to compare'}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          aria-invalid={error !== ''}
          aria-describedby={error === '' ? undefined : `${id}-error`}
          value={typed ?? shown}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setError('');
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            event.stopPropagation();
            setTyped(undefined);
            setError('');
          }}
        />
        {error !== '' && (
          <p id={`${id}-error`} class="field-error" role="alert">
            {error}
          </p>
        )}
      </div>
      <button type="submit" class={`button ${isChanged ? 'is-primary' : ''}`}>
        Apply
      </button>
    </form>
  );
}
