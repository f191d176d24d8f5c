// SPDX-License-Identifier: Apache-2.0
//
// Keeps the kernel's side able to unwind: which table belongs to which mapping of which process. Tables are built when a
// stack first leads into a binary, shared by all processes and copies of it, and given up, the least recently used
// first, when the memory for them is used up.
//
//   needs-table ─▶ UnwindSource (worker) ─▶ addUnwindTable ─▶ setProcessMappings of every process that maps the file
//   first-seen, exec, mapped ─────────────────────────────▶ setProcessMappings of that process

import { NativeError, type ProcessMappings, type UnwindTable } from '@hearthscope/native';
import type { MappedFile } from '../discovery/mapping-set.ts';
import type { MappingsObserver, Process, ProcessImage } from '../discovery/process-table.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { BinaryRef } from '../symbolize/symbol-request.ts';
import { type FileTable, isReadable, mappingColumns, tableState } from './mapping-columns.ts';
import type { TextSegment, UnwindAnswer, UnwindSource } from './unwind-answer.ts';

/** The part of the sampler that is needed here. */
export interface UnwindDoor {
  addUnwindTable(table: UnwindTable): number;
  removeUnwindTable(id: number): void;
  setProcessMappings(
    pid: number,
    startTimeNanos: bigint,
    generation: number,
    mappings: ProcessMappings,
  ): void;
  forgetProcess(pid: number, startTimeNanos: bigint): void;
}

/** A loaded table, shared by all files with the same unwind information. */
interface LoadedTable {
  readonly id: number;
  readonly content: string;
  readonly firstPage: number;
  readonly files: Set<KnownFile>;
}

/** One file as processes map it, in one state of its contents. */
class KnownFile implements FileTable {
  /** Device, inode and path. */
  readonly key: string;
  state: 'unknown' | 'asked' | 'loaded' | 'without' = 'unknown';
  identity = '';
  checkedAtMillis = Number.NEGATIVE_INFINITY;
  usedAtMillis = Number.NEGATIVE_INFINITY;
  loaded: LoadedTable | undefined;
  segments: readonly TextSegment[] = [];
  /** With the time at which each began to map it. */
  readonly users = new Map<Process, number>();

  constructor(key: string) {
    this.key = key;
  }

  get table(): number {
    if (this.loaded !== undefined) return this.loaded.id;
    return this.state === 'without' ? tableState.withoutInformation : tableState.notBuilt;
  }

  get firstPage(): number {
    return this.loaded?.firstPage ?? 0;
  }
}

interface KnownProcess {
  readonly image: ProcessImage;
  readonly files: Map<string, KnownFile>;
}

/** 16 million rows: several hundred MB of code. */
export const DEFAULT_MAX_UNWIND_BYTES = 64 * 1024 * 1024;
/** A file that has been replaced in place under the same inode is noticed when a process starts after this time. */
const RECHECK_MILLIS = 5000;
/** Files without a table are tried again for processes that start after this time. */
const RETRY_MILLIS = 60_000;
const MAX_FILES = 16_384;
/** Tables given up in one go, so that not every new binary has to make room. */
const EVICTED_AT_ONCE = 4;
/** The memory of a table is free some time after it was given up: until then giving up more does not help. */
const EVICTION_PAUSE_MILLIS = 1000;

export class UnwindTables implements MappingsObserver {
  readonly #door: UnwindDoor;
  readonly #source: UnwindSource;
  readonly #metrics: AgentMetrics;
  readonly #now: () => number;
  /** Least recently made first. */
  readonly #files = new Map<string, KnownFile>();
  readonly #processes = new Map<Process, KnownProcess>();
  readonly #loaded = new Map<string, LoadedTable>();
  readonly #stale = new Set<Process>();
  #flushScheduled = false;
  #evictedAtMillis = Number.NEGATIVE_INFINITY;

  constructor(door: UnwindDoor, source: UnwindSource, metrics: AgentMetrics, now = () => performance.now()) {
    this.#door = door;
    this.#source = source;
    this.#metrics = metrics;
    this.#now = now;
  }

  get tables(): number {
    return this.#loaded.size;
  }

