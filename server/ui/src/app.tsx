// SPDX-License-Identifier: Apache-2.0
//
// The page: its state, its data, and which of its faces to show.

import type { HearthscopeError } from '@hearthscope/profile/errors';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Querier } from './api/querier.ts';
import { copyText } from './clipboard.ts';
import type { ColourScheme } from './flamegraph/colour.ts';
import { Header } from './header.tsx';
import { Icon } from './parts/icons.tsx';
import { Notice } from './parts/notice.tsx';
import { hasFrames, isSameSelection, type ProfileData } from './profile-data.ts';
import { ProfilePanel } from './profile-panel.tsx';
import { absoluteRange, formatInstant, isLive, lastMillis } from './time-range.ts';
import { Timeline } from './timeline.tsx';
import { formatRate, formatValue, measureOf } from './units.ts';
import { type PageState, refreshSecondsOf } from './url-state.ts';
import { useColourScheme, useMedia } from './use-media.ts';
import { type ChangePageState, usePageState } from './use-page-state.ts';
import { isUnreachable, useProfileData } from './use-profile-data.ts';

const TOAST_MILLIS = 2_000;
const DAY_MILLIS = 86_400_000;

export function App({ querier }: { readonly querier: Querier }) {
  const [state, change] = usePageState();
  const [{ data, error, isLoading }, refresh] = useProfileData(querier, state, refreshSecondsOf(state));
  const [toast, setToast] = useToast();
  const scheme = useColourScheme();
  const profileTypeId = state.type || data?.profileTypeId || '';

  useEffect(() => {
    const title = [state.service, profileTypeId === '' ? '' : measureOf(profileTypeId).title].filter(Boolean);
    document.title = [...title, 'Hearthscope'].join(' · ');
  }, [state.service, profileTypeId]);
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
        isLoading={isLoading}
        onChange={change}
        onRefresh={refresh}
      />
      <div class={`progress ${isLoading ? 'is-active' : ''}`} />
      <main id="content" class="content" aria-busy={isLoading}>
        {data !== undefined && isUnreachable(error) && <StaleBanner data={data} onRetry={refresh} />}
        <Content {...{ state, data, error, scheme, change, refresh, onCopy }} />
      </main>
      <output class={`toast ${toast === '' ? '' : 'is-shown'}`}>{toast}</output>
    </div>
  );
}

interface ContentProps {
  readonly state: PageState;
  readonly data: ProfileData | undefined;
  readonly error: HearthscopeError | undefined;
  readonly scheme: ColourScheme;
  readonly change: ChangePageState;
  readonly refresh: () => void;
  readonly onCopy: (name: string) => void;
}

function Content({ state, data, error, scheme, change, refresh, onCopy }: ContentProps) {
  const isWide = useMedia('(min-width: 1000px)');
  if (error !== undefined && !(isUnreachable(error) && data !== undefined)) {
    return <Failure error={error} onRetry={refresh} />;
  }
  if (data === undefined) return <Skeleton />;
  const isStale = !isSameSelection(data.query, state);
  if (!hasFrames(data.layout)) return <Empty state={state} data={data} change={change} />;
  return (
    <div class={`results ${isStale ? 'is-stale' : ''}`}>
      <TimelinePanel data={data} scheme={scheme} change={change} />
      <ProfilePanel
        layout={data.layout}
        functions={data.functions}
        measure={measureOf(data.profileTypeId)}
        durationMillis={data.window.endMillis - data.window.startMillis}
        receivedAtMillis={data.receivedAtMillis}
        scheme={scheme}
        search={state.search}
        root={state.root}
        view={state.view ?? (isWide ? 'both' : 'flame')}
        onChange={change}
        onCopy={onCopy}
      />
    </div>
  );
}

function TimelinePanel(props: {
  readonly data: ProfileData;
  readonly scheme: ColourScheme;
  readonly change: ChangePageState;
}) {
  const { data, scheme, change } = props;
  const { window, grid } = data;
  const measure = useMemo(() => measureOf(data.profileTypeId), [data.profileTypeId]);
  const total = data.layout.total[0]!;
  const rate = formatRate(total, window.endMillis - window.startMillis, measure);
  const sum = formatValue(total, measure.unit);
  return (
    <section class="panel timeline-panel" aria-label="Timeline">
      <h2>
        {measure.title}
        <small>{measure.rate === 'instant' ? sum : `${rate} on average · ${sum} in total`}</small>
      </h2>
      <Timeline
        columns={data.timeline}
        stepMillis={grid.stepMillis}
        window={window}
        measure={measure}
        scheme={scheme}
        onSelect={(start, end) => change({ range: absoluteRange(start, end) })}
      />
    </section>
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
  if (data.catalogue.profileTypes('').length > 0) {
    return (
      <Notice icon="search" title="No samples match">
        <p>There are profiles in this time range, but none for this service, type and labels.</p>
        <div class="notice-actions">
          <button
            type="button"
            class="button is-primary"
            onClick={() => change({ service: '', type: '', filter: '', root: [] })}
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
