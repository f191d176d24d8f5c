// SPDX-License-Identifier: Apache-2.0
//
// The recording rules of tenants: those that users keep, on disk, and those of the configuration, which hide a user's
// rule of the same id.

import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { TenantDocuments } from '../settings/tenant-documents.ts';
import { checkRule, provisionedRule, type RecordingRule } from './recording-rule.ts';

export interface RuleStoreOptions {
  readonly dataDir: string;
  readonly limitsOf: (tenant: string) => {
    /** Rules that users keep; 0 for no limit. */
    readonly maxRecordingRules: number;
    /** Rules of the configuration, as JSON. */
    readonly recordingRules: readonly Readonly<Record<string, unknown>>[];
  };
  /** Told of each rule of the configuration that is not valid. */
  readonly logger: Logger;
}

export const RULES_FOLDER = 'recording-rules';
export const MAX_TENANTS_WITH_RULES = 10_000;
export const MAX_RULES_FILE_BYTES = 8 * 1024 * 1024;
const FORMAT_VERSION = 1;

type StoredRule = Omit<RecordingRule, 'isProvisioned'>;

interface RulesDocument {
  readonly rules: readonly StoredRule[];
}

export class RuleStore {
  readonly #options: RuleStoreOptions;
  readonly #documents: TenantDocuments<RulesDocument>;
  /** Messages about rules of the configuration that were logged. */
  readonly #complaints = new Set<string>();

  constructor(options: RuleStoreOptions) {
    this.#options = options;
    this.#documents = new TenantDocuments({
      folder: join(options.dataDir, RULES_FOLDER),
      fileName: 'rules.json',
      version: FORMAT_VERSION,
      maxBytes: MAX_RULES_FILE_BYTES,
      maxTenants: MAX_TENANTS_WITH_RULES,
      empty: { rules: [] },
      parse: parseDocument,
    });
  }

  /** The tenants who keep rules. */
  tenants(): string[] {
    return this.#documents.tenants();
  }

  /** Those of the configuration first. */
  async list(tenant: string): Promise<RecordingRule[]> {
    const provisioned = this.#provisioned(tenant);
    const ids = new Set(provisioned.map(({ id }) => id));
    const { rules } = await this.#documents.read(tenant);
    const kept = rules.filter(({ id }) => !ids.has(id));
    return [...provisioned, ...kept.map((rule) => ({ ...rule, isProvisioned: false }))];
  }

  /** @param rule with the generation that the client has seen
   * @throws HearthscopeError already_exists when the rule has changed since, resource_exhausted for one rule too many */
  async upsert(tenant: string, rule: RecordingRule): Promise<RecordingRule> {
    checkRule(rule);
    const max = this.#options.limitsOf(tenant).maxRecordingRules;
    const { isProvisioned: _, ...fields } = rule;
    let generation = 1;
    await this.#documents.update(tenant, ({ rules }) => {
      const old = rules.find(({ id }) => id === rule.id);
      if (old === undefined) {
        if (max > 0 && rules.length >= max) {
          throw new HearthscopeError(
            'resource_exhausted',
            `recording rules limit (${max}) exceeded for this tenant`,
          );
        }
        return { rules: [...rules, { ...fields, generation }] };
      }
      if (old.generation !== rule.generation) {
        throw new HearthscopeError('already_exists', 'conflicting update, please try again');
      }
      generation = old.generation + 1;
      return { rules: rules.map((each) => (each === old ? { ...fields, generation } : each)) };
    });
    return { ...rule, generation, isProvisioned: false };
  }

  /** @throws HearthscopeError not_found */
  async delete(tenant: string, id: string): Promise<void> {
    await this.#documents.update(tenant, ({ rules }) => {
      const others = rules.filter((rule) => rule.id !== id);
      if (others.length === rules.length) {
        throw new HearthscopeError('not_found', `no rule with ID='${id}' found`);
      }
      return { rules: others };
    });
  }

  /** A rule that is not valid is left out, with a word in the log, and the others are kept. */
  #provisioned(tenant: string): RecordingRule[] {
    return this.#options.limitsOf(tenant).recordingRules.flatMap((json) => {
      try {
        return [provisionedRule(json)];
      } catch (error) {
        const complaint = `${tenant}: ${messageOf(error)}`;
        if (!this.#complaints.has(complaint)) {
          this.#complaints.add(complaint);
          this.#options.logger.warn({ tenant, err: error }, 'a configured recording rule is not valid');
        }
        return [];
      }
    });
  }
}

function parseDocument({ rules }: Readonly<Record<string, unknown>>): RulesDocument {
  if (!Array.isArray(rules)) throw new Error('`rules` is no list');
  return {
    rules: rules.map((rule: StoredRule, i) => {
      const { id, metricName, matchers, groupBy, externalLabels, generation, functionName } = rule ?? {};
      const isRule =
        [id, metricName, functionName ?? ''].every(isText) &&
        [matchers, groupBy].every((list) => Array.isArray(list) && list.every(isText)) &&
        Array.isArray(externalLabels) &&
        externalLabels.every((label) => isText(label?.name) && isText(label?.value)) &&
        Number.isSafeInteger(generation);
      if (!isRule) throw new Error(`rules[${i}] is no recording rule`);
      return { id, metricName, matchers, groupBy, externalLabels, generation, functionName };
    }),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
