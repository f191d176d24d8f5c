// SPDX-License-Identifier: Apache-2.0
//
// What an operator says about GitHub.

export interface VcsOptions {
  /** Of the GitHub app. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where GitHub sends the user after the login; '' for what the app says. */
  readonly callbackUrl: string;
  /** From which the keys are derived that tokens are encrypted with: any long text that is kept secret. */
  readonly sessionSecret: string;
  /** `https://github.com` unless it is an enterprise server. */
  readonly webUrl: string;
  /** `https://api.github.com` unless it is an enterprise server. */
  readonly apiUrl: string;
  /** Of one request to GitHub. */
  readonly requestTimeoutMillis: number;
}

export const DEFAULT_VCS_URLS = { webUrl: 'https://github.com', apiUrl: 'https://api.github.com' } as const;
export const DEFAULT_VCS_TIMEOUT_MILLIS = 10_000;
