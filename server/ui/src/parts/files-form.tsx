// SPDX-License-Identifier: Apache-2.0
//
// Profiles from files: one to look at, and one to compare it with if the reader likes. A file is kept by the server, so
// that the address shows it to another person too.

import { messageOf } from '@hearthscope/profile/errors';
import { useEffect, useId, useState } from 'preact/hooks';
import type { AdhocFiles, UploadedFile } from '../api/adhoc.ts';
import { base64Of } from '../local-file.ts';
import { formatInstant } from '../time-range.ts';
import { Icon } from './icons.tsx';

/** The server reads no larger file whatever it is configured to. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Of the files that were uploaded before. */
const MAX_OFFERED = 50;

export interface PickedFiles {
  /** Ids; '' for none. */
  readonly file: string;
  readonly baseFile: string;
}

export interface FilesFormProps extends PickedFiles {
  readonly files: AdhocFiles;
  readonly onPick: (picked: PickedFiles) => void;
}

export function FilesForm({ files, file, baseFile, onPick }: FilesFormProps) {
  const [known, setKnown] = useState<readonly UploadedFile[]>([]);
  const [picked, setPicked] = useState<PickedFiles>({ file, baseFile });
  const [error, setError] = useState('');
  useEffect(() => {
    const controller = new AbortController();
    files.list(controller.signal).then(setKnown, (failure) => {
      if (!controller.signal.aborted) setError(messageOf(failure));
    });
    return () => controller.abort();
  }, [files]);
  const onUploaded = (uploaded: UploadedFile): void => setKnown((before) => [uploaded, ...before]);
  const apply = (event: Event): void => {
    event.preventDefault();
    if (picked.file !== '') onPick(picked);
  };
  return (
    <form aria-label="Profiles from files" class="files-form" onSubmit={apply}>
      <FileSlot
        title="Profile"
        {...{ files, known, onUploaded }}
        value={picked.file}
        none="Choose a file…"
        onPick={(id) => setPicked((before) => ({ ...before, file: id }))}
      />
      <FileSlot
        title="Baseline to compare it with"
        {...{ files, known, onUploaded }}
        value={picked.baseFile}
        none="None"
        onPick={(id) => setPicked((before) => ({ ...before, baseFile: id }))}
      />
      {error !== '' && (
        <p class="field-error" role="alert">
          {error}
        </p>
      )}
      <p class="files-hint">
        pprof, flamebearer JSON, speedscope, collapsed stacks, perf script; also in gzip.
      </p>
      <button type="submit" class="button is-primary" disabled={picked.file === ''}>
        {picked.baseFile === '' ? 'Show the file' : 'Compare the files'}
      </button>
    </form>
  );
}

interface FileSlotProps {
  readonly title: string;
  readonly files: AdhocFiles;
  readonly known: readonly UploadedFile[];
  readonly value: string;
  /** What stands for no file. */
  readonly none: string;
  readonly onPick: (id: string) => void;
  readonly onUploaded: (file: UploadedFile) => void;
}

function FileSlot({ title, files, known, value, none, onPick, onUploaded }: FileSlotProps) {
  const id = useId();
  const [isBusy, setBusy] = useState(false);
  const [isOver, setOver] = useState(false);
  const [error, setError] = useState('');
  const upload = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    if (file.size > MAX_FILE_BYTES) {
      setError(`${file.name} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB.`);
      return;
    }
    setBusy(true);
    setError('');
    try {
      const uploaded = await files.upload(file.name, await base64Of(file), new AbortController().signal);
      onUploaded(uploaded);
      onPick(uploaded.id);
    } catch (failure) {
      setError(messageOf(failure));
    }
    setBusy(false);
  };
  const isKnown = value === '' || known.some((file) => file.id === value);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping a file is a shortcut for the button within.
    <div
      class={`file-slot ${isOver ? 'is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void upload(event.dataTransfer?.files[0]);
      }}
    >
      <label for={`${id}-list`}>{title}</label>
      <div class="file-choice">
        <span class="select">
          <select id={`${id}-list`} value={value} onChange={(event) => onPick(event.currentTarget.value)}>
            <option value="">{none}</option>
            {!isKnown && <option value={value}>{value}</option>}
            {known.slice(0, MAX_OFFERED).map((file) => (
              <option key={file.id} value={file.id}>
                {file.name} · {formatInstant(file.uploadedAtMillis, true)}
              </option>
            ))}
          </select>
          <Icon name="chevron" />
        </span>
        <label class={`button file-upload ${isBusy ? 'is-busy' : ''}`}>
          <Icon name={isBusy ? 'refresh' : 'upload'} />
          {isBusy ? 'Uploading…' : 'Upload'}
          <input
            type="file"
            class="visually-hidden"
            aria-label={`${title}: upload a file`}
            disabled={isBusy}
            onChange={(event) => {
              const { currentTarget } = event;
              void upload(currentTarget.files?.[0]);
              // The same file can be chosen again once it was mended.
              currentTarget.value = '';
            }}
          />
        </label>
      </div>
      {error !== '' && (
        <p class="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
