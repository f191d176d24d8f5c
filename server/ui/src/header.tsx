// SPDX-License-Identifier: Apache-2.0
//
// The bar at the top: what to look at, when, with what to compare it, and how often anew.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { AdhocFiles } from './api/adhoc.ts';
import { PREVIOUS } from './baseline.ts';
import { BaselineBar } from './baseline-bar.tsx';
import type { Catalogue } from './catalogue.ts';
import { FilesForm } from './parts/files-form.tsx';
import { Icon, Mark } from './parts/icons.tsx';
import { Picker, type PickerOption } from './parts/picker.tsx';
import { Popover } from './parts/popover.tsx';
import { RefreshControl } from './parts/refresh-control.tsx';
import { TimePicker } from './parts/time-picker.tsx';
import type { FilesData } from './profile-data.ts';
import { QueryForm } from './query-form.tsx';
import { measureOf } from './units.ts';
import { type PageState, refreshSecondsOf } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

const ALL_SERVICES: PickerOption = { value: '', title: 'All services' };

export interface HeaderProps {
  readonly state: PageState;
  readonly catalogue: Catalogue | undefined;
  /** The type that is shown, whether picked or chosen by the page. */
  readonly profileTypeId: string;
  readonly adhocFiles: AdhocFiles;
  /** What is shown of files; undefined until it is there. */
  readonly files: FilesData | undefined;
  readonly isLoading: boolean;
  readonly onChange: ChangePageState;
  readonly onRefresh: () => void;
}

export function Header(props: HeaderProps) {
  return (
    <header class="header">
      {props.state.file === '' ? <StoredBar {...props} /> : <FilesBar {...props} />}
    </header>
  );
}

function Brand() {
  return (
    <h1 class="brand">
      <Mark />
      <span>Hearthscope</span>
    </h1>
  );
}

function StoredBar(props: HeaderProps) {
  const { state, catalogue, profileTypeId, isLoading, onChange, onRefresh } = props;
  const { baseline } = state;
  const [isQueryOpen, setQueryOpen] = useState(state.filter !== '' || (baseline?.filter ?? '') !== '');
  const services = [ALL_SERVICES, ...serviceOptions(catalogue, state.service)];
  const pickService = (service: string): void => {
    const follows = baseline !== undefined && baseline.service === state.service;
    onChange({
      service,
      ...(follows ? { baseline: { ...baseline, service } } : {}),
      single: undefined,
      root: [],
    });
  };
  return (
    <>
      <div class="header-row">
        <Brand />
        {baseline !== undefined && <span class="side-label is-comparison">Comparison</span>}
        <Picker
          label="Service"
          icon="service"
          class="service-picker"
          options={services}
          value={state.service}
          onPick={pickService}
        />
        <Picker
          label="Profile type"
          icon="gauge"
          class="type-picker"
          options={typeOptions(catalogue, state.service, profileTypeId)}
          value={profileTypeId}
          onPick={(type) => onChange({ type, single: undefined, root: [] })}
        />
        <button
          type="button"
          class={`button is-icon ${state.filter === '' ? '' : 'is-on'}`}
          aria-label="Query"
          title="Query"
          aria-expanded={isQueryOpen}
          onClick={() => setQueryOpen(!isQueryOpen)}
        >
          <Icon name="query" />
        </button>
        <button
          type="button"
          class={`button compare-button ${baseline === undefined ? '' : 'is-on'}`}
          aria-pressed={baseline !== undefined}
          title="Compare with another time or other labels"
          onClick={() =>
            onChange({
              baseline:
                baseline === undefined
                  ? { service: state.service, filter: state.filter, time: PREVIOUS }
                  : undefined,
            })
          }
        >
          <Icon name="compare" />
          <span>Compare</span>
        </button>
        <FilesPopover {...props}>
          <Icon name="file" />
        </FilesPopover>
        <span class="spacer" />
        <TimePicker range={state.range} onPick={(range) => onChange({ range })} />
        <RefreshControl
          seconds={refreshSecondsOf(state)}
          isLoading={isLoading}
          onSeconds={(refreshSeconds) => onChange({ refreshSeconds }, 'replace')}
          onRefresh={onRefresh}
        />
      </div>
      {baseline !== undefined && (
        <BaselineBar
          {...{ state, baseline, onChange }}
          services={[ALL_SERVICES, ...serviceOptions(catalogue, baseline.service)]}
        />
      )}
      {isQueryOpen && <QueryForm {...{ state, catalogue, profileTypeId, onChange }} />}
    </>
  );
}

function FilesBar(props: HeaderProps) {
  const { state, files, onChange } = props;
  const types = files?.profileTypes ?? [];
  const shownType = state.type !== '' && types.includes(state.type) ? state.type : (types[0] ?? '');
  return (
    <div class="header-row">
      <Brand />
      <FilesPopover {...props}>
        <Icon name="file" />
        <span class="picker-value">
          {files?.baseFile !== undefined && `${files.baseFile.name} → `}
          {files?.file.name ?? state.file}
        </span>
        <Icon name="chevron" />
      </FilesPopover>
      {types.length > 1 && (
        <Picker
          label="Profile type"
          icon="gauge"
          class="type-picker"
          options={types.map((type) => ({ value: type, title: type }))}
          value={shownType}
          onPick={(type) => onChange({ type, root: [] })}
        />
      )}
      {state.baseFile !== '' && (
        <button
          type="button"
          class="button"
          title="Swap baseline and comparison"
          onClick={() => onChange({ file: state.baseFile, baseFile: state.file })}
        >
          <Icon name="swap" />
          Swap
        </button>
      )}
      <span class="spacer" />
      <button
        type="button"
        class="button"
        onClick={() => onChange({ file: '', baseFile: '', type: '', root: [] })}
      >
        <Icon name="close" />
        Close {state.baseFile === '' ? 'file' : 'files'}
      </button>
    </div>
  );
}

function FilesPopover({
  state,
  adhocFiles,
  onChange,
  children,
}: HeaderProps & { children: ComponentChildren }) {
  return (
    <Popover face={children} label="Profiles from files" popup="dialog" class="files-popover">
      {(close) => (
        <FilesForm
          files={adhocFiles}
          file={state.file}
          baseFile={state.baseFile}
          onPick={(picked) => {
            close();
            onChange({ ...picked, type: '', root: [] });
          }}
        />
      )}
    </Popover>
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
