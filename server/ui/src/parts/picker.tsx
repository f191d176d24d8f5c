// SPDX-License-Identifier: Apache-2.0
//
// Picks one of a list, with a search field when the list is long.

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.tsx';
import { Popover } from './popover.tsx';

/** Shorter lists are read faster than they are searched. */
const SEARCH_FROM = 8;
/** More than this is not read; the search field finds the others. */
const MAX_SHOWN = 200;

export interface PickerOption {
  readonly value: string;
  readonly title: string;
  /** Smaller text below the title. */
  readonly detail?: string;
}

export interface PickerProps {
  readonly label: string;
  readonly icon: IconName;
  readonly options: readonly PickerOption[];
  readonly value: string;
  readonly onPick: (value: string) => void;
  readonly class?: string;
}

export function Picker({ label, icon, options, value, onPick, class: extraClass }: PickerProps) {
  const picked = options.find((option) => option.value === value);
  const face = (
    <>
      <Icon name={icon} />
      <span class="picker-value">{picked?.title ?? value}</span>
      <Icon name="chevron" />
    </>
  );
  return (
    <Popover
      face={face}
      label={`${label}: ${picked?.title ?? value}`}
      popup="listbox"
      class={`picker ${extraClass ?? ''}`}
    >
      {(close) => (
        <PickerList
          label={label}
          options={options}
          value={value}
          onPick={(chosen) => {
            close();
            onPick(chosen);
          }}
        />
      )}
    </Popover>
  );
}

type PickerListProps = Pick<PickerProps, 'label' | 'options' | 'value' | 'onPick'>;

function PickerList({ label, options, value, onPick }: PickerListProps) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [search, setSearch] = useState('');
  const wanted = search.trim().toLowerCase();
  const found = options.filter(({ title, value }) => `${title} ${value}`.toLowerCase().includes(wanted));
  const shown = found.slice(0, MAX_SHOWN);
  const [active, setActive] = useState(() =>
    Math.max(
      0,
      shown.findIndex((option) => option.value === value),
    ),
  );
  const hasSearch = options.length >= SEARCH_FROM;

  useEffect(() => (hasSearch ? field.current : list.current)?.focus(), [hasSearch]);
  useEffect(() => {
    document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [id, active]);

  const keyDown = (event: KeyboardEvent): void => {
    const last = shown.length - 1;
    if (event.key === 'ArrowDown') setActive(Math.min(last, active + 1));
    else if (event.key === 'ArrowUp') setActive(Math.max(0, active - 1));
    else if (event.key === 'Enter' && shown[active] !== undefined) onPick(shown[active].value);
    else return;
    event.preventDefault();
  };
  const activeId = shown[active] === undefined ? undefined : `${id}-${active}`;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: catches keys of the field or the list within.
    <div onKeyDown={keyDown}>
      {hasSearch && (
        <input
          ref={field}
          class="field picker-search"
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={activeId}
          aria-label={`Search ${label.toLowerCase()}`}
          placeholder="Search…"
          value={search}
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            setActive(0);
          }}
        />
      )}
      <div
        ref={list}
        id={`${id}-list`}
        class="picker-list"
        role="listbox"
        aria-label={label}
        tabIndex={hasSearch ? -1 : 0}
        aria-activedescendant={hasSearch ? undefined : activeId}
      >
        {shown.map((option, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys go to the field or the list.
          <div
            key={option.value}
            id={`${id}-${index}`}
            class={`picker-option ${index === active ? 'is-active' : ''}`}
            role="option"
            tabIndex={-1}
            aria-selected={option.value === value}
            onClick={() => onPick(option.value)}
            onPointerMove={() => setActive(index)}
          >
            <span class="picker-check">{option.value === value && <Icon name="check" />}</span>
            <span class="picker-text">
              {option.title}
              {option.detail !== undefined && <small>{option.detail}</small>}
            </span>
          </div>
        ))}
        {shown.length === 0 && <p class="picker-none">Nothing found</p>}
        {found.length > shown.length && (
          <p class="picker-none">{found.length - shown.length} more: search to narrow the list</p>
        )}
      </div>
    </div>
  );
}
