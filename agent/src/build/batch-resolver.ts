// SPDX-License-Identifier: Apache-2.0
//
// Turns the addresses of one batch into frames: finds process, image and mapping of each stack, asks the symbolizer for
// what the caches do not know, and lays the frames out beside the batch's own columns.

import type { SampleBatch } from '@hearthscope/native';
import type { Mapping } from '../discovery/mapping-set.ts';
import type { Process, ProcessImage, ProcessTable } from '../discovery/process-table.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { NamedFrames, SymbolRequest, SymbolResponse } from '../symbolize/symbol-request.ts';
import { addressName } from '../symbolize/symbolizer.ts';
import { BinaryNames, type BinaryNamesCache } from './binary-names.ts';
import { anonymousFrame, type Frame, type FrameLine, nameLine, unknownFrame } from './frame.ts';
import type { KernelNames } from './kernel-names.ts';
import { RuntimeCodeNames } from './runtime-code-names.ts';

/** A batch and what its numbers mean. Rows and frame indices are those of the batch. */
export interface ResolvedBatch {
  readonly batch: SampleBatch;
  readonly processes: readonly Process[];
  readonly images: readonly ProcessImage[];
  /** As long as `batch.frames`. */
  readonly frames: readonly Frame[];
}

/** The part of the symbolizer that is needed here. */
export interface SymbolSource {
  symbolize(request: SymbolRequest): Promise<SymbolResponse>;
  /** True when what has no name is to be sent without one, for the server to name. */
  readonly leavesNamesToServer?: boolean;
}

/** Offsets of one binary of one process that have no name yet. */
interface Question {
  readonly process: Process;
  readonly mapping: Mapping;
  /** By file offset, with the mapping that each was seen in. */
  readonly offsets: Map<number, Mapping>;
}

/** A portion is closed when it has this many questions. */
const BINARIES_PER_REQUEST = 8;

/** What is asked of the symbolizer for one batch. */
interface Questions {
  /** One per file object, that is per process and file. */
  readonly binaries: readonly Question[];
  readonly kernelAddresses: readonly bigint[];
  /** Addresses of code without a file, with the name of their memory. */
  readonly runtimeCode: ReadonlyMap<Process, ReadonlyMap<number, string>>;
}

export class BatchResolver {
  readonly #table: ProcessTable;
  readonly #symbols: SymbolSource;
  readonly #binaries: BinaryNamesCache;
  readonly #kernel: KernelNames;
  readonly #metrics: AgentMetrics;
  readonly #symbolizeTimeoutMillis: number;
  readonly #runtimeCode = new RuntimeCodeNames();
  #batchNumber = 0;

  /** @param symbolizeTimeoutMillis after which a batch goes out with the names that are known */
  constructor(
    table: ProcessTable,
    symbols: SymbolSource,
    binaries: BinaryNamesCache,
    kernel: KernelNames,
    metrics: AgentMetrics,
    symbolizeTimeoutMillis: number,
  ) {
    this.#table = table;
    this.#symbols = symbols;
    this.#binaries = binaries;
    this.#kernel = kernel;
    this.#metrics = metrics;
    this.#symbolizeTimeoutMillis = symbolizeTimeoutMillis;
  }

