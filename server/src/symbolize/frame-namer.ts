// SPDX-License-Identifier: Apache-2.0
//
// Names the nameless locations of a query's profile, in the thread that runs queries. What the cache does not know is
// asked of the main thread through a port, all binaries at once; what has not come when the time is up stays without
// names this time, and is in the cache for the next query.

import type { MessagePort } from 'node:worker_threads';
import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Pace } from '../storage/store.ts';
import { type AddressFrames, type BinaryFrames, FrameCache } from './frame-cache.ts';
import { namedProfile } from './named-profile.ts';
import { type NamelessAddresses, namelessLocations } from './nameless-locations.ts';
import type { SymbolAnswer, SymbolFailure, SymbolMessage, SymbolQuestion } from './symbol-protocol.ts';

export interface NamingLimits {
  /** Addresses that one query may ask for; the others stay without names. */
  readonly maxAddressesPerQuery: number;
  /** How long a query waits for names. */
  readonly maxWaitMillis: number;
  /** Estimated bytes of the names kept for later queries. */
  readonly maxCacheBytes: number;
}

export const DEFAULT_NAMING_LIMITS: NamingLimits = {
  maxAddressesPerQuery: 200_000,
  maxWaitMillis: 15_000,
  maxCacheBytes: 64 * 1024 * 1024,
};

/** Addresses of one question, so that no query keeps the symbol worker from the others for long. */
const ADDRESSES_PER_QUESTION = 2048;

/** What became of an address; labels of `hearthscope_symbolize_addresses_total`. */
type Outcome = 'named' | 'no_symbol' | 'no_debug_info' | 'failed' | 'too_many' | 'late';

/** Addresses handled in one step. */
const ADDRESSES_PER_STEP = 4096;

/** Addresses that the cache does not know. */
interface Question {
  readonly group: NamelessAddresses;
  readonly addresses: BigUint64Array;
  readonly frames: BinaryFrames;
}

type FramesByLocation = Map<number, AddressFrames>;

export class FrameNamer {
  readonly #port: MessagePort;
  readonly #limits: NamingLimits;
  readonly #cache: FrameCache;
  readonly #addresses: Counter<'outcome'>;
  readonly #pending = new Map<number, (answer: SymbolAnswer) => void>();
  #lastId = 0;

