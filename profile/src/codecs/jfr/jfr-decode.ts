// SPDX-License-Identifier: Apache-2.0
//
// Reads a recording of the JDK Flight Recorder, by the JDK itself or by async-profiler, into profiles: one for each kind
// of measurement in it. Foreign bytes, so every size, position and key is checked.
//
// Each chunk stands by itself and is read in the order in which its parts need each other: types (metadata), pools
// (checkpoints), then the events, one after the other. A chunk counts as a whole: one that is malformed or truncated is
// left out and counted, and the others are kept; only when none is left is the recording refused.

import { FormatError, HearthscopeError } from '../../errors.ts';
import type { Profile } from '../../profile.ts';
import { ProfileBuilder } from '../../profile-builder.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from '../decode-limits.ts';
import type { DecodeReport } from '../decode-report.ts';
import { ChunkEvents, VALUE_OUT_OF_RANGE } from './jfr-chunk-events.ts';
import { ChunkFrames, type ProfileStacks } from './jfr-chunk-frames.ts';
import { type ChunkHeader, checkChunkHeader, readChunkHeader } from './jfr-chunk-header.ts';
import type { ChunkSamples } from './jfr-chunk-samples.ts';
import { ConstantPools } from './jfr-constant-pools.ts';
import { Correlations } from './jfr-correlations.ts';
import { amountScale, type JfrProfileKind, PROFILE_KINDS } from './jfr-event-kinds.ts';
import { JfrLabels } from './jfr-labels.ts';
import { Layouts } from './jfr-layout.ts';
import { DEFAULT_JFR_LIMITS, type JfrLimits } from './jfr-limits.ts';
import { readMetadata } from './jfr-metadata.ts';
import { JfrReader } from './jfr-reader.ts';
import { NameBudget } from './name-budget.ts';

export interface JfrOptions {
  readonly timeUnixNanos: bigint;
  readonly durationNanos: bigint;
  /** Samples per second of execution and wall clock samples; each stands for this part of a second. 0 when unknown. */
  readonly sampleRateHz: number;
  /** A LabelsSnapshot of the Java agent, decompressed. */
  readonly labels?: Uint8Array | undefined;
  readonly limits?: DecodeLimits;
  readonly jfrLimits?: JfrLimits;
}

export interface JfrProfile {
  /** The `__name__` of its series: `process_cpu`, `wall`, `memory`, `mutex` or `block`. */
  readonly name: string;
  readonly profile: Profile;
}

export interface JfrDecodeResult {
  /** Those that have samples. */
  readonly profiles: readonly JfrProfile[];
  /** What async-profiler sampled (`cpu`, `itimer`, `wall`, …), '' when the recording does not say. */
  readonly event: string;
  /** Chunks that were read. */
  readonly chunks: number;
  /** How many events of each type there were in them, also of those that are no samples. */
  readonly eventCounts: ReadonlyMap<string, number>;
}

const NANOS_PER_SECOND = 1e9;
/** What the values of a profile may come to, so that no sum of some of them leaves int64. */
const MAX_TOTAL = 2 ** 62;
/** Names of types and fields, which are read whole where the limit on symbols is lower. */
const MAX_TYPE_NAME_LENGTH = 65_535;

/** @param bytes decompressed
 * @param report takes what was refused: samples as `jfr_stack_trace_not_found`, `jfr_thread_state_not_found`,
 * `value_out_of_range`; and what was changed or left out: `jfr_chunk_lost`, `jfr_unknown_event_type`,
 * `jfr_frame_left_out`, `jfr_method_not_found`, `jfr_class_not_found`, `jfr_string_not_found`, `jfr_label_repeated`,
 * `stack_truncated`, `symbol_truncated`, `invalid_utf8`, `attribute_…`
 * @throws FormatError when no chunk can be read, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodeJfr(bytes: Uint8Array, options: JfrOptions, report: DecodeReport): JfrDecodeResult {
  return new JfrDecoder(bytes, options, report).decode();
}

interface ProfileInProgress {
  readonly builder: ProfileBuilder;
  /** By row of the correlations. */
  readonly attributeSets: number[];
  /** Sums of all values, by sample type. */
  readonly totals: number[];
}

