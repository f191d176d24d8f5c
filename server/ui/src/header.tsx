// SPDX-License-Identifier: Apache-2.0
//
// The bar at the top: what to look at, when, and how often anew.

import { useState } from 'preact/hooks';
import type { Catalogue } from './catalogue.ts';
import { Icon, Mark } from './parts/icons.tsx';
import { Picker, type PickerOption } from './parts/picker.tsx';
import { RefreshControl } from './parts/refresh-control.tsx';
import { TimePicker } from './parts/time-picker.tsx';
import { measureOf } from './units.ts';
import { type PageState, refreshSecondsOf } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

const ALL_SERVICES: PickerOption = { value: '', title: 'All services' };

export interface HeaderProps {
  readonly state: PageState;
  readonly catalogue: Catalogue | undefined;
  /** The type that is shown, whether picked or chosen by the page. */
  readonly profileTypeId: string;
  readonly isLoading: boolean;
  readonly onChange: ChangePageState;
  readonly onRefresh: () => void;
}

export function Header({ state, catalogue, profileTypeId, isLoading, onChange, onRefresh }: HeaderProps) {
  const [isFilterOpen, setFilterOpen] = useState(state.filter !== '');
  return (
    <header class="header">
      <div class="header-row">
        <h1 class="brand">
          <Mark />
          <span>Hearthscope</span>
        </h1>
        <Picker
          label="Service"
          icon="service"
          class="service-picker"
          options={[ALL_SERVICES, ...serviceOptions(catalogue, state.service)]}
          value={state.service}
          onPick={(service) => onChange({ service, root: [] })}
        />
        <Picker
          label="Profile type"
          icon="gauge"
          class="type-picker"
          options={typeOptions(catalogue, state.service, profileTypeId)}
          value={profileTypeId}
          onPick={(type) => onChange({ type, root: [] })}
        />
        <button
          type="button"
          class={`button is-icon ${state.filter === '' ? '' : 'is-on'}`}
          aria-label="Filter by labels"
          title="Filter by labels"
          aria-expanded={isFilterOpen}
          onClick={() => setFilterOpen(!isFilterOpen)}
        >
          <Icon name="filter" />
        </button>
        <span class="spacer" />
        <TimePicker range={state.range} onPick={(range) => onChange({ range })} />
        <RefreshControl
          seconds={refreshSecondsOf(state)}
          isLoading={isLoading}
          onSeconds={(refreshSeconds) => onChange({ refreshSeconds }, 'replace')}
          onRefresh={onRefresh}
        />
      </div>
      {isFilterOpen && (
        <FilterForm filter={state.filter} onFilter={(filter) => onChange({ filter, root: [] })} />
      )}
    </header>
  );
}

function FilterForm(props: { readonly filter: string; readonly onFilter: (filter: string) => void }) {
  const [typed, setTyped] = useState(props.filter);
  const apply = (event: Event): void => {
    event.preventDefault();
    props.onFilter(typed.trim());
  };
  return (
    <form class="filter-form" onSubmit={apply}>
      <label for="label-filter">Labels</label>
      <input
        id="label-filter"
        class="field"
        type="text"
        placeholder={'host_name="web-1", k8s_namespace=~"shop-.*"'}
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <button type="submit" class="button">
        Apply
      </button>
      {props.filter !== '' && (
        <button
          type="button"
          class="button is-quiet"
          onClick={() => {
            setTyped('');
            props.onFilter('');
          }}
        >
          Clear
        </button>
      )}
    </form>
  );
}

/** A service of a link is offered even when it has no profiles in the range. */
function serviceOptions(catalogue: Catalogue | undefined, picked: string): PickerOption[] {
  const services = catalogue?.services ?? [];
  const known = services.map((service) => ({ value: service, title: service }));
  const isMissing = picked !== '' && !services.includes(picked);
  return isMissing
    ? [...known, { value: picked, title: picked, detail: 'No profiles in this range' }]
    : known;
}

function typeOptions(catalogue: Catalogue | undefined, service: string, picked: string): PickerOption[] {
  const types = catalogue?.profileTypes(service) ?? [];
  const all = picked === '' || types.includes(picked) ? types : [...types, picked];
  if (all.length === 0) return [{ value: '', title: 'Profile type' }];
  return all.map((id) => ({ value: id, title: measureOf(id).title, detail: id }));
}
