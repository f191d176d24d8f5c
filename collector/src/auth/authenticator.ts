// SPDX-License-Identifier: Apache-2.0
//
// Who sends a request and whose data it may write and read. One place decides, so that no receiver can forget to ask.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { ReloadedFiles, type ReloadFailure } from '../reload/reloaded-files.ts';
import { parseYamlMapping } from '../reload/yaml-data.ts';
import {
  ANONYMOUS_TENANT,
  noTenant,
  type RequestHeaders,
  tenantHeader,
  tenantOf,
  tenantsOf,
} from '../tenant.ts';
import { type AuthConfig, NO_AUTH } from './auth-config.ts';
import { type Credentials, type Grant, parseCredentials, tokenHashKey, tokenKey } from './credentials.ts';
import { PasswordCheck } from './password-check.ts';
import { plainSecret } from './secret.ts';

/** What a request says about its sender. */
export interface RequestIdentity {
  readonly headers: RequestHeaders;
  /** Common name of a verified client certificate. */
  readonly clientCertificate?: string;
}

export type Scope = 'read' | 'write';

export interface Authenticator {
  /** The one tenant a request may write to or manage.
   * @throws HearthscopeError unauthenticated, permission_denied, invalid_argument, resource_exhausted */
  tenant(request: RequestIdentity, scope: Scope): string;
  /** The tenants that a query reads (`a|b`), sorted, distinct.
   * @throws HearthscopeError unauthenticated, permission_denied, invalid_argument, resource_exhausted */
  tenants(request: RequestIdentity): readonly string[];
  /** The value of `WWW-Authenticate` for an answer 401, so that browsers ask; undefined when asking is no use. */
  readonly challenge?: string;
  /** Ends the watch over the credentials. */
  close?(): void;
}

export interface AuthenticatorOptions {
  readonly multitenancyEnabled?: boolean;
  /** How often the credentials are read again. */
  readonly reloadPeriodMillis?: number;
  /** Milliseconds. */
  readonly now?: () => number;
  /** Credentials that cannot be read any more; those of before stay in force. The error quotes none of them. */
  readonly onReloadFailure?: (reason: ReloadFailure, error: HearthscopeError, isNew: boolean) => void;
}

export const DEFAULT_RELOAD_PERIOD_MILLIS = 10_000;
const MAX_CREDENTIALS_BYTES = 4 * 2 ** 20;

/** @throws HearthscopeError failed_precondition when the credentials cannot be read */
export function createAuthenticator(config: AuthConfig, options: AuthenticatorOptions = {}): Authenticator {
  const { multitenancyEnabled = false } = options;
  if (config.type === NO_AUTH.type) return new OpenAuthenticator(multitenancyEnabled);
  if (config.file === undefined) {
    throw new HearthscopeError(
      'failed_precondition',
      `authentication of type ${config.type} needs a credentials file`,
    );
  }
  return new CredentialsAuthenticator(config, config.file, options);
}

/** Believes what the header says. Credentials are ignored: some clients send empty ones in any case. */
class OpenAuthenticator implements Authenticator {
  readonly #multitenancyEnabled: boolean;

  constructor(multitenancyEnabled: boolean) {
    this.#multitenancyEnabled = multitenancyEnabled;
  }