class JfrDecoder {
  readonly #reader: JfrReader;
  readonly #options: JfrOptions;
  readonly #limits: DecodeLimits;
  readonly #jfrLimits: JfrLimits;
  readonly #report: DecodeReport;
  readonly #names: NameBudget;
  readonly #correlations: Correlations;
  readonly #profiles = new Map<number, ProfileInProgress>();
  readonly #eventCounts = new Map<string, number>();
  readonly #periodNanos: number;
  #event = '';
  #events = 0;
  /** Attributes of all distinct sets so far, which many profiles may have. */
  #attributes = 0;
  /** Distinct samples of all chunks so far. */
  #rows = 0;

  constructor(bytes: Uint8Array, options: JfrOptions, report: DecodeReport) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_DECODE_LIMITS;
    this.#jfrLimits = options.jfrLimits ?? DEFAULT_JFR_LIMITS;
    this.#report = report;
    const { maxRecordingBytes } = this.#jfrLimits;
    if (bytes.length > maxRecordingBytes) {
      throw new HearthscopeError(
        'invalid_argument',
        `jfr: ${bytes.length} bytes exceed the limit of ${maxRecordingBytes}`,
      );
    }
    this.#reader = new JfrReader(bytes, Math.max(this.#limits.maxSymbolLength, MAX_TYPE_NAME_LENGTH));
    this.#names = new NameBudget(this.#jfrLimits.maxNameBytes);
    this.#correlations = new Correlations(
      new JfrLabels(options.labels ?? new Uint8Array(0), this.#limits, report),
    );
    const { sampleRateHz } = options;
    this.#periodNanos = sampleRateHz > 0 ? Math.floor(NANOS_PER_SECOND / sampleRateHz) : 0;
  }

  decode(): JfrDecodeResult {
    const chunks = this.#readChunks();
    this.#report.repair('invalid_utf8', this.#reader.invalidUtf8Strings);
    const profiles = [...this.#profiles]
      .sort(([a], [b]) => a - b)
      .map(([kind, { builder }]) => ({ name: PROFILE_KINDS[kind]!.name, profile: builder.build() }));
    return {
      profiles: profiles.filter(({ profile }) => profile.samples.length > 0),
      event: this.#event,
      chunks,
      eventCounts: this.#eventCounts,
    };
  }

  /** @returns how many could be read */
  #readChunks(): number {
    const reader = this.#reader;
    const { length } = reader.bytes;
    let readable = 0;
    let firstError: FormatError | undefined;
    let lost = 0;
    let next = 0;
    for (let chunk = 0; next < length; chunk++) {
      if (chunk === this.#jfrLimits.maxChunks) {
        throw new HearthscopeError('invalid_argument', `jfr: more than ${chunk} chunks, which is the limit`);
      }
      reader.pos = next;
      reader.limit = length;
      // Without a good header, where the chunk after starts is not known.
      next = length;
      try {
        const header = readChunkHeader(reader);
        next = header.end;
        checkChunkHeader(reader, header);
        this.#readChunk(header);
        readable++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        firstError ??= error;
        lost++;
      }
    }
    if (readable === 0) throw firstError ?? new FormatError('jfr', 0, 'the recording is empty');
    this.#report.repair('jfr_chunk_lost', lost);
    return readable;
  }

  #readChunk(header: ChunkHeader): void {
    const reader = this.#reader;
    reader.compressed = header.compressed;
    reader.limit = header.end;
    reader.pos = header.metadata;
    const metadata = readMetadata(reader, this.#limits.maxTableRows);
    const layouts = new Layouts(reader, metadata);
    const pools = new ConstantPools(reader, metadata, layouts, this.#limits, this.#names, this.#report);
    pools.read(header);
    const events = new ChunkEvents(reader, metadata, layouts, pools, this.#correlations, {
      maxEvents: this.#jfrLimits.maxEvents - this.#events,
      maxSamples: this.#limits.maxDecodedRows - this.#rows,
      event: this.#event,
    });
    events.read(header);
    // From here on nothing of the chunk can be malformed.
    this.#event = events.event;
    this.#events += events.length;
    for (const [type, count] of events.counts()) {
      this.#eventCounts.set(type, (this.#eventCounts.get(type) ?? 0) + count);
    }
    events.reportTo(this.#report);
    this.#rows += events.samples.length;
    this.#take(events, pools, header);
  }

  /** Moves the sums of a chunk into the profiles. */
  #take(events: ChunkEvents, pools: ConstantPools, header: ChunkHeader): void {
    const { samples } = events;
    const frames = new ChunkFrames(pools, this.#limits.maxSymbolLength, this.#names, this.#report);
    const stacksOf = new Map<number, ProfileStacks>();
    for (let row = 0; row < samples.length; row++) {
      const kind = samples.profile(row);
      const { builder, attributeSets, totals } = this.#profile(kind);
      let stacks = stacksOf.get(kind);
      if (stacks === undefined) {
        stacks = frames.for(builder);
        stacksOf.set(kind, stacks);
      }
      const correlation = samples.correlation(row);
      attributeSets[correlation] ??= this.#attributeSet(builder, correlation);
      const scale = amountScale(events.amountUnit(kind), header.ticksPerSecond);
      const values = this.#values(kind, samples, row, scale);
      if (!addTotals(totals, values)) {
        this.#report.reject('sample', VALUE_OUT_OF_RANGE.reason, VALUE_OUT_OF_RANGE.message);
        continue;
      }
      builder.addSample(stacks.stack(samples.stack(row)), values.map(BigInt), {
        attributeSet: attributeSets[correlation],
      });
    }
  }

  #attributeSet(builder: ProfileBuilder, correlation: number): number {
    const attributes = this.#correlations.attributes(correlation);
    this.#attributes += attributes.length;
    const { maxDecodedRows } = this.#limits;
    if (this.#attributes > maxDecodedRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `jfr: the samples have more than ${maxDecodedRows} attributes in all, which is the limit of decoded rows`,
      );
    }
    return builder.attributeSet(attributes.map((attribute) => builder.attribute(attribute)));
  }

  #values(kind: number, samples: ChunkSamples, row: number, scale: number): number[] {
    const { isSampled, sampleTypes } = PROFILE_KINDS[kind]!;
    const count = samples.count(row);
    if (isSampled) return [count * this.#periodNanos];
    return sampleTypes.length === 1 ? [count] : [count, Math.round(samples.amount(row) * scale)];
  }

  #profile(kind: number): ProfileInProgress {
    let profile = this.#profiles.get(kind);
    if (profile === undefined) {
      const header = this.#header(PROFILE_KINDS[kind]!);
      profile = {
        builder: new ProfileBuilder(header),
        attributeSets: [],
        totals: header.sampleTypes.map(() => 0),
      };
      this.#profiles.set(kind, profile);
    }
    return profile;
  }

  #header({ sampleTypes, periodType, isSampled }: JfrProfileKind) {
    const { timeUnixNanos, durationNanos } = this.#options;
    const period = isSampled ? BigInt(this.#periodNanos) : 0n;
    return { timeUnixNanos, durationNanos, sampleTypes, periodType, period };
  }
}

/** Adds the values of a sample to the totals of its profile, unless a value is not exact or a total too large. */
function addTotals(totals: number[], values: readonly number[]): boolean {
  const sums = totals.map((total, type) => total + values[type]!);
  if (!values.every((value) => value <= Number.MAX_SAFE_INTEGER) || !sums.every((sum) => sum <= MAX_TOTAL)) {
    return false;
  }
  sums.forEach((sum, type) => {
    totals[type] = sum;
  });
  return true;
}