  async resolve(batch: SampleBatch): Promise<ResolvedBatch> {
    this.#batchNumber++;
    const processes = await this.#findProcesses(batch);
    await this.#refreshMappings(batch, processes);
    const images = processes.map((process, row) => this.#imageOf(batch, row, process));
    await this.#askForNames(batch, processes, images);
    const frames = this.#nameFrames(batch, processes, images);
    this.#metrics.forgottenBinaries.inc(this.#binaries.trim());
    this.#kernel.age(this.#batchNumber);
    return { batch, processes, images, frames };
  }

  async #findProcesses(batch: SampleBatch): Promise<Process[]> {
    const processes: Process[] = [];
    for (let row = 0; row < batch.length; row++) {
      const pid = batch.pid[row]!;
      const startTimeNanos = batch.startTimeNanos[row]!;
      const process =
        this.#table.lookup(pid, startTimeNanos) ??
        (await this.#table.adopt(
          pid,
          startTimeNanos,
          batch.comms[batch.comm[row]!] ?? '',
          batch.kernelThread[row] === 1,
        ));
      processes.push(process);
    }
    return processes;
  }

  /** Reads the mappings of processes again whose stacks lie outside of them. */
  async #refreshMappings(batch: SampleBatch, processes: readonly Process[]): Promise<void> {
    const stale = new Set<Process>();
    for (let row = 0; row < batch.length; row++) {
      const process = processes[row]!;
      if (stale.has(process)) continue;
      const image = this.#imageOf(batch, row, process);
      for (let i = firstUserFrame(batch, row); i < batch.frameStart[row + 1]!; i++) {
        if (image.mappings.find(lookupAddress(batch, i)) === undefined) {
          stale.add(process);
          break;
        }
      }
    }
    await Promise.all([...stale].map((process) => this.#table.refresh(process)));
  }

  #imageOf(batch: SampleBatch, row: number, process: Process): ProcessImage {
    const comm = batch.comms[batch.comm[row]!] ?? '';
    return this.#table.imageOf(
      process,
      batch.generation[row]!,
      comm,
      batch.frames,
      firstUserFrame(batch, row),
      batch.frameStart[row + 1]!,
    );
  }

  async #askForNames(
    batch: SampleBatch,
    processes: readonly Process[],
    images: readonly ProcessImage[],
  ): Promise<void> {
    const kernelAddresses = new Set<bigint>();
    const binaries = new Map<Mapping['file'], Question>();
    const runtimeCode = new Map<Process, Map<number, string>>();
    for (let row = 0; row < batch.length; row++) {
      const process = processes[row]!;
      const userStart = firstUserFrame(batch, row);
      for (let i = batch.frameStart[row]!; i < userStart; i++) {
        const address = kernelLookupAddress(batch, row, i);
        if (this.#kernel.get(address) === undefined) kernelAddresses.add(address);
      }
      for (let i = userStart; i < batch.frameStart[row + 1]!; i++) {
        const address = lookupAddress(batch, i);
        const mapping = images[row]!.mappings.find(address);
        if (mapping === undefined) continue;
        if (!hasFile(mapping)) {
          entry(runtimeCode, process, () => new Map()).set(address, mapping.file.path);
          continue;
        }
        const fileOffset = address - mapping.start + mapping.fileOffset;
        if (mapping.file.names?.get(fileOffset) !== undefined) continue;
        const question = entry(binaries, mapping.file, () => ({ process, mapping, offsets: new Map() }));
        question.offsets.set(fileOffset, mapping);
      }
    }
    if (kernelAddresses.size === 0 && binaries.size === 0 && runtimeCode.size === 0) return;
    const questions = {
      binaries: [...binaries.values()],
      kernelAddresses: [...kernelAddresses],
      runtimeCode,
    };
    await this.#ask(questions);
  }

  /**
   * Asks in portions, so that one large binary that is read for the first time keeps no other waiting. An answer that
   * comes too late for this batch still fills the caches for the next.
   */
  async #ask({ binaries, kernelAddresses, runtimeCode }: Questions): Promise<void> {
    const portions: Questions[] = [];
    if (kernelAddresses.length > 0 || runtimeCode.size > 0) {
      portions.push({ binaries: [], kernelAddresses, runtimeCode });
    }
    for (const portion of portionsOf(binaries)) {
      portions.push({ binaries: portion, kernelAddresses: [], runtimeCode: new Map() });
    }
    const answered = Promise.all(portions.map((portion) => this.#askPortion(portion))).then(() => true);
    const outcome = await withTimeout(answered, this.#symbolizeTimeoutMillis);
    if (outcome === undefined) this.#metrics.namingFailures.inc({ reason: 'symbolizer_late' });
  }

  async #askPortion(questions: Questions): Promise<void> {
    const request: SymbolRequest = {
      binaries: questions.binaries.map(({ process, mapping, offsets }) => ({
        pid: process.pid,
        start: BigInt(mapping.file.start),
        limit: BigInt(mapping.file.limit),
        device: mapping.file.device,
        inode: BigInt(mapping.file.inode),
        path: mapping.file.path,
        siblingPids: this.#table.siblingsOf(process),
        seenAtUnixMillis: mapping.file.seenAtUnixMillis,
        fileOffsets: BigUint64Array.from(offsets.keys(), BigInt),
      })),
      kernelAddresses: BigUint64Array.from(questions.kernelAddresses),
      runtimeCode: Array.from(questions.runtimeCode, ([{ pid, startTimeNanos }, addresses]) => ({
        pid,
        startTimeNanos,
        addresses: BigUint64Array.from(addresses.keys(), BigInt),
      })),
    };
    try {
      this.#learn(questions, await this.#symbols.symbolize(request));
    } catch (error) {
      this.#metrics.countOnce(this.#metrics.namingFailures, 'symbolizer_failed', 1, error);
    }
  }

  #learn({ binaries, kernelAddresses, runtimeCode }: Questions, response: SymbolResponse): void {
    // Before anything is added: what is known of these builds now is better than what was.
    this.#binaries.forgetBuilds(response.improvedBuildIds);
    for (let i = 0; i < binaries.length; i++) {
      const { mapping, offsets } = binaries[i]!;
      const { buildId, elfAddresses, frames } = response.binaries[i]!;
      const names = this.#binaries.bind(mapping.file, buildId);
      let at = 0;
      for (const [fileOffset, where] of offsets) {
        const lines = linesOf(frames, at, addressName(names.path, BigInt(fileOffset)));
        names.add(
          where,
          fileOffset,
          elfAddresses[at]!,
          lines.length > 0 ? lines : this.#unnamed(names, fileOffset),
        );
        at++;
      }
    }
    for (let i = 0; i < kernelAddresses.length; i++) {
      this.#kernel.add(kernelAddresses[i]!, response.kernel.names[i]!, response.kernel.modules[i]!);
    }
    let asked = 0;
    for (const [process, addresses] of runtimeCode) {
      const { frames } = response.runtimeCode[asked++]!;
      let at = 0;
      for (const [address, region] of addresses) {
        this.#runtimeCode.add(process, address, region, linesOf(frames, at++, ''));
      }
    }
  }

  /** What an address without a name is sent with. */
  #unnamed({ path }: BinaryNames, fileOffset: number): readonly FrameLine[] {
    if (this.#symbols.leavesNamesToServer === true) return [];
    return [nameLine(addressName(path, BigInt(fileOffset)))];
  }

  #nameFrames(batch: SampleBatch, processes: readonly Process[], images: readonly ProcessImage[]): Frame[] {
    const frames = new Array<Frame>(batch.frames.length);
    /** Frames without a cache of their own, by address: shared within the batch only. */
    const nameless = new Map<string, Frame>();
    let unmapped = 0;
    let unnamed = 0;
    for (let row = 0; row < batch.length; row++) {
      const userStart = firstUserFrame(batch, row);
      for (let i = batch.frameStart[row]!; i < userStart; i++) {
        const address = kernelLookupAddress(batch, row, i);
        frames[i] = this.#kernel.get(address) ?? this.#kernel.frame(address, '', '');
      }
      for (let i = userStart; i < batch.frameStart[row + 1]!; i++) {
        const address = lookupAddress(batch, i);
        const mapping = images[row]!.mappings.find(address);
        if (mapping === undefined) {
          unmapped++;
          frames[i] = entry(nameless, `${address}`, () => unknownFrame(address));
        } else if (!hasFile(mapping)) {
          frames[i] =
            this.#runtimeCode.get(processes[row]!, address) ??
            entry(nameless, `${address} ${mapping.file.path}`, () =>
              anonymousFrame(address, mapping.file.path),
            );
        } else {
          const { names } = mapping.file;
          const fileOffset = address - mapping.start + mapping.fileOffset;
          const known = names?.get(fileOffset);
          if (names !== undefined) names.lastUsedInBatch = this.#batchNumber;
          if (known === undefined) unnamed++;
          frames[i] =
            known ??
            entry(nameless, `${fileOffset} ${mapping.file.path}`, () => {
              const pending = new BinaryNames(mapping.file.path, '');
              const lines = this.#unnamed(pending, fileOffset);
              return pending.frame(mapping, fileOffset, BigInt(fileOffset), lines);
            });
        }
      }
    }
    if (unmapped > 0) this.#metrics.namingFailures.inc({ reason: 'address_unmapped' }, unmapped);
    if (unnamed > 0) this.#metrics.namingFailures.inc({ reason: 'name_pending' }, unnamed);
    return frames;
  }
}