  mappingsChanged(process: Process, image: ProcessImage): void {
    const former = this.#processes.get(process)?.files;
    const files = new Map<string, KnownFile>();
    for (const { file: mapped } of image.mappings) {
      if (!isReadable(mapped)) continue;
      const key = keyOf(mapped);
      if (files.has(key)) continue;
      const file = former?.get(key) ?? this.#fileOf(key, process, mapped);
      if (!file.users.has(process)) file.users.set(process, this.#now());
      files.set(key, file);
    }
    for (const [key, file] of former ?? []) if (!files.has(key)) file.users.delete(process);
    this.#processes.set(process, { image, files });
    this.#tell(process);
  }

  forgotten(process: Process): void {
    const known = this.#processes.get(process);
    if (known === undefined) return;
    for (const file of known.files.values()) file.users.delete(process);
    this.#processes.delete(process);
    this.#stale.delete(process);
    this.#door.forgetProcess(process.pid, process.startTimeNanos);
  }

  /** A stack of the process led to `address`, whose table is not there. */
  needed(process: Process, address: bigint): void {
    const known = this.#processes.get(process);
    const mapping = known?.image.mappings.find(Number(address));
    const file = mapping && known?.files.get(keyOf(mapping.file));
    if (mapping === undefined || file === undefined) return;
    if (file.state === 'unknown') void this.#ask(file, process, mapping.file);
  }

  /** Notes that stacks led through this file, for the choice of what to give up. */
  noteUse(process: Process, mapped: MappedFile): void {
    const file = this.#processes.get(process)?.files.get(keyOf(mapped));
    if (file !== undefined) file.usedAtMillis = this.#now();
  }

  /** The file that a process which was not known to map it maps. */
  #fileOf(key: string, process: Process, mapped: MappedFile): KnownFile {
    let file = this.#files.get(key);
    if (file === undefined) {
      if (this.#files.size >= MAX_FILES) this.#forgetUnusedFiles();
      file = new KnownFile(key);
      this.#files.set(key, file);
      return file;
    }
    const sinceLastLookMillis = this.#now() - file.checkedAtMillis;
    if (file.state === 'loaded' && sinceLastLookMillis > RECHECK_MILLIS) {
      void this.#recheck(file, process, mapped);
    } else if (file.state === 'without' && sinceLastLookMillis > RETRY_MILLIS) {
      file.state = 'unknown';
    }
    return file;
  }

  async #ask(file: KnownFile, process: Process, mapped: MappedFile): Promise<void> {
    file.state = 'asked';
    file.usedAtMillis = this.#now();
    file.checkedAtMillis = file.usedAtMillis;
    const answer = await this.#source.unwindTable(refOf(process, mapped), () => [...this.#loaded.keys()]);
    this.#metrics.unwindTables.inc({ outcome: answer.failure === '' ? answer.source : answer.failure });
    this.#load(file, answer);
    for (const user of file.users.keys()) this.#retellSoon(user);
  }

