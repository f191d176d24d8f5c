// SPDX-License-Identifier: Apache-2.0
//
// The page: its state, its data, and which of its faces to show.

import type { HearthscopeError } from '@hearthscope/profile/errors';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Exports } from './api/exports.ts';
import { copyText } from './clipboard.ts';
import { CoursesPanel } from './courses-panel.tsx';
import { exportGroups } from './export-choices.ts';
import type { ColourScheme } from './flamegraph/colour.ts';
import { Header } from './header.tsx';
import { Icon } from './parts/icons.tsx';
import { Notice } from './parts/notice.tsx';
import { hasFrames, isSameSelection, type ProfileData, type Sources } from './profile-data.ts';
import { ProfilePanel } from './profile-panel.tsx';
import { formatInstant, isLive, lastMillis } from './time-range.ts';
import { measureOf } from './units.ts';
import { type PageState, refreshSecondsOf, type Single } from './url-state.ts';
import { useColourScheme, useMedia } from './use-media.ts';
import { type ChangePageState, usePageState } from './use-page-state.ts';
import { isUnreachable, useProfileData } from './use-profile-data.ts';

const TOAST_MILLIS = 2_000;
const DAY_MILLIS = 86_400_000;

export interface AppProps {
  readonly sources: Sources;
  readonly exports: Exports;
}

export function App({ sources, exports }: AppProps) {
  const [state, change] = usePageState();
  const [{ data, error, isLoading }, refresh] = useProfileData(sources, state, refreshSecondsOf(state));
  const [toast, setToast] = useToast();
  const scheme = useColourScheme();
  const profileTypeId = state.type || data?.profileTypeId || '';

  useEffect(() => {
    document.title = titleOf(state, profileTypeId, data);
  }, [state, profileTypeId, data]);
  useEffect(() => {
    const resetZoom = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && event.target === document.body) change({ root: [] });
    };
    addEventListener('keydown', resetZoom);
    return () => removeEventListener('keydown', resetZoom);
  }, [change]);

  const onCopy = async (name: string): Promise<void> => {
    setToast((await copyText(name)) ? 'Name copied' : 'The browser did not allow copying');
  };
  return (
    <div class="page">
      <a class="skip-link" href="#content">
        Skip to the profile
      </a>
      <Header
        state={state}
        catalogue={data?.catalogue}
        profileTypeId={profileTypeId}
        adhocFiles={sources.files}
        files={data?.files}
        isLoading={isLoading}
        onChange={change}
        onRefresh={refresh}
      />
      <div class={`progress ${isLoading ? 'is-active' : ''}`} />
      <main id="content" class="content" aria-busy={isLoading}>
        {data !== undefined && isUnreachable(error) && <StaleBanner data={data} onRetry={refresh} />}
        {state.single !== undefined && <SingleBanner single={state.single} change={change} />}
        <Content {...{ state, data, error, scheme, exports, change, refresh, onCopy }} />
      </main>
      <output class={`toast ${toast === '' ? '' : 'is-shown'}`}>{toast}</output>
    </div>
  );
}

function titleOf(state: PageState, profileTypeId: string, data: ProfileData | undefined): string {
  if (state.file !== '') return [data?.files?.file.name, 'Hearthscope'].filter(Boolean).join(' · ');
  const measure = profileTypeId === '' ? '' : measureOf(profileTypeId).title;
  const compared = state.baseline === undefined ? '' : 'Comparison';
  return [state.service, measure, compared, 'Hearthscope'].filter(Boolean).join(' · ');
}

interface ContentProps {
  readonly state: PageState;
  readonly data: ProfileData | undefined;
  readonly error: HearthscopeError | undefined;
  readonly scheme: ColourScheme;
  readonly exports: Exports;
  readonly change: ChangePageState;
  readonly refresh: () => void;
  readonly onCopy: (name: string) => void;
}