  tenant({ headers }: RequestIdentity): string {
    return tenantOf(headers, this.#multitenancyEnabled);
  }

  tenants({ headers }: RequestIdentity): readonly string[] {
    return tenantsOf(headers, this.#multitenancyEnabled);
  }
}

class CredentialsAuthenticator implements Authenticator {
  readonly challenge?: string;
  readonly #type: AuthConfig['type'];
  readonly #multitenancyEnabled: boolean;
  readonly #passwords: PasswordCheck;
  readonly #file: ReloadedFiles<Credentials>;

  constructor({ type }: AuthConfig, file: string, options: AuthenticatorOptions) {
    const { multitenancyEnabled = false, now = Date.now, onReloadFailure = () => {} } = options;
    this.#type = type;
    this.#multitenancyEnabled = multitenancyEnabled;
    this.#passwords = new PasswordCheck(now);
    this.#file = new ReloadedFiles({
      paths: [file],
      maxBytes: MAX_CREDENTIALS_BYTES,
      periodMillis: options.reloadPeriodMillis ?? DEFAULT_RELOAD_PERIOD_MILLIS,
      parse: ([content]) => parseCredentials(parseYamlMapping(content!.toString()), multitenancyEnabled),
      onFailure: onReloadFailure,
    });
    if (this.#takes('basic')) this.challenge = 'Basic realm="Hearthscope", charset="UTF-8"';
    else if (this.#takes('bearer')) this.challenge = 'Bearer realm="Hearthscope"';
  }

  tenant(request: RequestIdentity, scope: Scope): string {
    const grant = this.#grant(request, scope);
    if (!this.#multitenancyEnabled) return ANONYMOUS_TENANT;
    const tenant = tenantHeader(request.headers) === '' ? onlyTenant(grant) : tenantOf(request.headers, true);
    checkTenant(grant, tenant);
    return tenant;
  }

  tenants(request: RequestIdentity): readonly string[] {
    const grant = this.#grant(request, 'read');
    if (!this.#multitenancyEnabled) return [ANONYMOUS_TENANT];
    const tenants =
      tenantHeader(request.headers) === '' ? [onlyTenant(grant)] : tenantsOf(request.headers, true);
    for (const tenant of tenants) checkTenant(grant, tenant);
    return tenants;
  }

  close(): void {
    this.#file.close();
  }

  #takes(type: AuthConfig['type']): boolean {
    return this.#type === type || this.#type === 'any';
  }

  #grant(request: RequestIdentity, scope: Scope): Grant {
    const grant = this.#credentialsOf(request);
    if (grant === undefined) throw new HearthscopeError('unauthenticated', 'valid credentials are required');
    if (!grant.scopes.has(scope)) {
      throw new HearthscopeError('permission_denied', `${grant.who} may not ${scope}`);
    }
    return grant;
  }

  #credentialsOf({ headers, clientCertificate }: RequestIdentity): Grant | undefined {
    const credentials = this.#file.value;
    const { authorization } = headers;
    const [, scheme = '', value = ''] =
      typeof authorization === 'string' ? (/^(\S+) +(\S+) *$/.exec(authorization) ?? []) : [];
    if (this.#takes('basic') && scheme.toLowerCase() === 'basic') return this.#userOf(value, credentials);
    if (this.#takes('bearer') && scheme.toLowerCase() === 'bearer') {
      const { tokens } = credentials;
      return tokens.get(tokenKey(value)) ?? tokens.get(tokenHashKey(value));
    }
    if (this.#takes('mtls') && clientCertificate !== undefined) {
      return credentials.certificates.get(clientCertificate);
    }
    return undefined;
  }

  #userOf(encoded: string, { users }: Credentials): Grant | undefined {
    const decoded = Buffer.from(encoded, 'base64').toString();
    const colon = decoded.indexOf(':');
    if (colon < 0) return undefined;
    const name = decoded.slice(0, colon);
    const user = users.get(name);
    const decoy = users.values().next().value?.secret ?? NOBODY;
    return this.#passwords.matches(name, decoded.slice(colon + 1), user, decoy) ? user : undefined;
  }
}

/** Stands in where the file has no users. */
const NOBODY = plainSecret('');

/** The tenant of a request that names none. */
function onlyTenant({ tenants }: Grant): string {
  const [tenant, another] = tenants === 'all' ? [] : tenants;
  if (tenant === undefined || another !== undefined) throw noTenant();
  return tenant;
}

function checkTenant({ tenants, who }: Grant, tenant: string): void {
  if (tenants !== 'all' && !tenants.has(tenant)) {
    throw new HearthscopeError(
      'permission_denied',
      `${who} has no access to the tenant ${JSON.stringify(tenant)}`,
    );
  }
}