  /** Those who began to map the file since the last look may map other contents than those before. */
  async #recheck(file: KnownFile, process: Process, mapped: MappedFile): Promise<void> {
    const lastLookAtMillis = file.checkedAtMillis;
    file.checkedAtMillis = this.#now();
    const answer = await this.#source.unwindTable(refOf(process, mapped), () => [...this.#loaded.keys()]);
    if (answer.identity === file.identity || answer.identity === '') return;
    this.#metrics.unwindTables.inc({ outcome: 'replaced' });
    const fresh = new KnownFile(file.key);
    fresh.checkedAtMillis = fresh.usedAtMillis = file.checkedAtMillis;
    this.#files.set(file.key, fresh);
    this.#load(fresh, answer);
    for (const [user, sinceMillis] of file.users) {
      if (sinceMillis <= lastLookAtMillis) continue;
      file.users.delete(user);
      fresh.users.set(user, sinceMillis);
      this.#processes.get(user)?.files.set(file.key, fresh);
      this.#retellSoon(user);
    }
    if (file.users.size === 0) this.#release(file);
  }

  #load(file: KnownFile, answer: UnwindAnswer): void {
    file.identity = answer.identity;
    file.segments = answer.segments;
    file.state = 'without';
    if (answer.failure !== '') return;
    let loaded = this.#loaded.get(answer.content);
    if (loaded === undefined && answer.table !== undefined) {
      const id = this.#add(answer.table);
      if (id === 'refused') return;
      if (id !== 'no_room') {
        loaded = { id, content: answer.content, firstPage: answer.table.firstPage, files: new Set() };
        this.#loaded.set(answer.content, loaded);
      }
    }
    // No room yet, or given up while the worker took it for loaded: asked for again when it is needed.
    file.state = loaded === undefined ? 'unknown' : 'loaded';
    file.loaded = loaded;
    loaded?.files.add(file);
  }

  #add(table: UnwindTable): number | 'no_room' | 'refused' {
    try {
      return this.#door.addUnwindTable(table);
    } catch (error) {
      if (!(error instanceof NativeError)) throw error;
      const reason = error.code === 'ENOSPC' ? 'no_room' : 'refused';
      this.#metrics.countOnce(this.#metrics.unwindTableLosses, reason, 1, error);
      if (reason === 'no_room') this.#evict();
      return reason;
    }
  }

  /** Gives up the tables that were not used for longest. */
  #evict(): void {
    const now = this.#now();
    if (now - this.#evictedAtMillis < EVICTION_PAUSE_MILLIS) return;
    this.#evictedAtMillis = now;
    const victims = [...this.#loaded.values()]
      .map((table) => ({ table, usedAtMillis: usedAtMillis(table) }))
      .sort((a, b) => a.usedAtMillis - b.usedAtMillis)
      .slice(0, EVICTED_AT_ONCE);
    for (const { table } of victims) {
      this.#metrics.unwindTableLosses.inc({ reason: 'evicted' });
      for (const file of [...table.files]) {
        this.#release(file);
        file.state = 'unknown';
        // At once, not soon: the table's memory will be another's.
        for (const user of file.users.keys()) this.#tell(user);
      }
    }
  }

  #release(file: KnownFile): void {
    const { loaded } = file;
    if (loaded === undefined) return;
    file.loaded = undefined;
    loaded.files.delete(file);
    if (loaded.files.size > 0) return;
    this.#loaded.delete(loaded.content);
    this.#door.removeUnwindTable(loaded.id);
  }

  #forgetUnusedFiles(): void {
    for (const [key, file] of this.#files) {
      if (file.users.size > 0 || file.state === 'asked') continue;
      this.#release(file);
      this.#files.delete(key);
    }
  }

  /** Several tables may arrive in one turn of the event loop; each process is told once. */
  #retellSoon(process: Process): void {
    this.#stale.add(process);
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      for (const stale of this.#stale) this.#tell(stale);
      this.#stale.clear();
    });
  }

  #tell(process: Process): void {
    const known = this.#processes.get(process);
    if (known === undefined) return;
    const { image, files } = known;
    const { columns, dropped } = mappingColumns(image.mappings, (file) => files.get(keyOf(file))!);
    if (dropped > 0) this.#metrics.unwindTableLosses.inc({ reason: 'too_many_mappings' }, dropped);
    try {
      this.#door.setProcessMappings(process.pid, process.startTimeNanos, image.generation, columns);
    } catch (error) {
      if (!(error instanceof NativeError)) throw error;
      // Its samples are kept for a while and then stay without callers; the next change of its mappings tries again.
      const reason = error.code === 'ENOSPC' ? 'no_room_for_mappings' : 'mappings_refused';
      this.#metrics.countOnce(this.#metrics.unwindTableLosses, reason, 1, error);
      if (error.code === 'ENOSPC') this.#evict();
    }
  }
}

function refOf(process: Process, mapped: MappedFile): BinaryRef {
  return {
    pid: process.pid,
    start: BigInt(mapped.start),
    limit: BigInt(mapped.limit),
    device: mapped.device,
    inode: BigInt(mapped.inode),
    path: mapped.path,
    seenAtUnixMillis: mapped.seenAtUnixMillis,
    fileOffsets: new BigUint64Array(0),
  };
}

function keyOf({ device, inode, path }: MappedFile): string {
  return `${device} ${inode} ${path}`;
}

function usedAtMillis({ files }: LoadedTable): number {
  let latest = Number.NEGATIVE_INFINITY;
  for (const file of files) latest = Math.max(latest, file.usedAtMillis);
  return latest;
}