function Content({ state, data, error, scheme, exports, change, refresh, onCopy }: ContentProps) {
  const isWide = useMedia('(min-width: 1000px)');
  const groups = useMemo(() => (data === undefined ? [] : exportGroups(data, exports)), [data, exports]);
  if (error !== undefined && !(isUnreachable(error) && data !== undefined)) {
    return <Failure error={error} onRetry={refresh} />;
  }
  if (data === undefined) return <Skeleton />;
  const isStale = !isSameSelection(data.query, state);
  if (!hasFrames(data)) return <Empty state={state} data={data} change={change} />;
  const { courses, shown, compared, measure } = data;
  const totals = {
    shown: shown.layout.total[0] ?? 0,
    baseline: compared?.baseline.layout.total[0] ?? 0,
  };
  return (
    <div class={`results ${isStale ? 'is-stale' : ''}`}>
      {courses !== undefined && (
        <CoursesPanel {...{ courses, totals, measure, state, scheme }} onChange={change} />
      )}
      <ProfilePanel
        {...{ data, state, scheme, onCopy }}
        view={state.view ?? (isWide ? 'both' : 'flame')}
        exportGroups={groups}
        onChange={change}
      />
    </div>
  );
}

/** Only one profile or span is shown: which, and the way back to all of them. */
function SingleBanner({ single, change }: { readonly single: Single; readonly change: ChangePageState }) {
  return (
    <div class="banner is-calm" role="status">
      <Icon name="filter" />
      <span>
        Only the {single.kind} <code>{single.id}</code>
      </span>
      <button type="button" class="button" onClick={() => change({ single: undefined, root: [] })}>
        Show all
      </button>
    </div>
  );
}

function StaleBanner({ data, onRetry }: { readonly data: ProfileData; readonly onRetry: () => void }) {
  return (
    <div class="banner" role="alert">
      <Icon name="warning" />
      The server cannot be reached. This is what it said at {formatInstant(data.receivedAtMillis, false)}.
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}

function Failure({ error, onRetry }: { readonly error: HearthscopeError; readonly onRetry: () => void }) {
  const isDown = isUnreachable(error);
  return (
    <Notice
      icon="warning"
      tone="alert"
      title={isDown ? 'The server does not answer' : 'The server could not answer this'}
    >
      <p>{isDown ? `${error.message} It may still be starting; this page keeps trying.` : error.message}</p>
      <button type="button" class="button is-primary" onClick={onRetry}>
        Try again
      </button>
    </Notice>
  );
}

function Empty(props: {
  readonly state: PageState;
  readonly data: ProfileData;
  readonly change: ChangePageState;
}) {
  const { state, data, change } = props;
  const lastDay = (
    <button type="button" class="button" onClick={() => change({ range: lastMillis(DAY_MILLIS) })}>
      Look at the last 24 hours
    </button>
  );
  if (data.files !== undefined) {
    return (
      <Notice icon="file" title="The file has no samples">
        <p>It was read, and there is nothing in it to draw.</p>
      </Notice>
    );
  }
  if (data.catalogue.profileTypes('').length > 0) {
    return (
      <Notice icon="search" title="No samples match">
        <p>There are profiles in this time range, but none for this service, type and labels.</p>
        <div class="notice-actions">
          <button
            type="button"
            class="button is-primary"
            onClick={() =>
              change({ service: '', type: '', filter: '', baseline: undefined, single: undefined, root: [] })
            }
          >
            Show all services
          </button>
          {lastDay}
        </div>
      </Notice>
    );
  }
  return (
    <Notice icon="flame" title={isLive(state.range) ? 'No profiles yet' : 'No profiles in this time range'}>
      {isLive(state.range) ? (
        <>
          <p>
            The agent ships its first batch a few seconds after it starts. This page looks again by itself,
            and shows the flame graph as soon as there is one.
          </p>
          <p>
            Still nothing after a minute? <code>hearthscope doctor</code> says whether the agent can run on
            this host, and what to do if it cannot.
          </p>
          <div class="notice-waiting" aria-hidden="true" />
        </>
      ) : (
        <p>Nothing was received between these two moments. Pick another time range.</p>
      )}
      <div class="notice-actions">{lastDay}</div>
    </Notice>
  );
}

function Skeleton() {
  return (
    <div class="results" role="status" aria-label="Loading">
      <div class="panel skeleton timeline-panel" />
      <div class="panel skeleton profile-panel" />
    </div>
  );
}

/** A short message that goes away by itself. */
function useToast(): [string, (text: string) => void] {
  const [toast, setToast] = useState('');
  useEffect(() => {
    if (toast === '') return;
    const timer = setTimeout(() => setToast(''), TOAST_MILLIS);
    return () => clearTimeout(timer);
  }, [toast]);
  return [toast, setToast];
}