  /** @param port whose other end {@link Symbolizer.serve} has */
  constructor(port: MessagePort, limits: NamingLimits, registry: Registry) {
    const registers = [registry];
    this.#port = port;
    this.#limits = limits;
    this.#addresses = new Counter({
      name: 'hearthscope_symbolize_addresses_total',
      help: 'Addresses without names that queries met, by what became of them.',
      labelNames: ['outcome'],
      registers,
    });
    const evictions = new Counter({
      name: 'hearthscope_symbolize_cache_evictions_total',
      help: 'Addresses and build ids forgotten to stay within the limits of the cache.',
      registers,
    });
    const cache = new FrameCache({
      maxBytes: limits.maxCacheBytes,
      now: () => performance.now(),
      onEviction: () => evictions.inc(),
    });
    this.#cache = cache;
    new Gauge({
      name: 'hearthscope_symbolize_cache_bytes',
      help: 'Estimated bytes of the names kept for later queries.',
      registers,
      collect() {
        this.set(cache.bytes);
      },
    });
    port.on('message', (message: SymbolMessage) => {
      if (message.kind === 'changed') {
        cache.forget(message.tenant, message.buildId);
      } else {
        this.#pending.get(message.id)?.(message.answer);
        this.#pending.delete(message.id);
      }
    });
    port.on('close', () => {
      for (const settle of this.#pending.values()) settle({ frames: undefined, failure: 'stopped' });
      this.#pending.clear();
    });
    port.unref();
  }

  /** The profile with names where there are any. Its values are untouched. */
  async name(tenant: string, profile: Profile, pace: Pace): Promise<Profile> {
    const groups = await pace.run(namelessLocations(profile));
    if (groups.length === 0) return profile;
    const framesOf: FramesByLocation = new Map();
    const questions = await pace.run(this.#takeKnown(tenant, groups, framesOf));
    const answers = await this.#askAll(tenant, questions);
    await pace.run(this.#takeAnswers(questions, answers, framesOf));
    return pace.run(namedProfile(profile, framesOf));
  }

  close(): void {
    this.#port.close();
  }

  /** Takes what the cache knows, and says what is left to be asked. */
  *#takeKnown(
    tenant: string,
    groups: readonly NamelessAddresses[],
    framesOf: FramesByLocation,
  ): Steps<Question[]> {
    const questions: Question[] = [];
    let asked = 0;
    for (const group of groups) {
      yield;
      const frames = this.#cache.binary(tenant, group.buildId, group.kind);
      const failure = frames.failure();
      if (failure !== '') {
        this.#countFailure(failure, group.locationsByAddress.size);
        continue;
      }
      const unknown: bigint[] = [];
      let seen = 0;
      for (const address of group.locationsByAddress.keys()) {
        if (seen++ % ADDRESSES_PER_STEP === 0) yield;
        const known = frames.get(address);
        if (known === undefined) unknown.push(address);
        else this.#use(group, address, known, framesOf);
      }
      const allowed = Math.min(unknown.length, this.#limits.maxAddressesPerQuery - asked);
      this.#count('too_many', unknown.length - allowed);
      asked += allowed;
      for (let at = 0; at < allowed; at += ADDRESSES_PER_QUESTION) {
        const part = unknown.slice(at, Math.min(allowed, at + ADDRESSES_PER_QUESTION));
        questions.push({ group, addresses: BigUint64Array.from(part), frames });
      }
    }
    return questions;
  }

  /** The answers to the questions, undefined for those that were not there in time. The late ones are kept all the same. */
  async #askAll(
    tenant: string,
    questions: readonly Question[],
  ): Promise<(AddressFrames[] | SymbolFailure | undefined)[]> {
    const answers = new Array<AddressFrames[] | SymbolFailure | undefined>(questions.length).fill(undefined);
    if (questions.length === 0) return answers;
    const all = questions.map(async (question, i) => {
      const { frames, failure } = await this.#ask(tenant, question);
      if (frames === undefined) question.frames.fail(failure);
      answers[i] = frames === undefined ? failure : question.frames.learn(question.addresses, frames);
    });
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#limits.maxWaitMillis);
    await Promise.race([Promise.all(all), patience]);
    clearTimeout(timer);
    return [...answers];
  }

  *#takeAnswers(
    questions: readonly Question[],
    answers: readonly (AddressFrames[] | SymbolFailure | undefined)[],
    framesOf: FramesByLocation,
  ): Steps<void> {
    for (const [i, { group, addresses }] of questions.entries()) {
      yield;
      const answer = answers[i];
      if (answer === undefined) this.#count('late', addresses.length);
      else if (typeof answer === 'string') this.#countFailure(answer, addresses.length);
      else for (const [at, own] of answer.entries()) this.#use(group, addresses[at]!, own, framesOf);
    }
  }

  #ask(tenant: string, { group, addresses }: Question): Promise<SymbolAnswer> {
    const { promise, resolve } = Promise.withResolvers<SymbolAnswer>();
    const id = ++this.#lastId;
    this.#pending.set(id, resolve);
    const { buildId, kind } = group;
    this.#port.postMessage({ id, tenant, buildId, kind, addresses } satisfies SymbolQuestion);
    return promise;
  }

  #use(group: NamelessAddresses, address: bigint, frames: AddressFrames, framesOf: FramesByLocation): void {
    this.#count(frames.length > 0 ? 'named' : 'no_symbol', 1);
    if (frames.length === 0) return;
    for (const location of group.locationsByAddress.get(address)!) framesOf.set(location, frames);
  }

  #countFailure(failure: SymbolFailure, addresses: number): void {
    this.#count(failure === 'no_debug_info' ? 'no_debug_info' : 'failed', addresses);
  }

  #count(outcome: Outcome, addresses: number): void {
    if (addresses > 0) this.#addresses.inc({ outcome }, addresses);
  }
}
