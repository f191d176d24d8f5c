// SPDX-License-Identifier: Apache-2.0
//
// What is shown, as a file: the formats that there are for it.

import { messageOf } from '@hearthscope/profile/errors';
import { useState } from 'preact/hooks';
import type { ExportedFile } from '../api/exports.ts';
import { saveFile } from '../local-file.ts';
import { Icon } from './icons.tsx';
import { Popover } from './popover.tsx';

export interface ExportChoice {
  readonly title: string;
  /** Smaller text below the title. */
  readonly detail: string;
  readonly make: (signal: AbortSignal) => Promise<ExportedFile>;
}

export interface ExportGroup {
  /** '' where there is one group alone. */
  readonly title: string;
  readonly choices: readonly ExportChoice[];
}

export interface ExportMenuProps {
  readonly groups: readonly ExportGroup[];
}

export function ExportMenu({ groups }: ExportMenuProps) {
  return (
    <Popover face={<Icon name="download" />} label="Export" popup="dialog" class="export-menu">
      {(close) => <ExportList groups={groups} close={close} />}
    </Popover>
  );
}

function ExportList({ groups, close }: ExportMenuProps & { readonly close: () => void }) {
  const [busy, setBusy] = useState('');
  const [error, setError] = useState('');
  const run = async (group: string, { title, make }: ExportChoice): Promise<void> => {
    setBusy(group + title);
    setError('');
    try {
      saveFile(await make(new AbortController().signal));
      close();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy('');
    }
  };
  return (
    <div role="dialog" aria-label="Export" class="export-list">
      {groups.map(({ title: group, choices }) => (
        <section key={group} aria-label={group === '' ? 'Formats' : group}>
          {group !== '' && <h3>{group}</h3>}
          <ul>
            {choices.map((choice) => (
              <li key={choice.title}>
                <button
                  type="button"
                  class="chip"
                  disabled={busy !== ''}
                  aria-busy={busy === group + choice.title}
                  onClick={() => run(group, choice)}
                >
                  {choice.title}
                  <small>{choice.detail}</small>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {error !== '' && (
        <p class="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