function firstUserFrame(batch: SampleBatch, row: number): number {
  return batch.frameStart[row]! + batch.kernelFrameCount[row]!;
}

/** Frames of user space are the addresses to look up: the sampler has moved return addresses into the call before. */
function lookupAddress(batch: SampleBatch, frame: number): number {
  return Number(batch.frames[frame]!);
}

/**
 * All kernel frames but the innermost hold return addresses: the call is the instruction before, which may be the last
 * one of its function. So they are looked up one byte earlier.
 */
function kernelLookupAddress(batch: SampleBatch, row: number, frame: number): bigint {
  const address = batch.frames[frame]!;
  return frame === batch.frameStart[row]! ? address : address - 1n;
}

/** True where there is something to read symbols from: a file, or the vdso image in memory. */
function hasFile({ file }: Mapping): boolean {
  if (file.path === '[vdso]') return true;
  // A memfd is where some JIT compilers (.NET, Java with guards) keep their code; it is no file that anybody built.
  return file.inode !== 0 && !file.path.startsWith('/memfd:');
}

/** Questions about one file stay together: a process that lives can answer for one that has ended. */
function portionsOf(questions: readonly Question[]): Question[][] {
  const byFile = new Map<string, Question[]>();
  for (const question of questions) {
    const { device, inode, path } = question.mapping.file;
    entry(byFile, `${device} ${inode} ${path}`, () => []).push(question);
  }
  const portions: Question[][] = [];
  for (const ofFile of byFile.values()) {
    const last = portions.at(-1);
    if (last !== undefined && last.length < BINARIES_PER_REQUEST) last.push(...ofFile);
    else portions.push([...ofFile]);
  }
  return portions;
}

/** The functions at address `i` of an answer, innermost first. @param unnamed what a function without a name is called */
function linesOf(frames: NamedFrames, i: number, unnamed: string): FrameLine[] {
  const lines: FrameLine[] = [];
  for (let at = frames.frameStart[i]!; at < frames.frameStart[i + 1]!; at++) {
    lines.push({
      name: frames.names[at] || unnamed,
      systemName: frames.systemNames[at] || unnamed,
      file: frames.files[at]!,
      line: frames.lines[at]!,
      column: frames.columns[at]!,
      startLine: frames.startLines[at]!,
    });
  }
  return lines;
}

/** The value of a key, made when there is none. */
function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** The value, or undefined when it is not there in time. The timer keeps no process alive. */
async function withTimeout<T>(value: Promise<T>, millis: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, millis, undefined);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
