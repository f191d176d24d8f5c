// SPDX-License-Identifier: Apache-2.0
//
// How requests are authenticated. The file with the credentials is YAML:
//
//   users:                                # HTTP Basic
//     alice:
//       password_hash: "$scrypt$…"        # or "$2b$…" (bcrypt), "sha256:…"; or `password:` in plain text
//       tenants: [team-a]                 # or ["*"]; only with multi-tenancy
//       scopes: [read]                    # default: read and write
//   tokens:                               # Bearer
//     ci:
//       token: …                          # or `token_hash: "sha256:…"`
//       tenants: [team-a]
//   certificates:                         # common names of client certificates
//     agent-1.example.org:
//       tenants: [team-a]
//       scopes: [write]

/** `none` lets everybody in; `any` takes each kind of credentials that the file has. */
export const AUTH_TYPES = ['none', 'basic', 'bearer', 'mtls', 'any'] as const;

export type AuthType = (typeof AUTH_TYPES)[number];

export interface AuthConfig {
  readonly type: AuthType;
  /** The credentials; must be given unless the type is `none`. Read again when it changes. */
  readonly file?: string;
}

export const NO_AUTH: AuthConfig = { type: 'none' };
