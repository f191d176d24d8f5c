// SPDX-License-Identifier: Apache-2.0
//
// How a listening port speaks TLS.

/** The modes of Go's crypto/tls, by which operators of Pyroscope configure them. */
export const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;

export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number];

export interface TlsOptions {
  /** PEM: the certificate, then the intermediate ones. */
  readonly certFile: string;
  /** PEM. */
  readonly keyFile: string;
  /** PEM: who may sign the certificates of clients. */
  readonly clientCaFile?: string;
  /** Default: RequireAndVerifyClientCert when there is a clientCaFile, else NoClientCert. */
  readonly clientAuth?: ClientAuthType;
}
