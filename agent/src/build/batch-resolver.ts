// SPDX-License-Identifier: Apache-2.0
//
// Turns the addresses of one batch into frames: finds process, image and mapping of each stack, asks the symbolizer for
// what the caches do not know, and lays the frames out beside the batch's own columns.

import type { SampleBatch } from '@hearthscope/native';
import type { Mapping } from '../discovery/mapping-set.ts';
import type { Process, ProcessImage, ProcessTable } from '../discovery/process-table.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { SymbolRequest, SymbolResponse } from '../symbolize/symbol-request.ts';
import { BinaryNames, type BinaryNamesCache } from './binary-names.ts';
import { anonymousFrame, type Frame, unknownFrame } from './frame.ts';
import type { KernelNames } from './kernel-names.ts';

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
}

/** Offsets of one binary of one process that have no name yet. */
interface Question {
  readonly process: Process;
  readonly mapping: Mapping;
  /** By file offset, with the mapping that each was seen in. */
  readonly offsets: Map<number, Mapping>;
}

export class BatchResolver {
  readonly #table: ProcessTable;
  readonly #symbols: SymbolSource;
  readonly #binaries: BinaryNamesCache;
  readonly #kernel: KernelNames;
  readonly #metrics: AgentMetrics;
  readonly #symbolizeTimeoutMillis: number;
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
    const frames = this.#nameFrames(batch, images);
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
        if (image.mappings.find(lookupAddress(batch, row, i)) === undefined) {
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
    // One question per file object, that is per process and file.
    const questions = new Map<Mapping['file'], Question>();
    for (let row = 0; row < batch.length; row++) {
      const userStart = firstUserFrame(batch, row);
      for (let i = batch.frameStart[row]!; i < userStart; i++) {
        const address = kernelLookupAddress(batch, row, i);
        if (this.#kernel.get(address) === undefined) kernelAddresses.add(address);
      }
      for (let i = userStart; i < batch.frameStart[row + 1]!; i++) {
        const address = lookupAddress(batch, row, i);
        const mapping = images[row]!.mappings.find(address);
        if (mapping === undefined || !hasFile(mapping)) continue;
        const fileOffset = address - mapping.start + mapping.fileOffset;
        if (mapping.file.names?.get(fileOffset) !== undefined) continue;
        let question = questions.get(mapping.file);
        if (question === undefined) {
          question = { process: processes[row]!, mapping, offsets: new Map() };
          questions.set(mapping.file, question);
        }
        question.offsets.set(fileOffset, mapping);
      }
    }
    if (kernelAddresses.size === 0 && questions.size === 0) return;
    await this.#ask([...questions.values()], [...kernelAddresses]);
  }

  /** An answer that comes too late for this batch still fills the caches for the next. */
  async #ask(questions: readonly Question[], kernelAddresses: readonly bigint[]): Promise<void> {
    const request: SymbolRequest = {
      binaries: questions.map(({ process, mapping, offsets }) => ({
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
      kernelAddresses: BigUint64Array.from(kernelAddresses),
    };
    const answered = this.#symbols
      .symbolize(request)
      .then((response) => {
        this.#learn(questions, kernelAddresses, response);
        return 'answered' as const;
      })
      .catch((error: unknown) => {
        this.#metrics.countOnce(this.#metrics.namingFailures, 'symbolizer_failed', 1, error);
        return 'failed' as const;
      });
    const outcome = await withTimeout(answered, this.#symbolizeTimeoutMillis);
    if (outcome === undefined) this.#metrics.namingFailures.inc({ reason: 'symbolizer_late' });
  }

  #learn(questions: readonly Question[], kernelAddresses: readonly bigint[], response: SymbolResponse): void {
    for (let i = 0; i < questions.length; i++) {
      const { mapping, offsets } = questions[i]!;
      const answer = response.binaries[i]!;
      const names = this.#binaries.bind(mapping.file, answer.buildId);
      let at = 0;
      for (const [fileOffset, where] of offsets) {
        names.add(where, fileOffset, answer.elfAddresses[at]!, answer.names[at]!);
        at++;
      }
    }
    for (let i = 0; i < kernelAddresses.length; i++) {
      this.#kernel.add(kernelAddresses[i]!, response.kernel.names[i]!, response.kernel.modules[i]!);
    }
  }

  #nameFrames(batch: SampleBatch, images: readonly ProcessImage[]): Frame[] {
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
        const address = lookupAddress(batch, row, i);
        const mapping = images[row]!.mappings.find(address);
        if (mapping === undefined) {
          unmapped++;
          frames[i] = shared(nameless, `${address}`, () => unknownFrame(address));
        } else if (!hasFile(mapping)) {
          frames[i] = shared(nameless, `${address} ${mapping.file.path}`, () =>
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
            shared(nameless, `${fileOffset} ${mapping.file.path}`, () =>
              new BinaryNames(mapping.file.path, '').frame(mapping, fileOffset, BigInt(fileOffset), ''),
            );
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

/**
 * All frames but the innermost hold return addresses: the call is the instruction before, which may be the last one of
 * its function. So they are looked up one byte earlier.
 */
function lookupAddress(batch: SampleBatch, row: number, frame: number): number {
  const address = Number(batch.frames[frame]!);
  return frame === firstUserFrame(batch, row) ? address : address - 1;
}

function kernelLookupAddress(batch: SampleBatch, row: number, frame: number): bigint {
  const address = batch.frames[frame]!;
  return frame === batch.frameStart[row]! ? address : address - 1n;
}

/** True where there is something to read symbols from: a file, or the vdso image in memory. */
function hasFile({ file }: Mapping): boolean {
  return file.inode !== 0 || file.path === '[vdso]';
}

function shared(frames: Map<string, Frame>, key: string, make: () => Frame): Frame {
  let frame = frames.get(key);
  if (frame === undefined) {
    frame = make();
    frames.set(key, frame);
  }
  return frame;
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
