// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests, made by openssl while the test runs.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why there can be no certificates here; undefined when there can. */
export function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'SKIPPED: the tool openssl is not installed (package openssl)';
  }
}

/** Files of one certificate, in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** @param signer none for one that signs itself */
export function makeCertificate(
  folder: string,
  name: string,
  commonName: string,
  signer?: CertificateFiles,
): CertificateFiles {
  const certFile = join(folder, `${name}.pem`);
  const keyFile = join(folder, `${name}.key`);
  const authority =
    signer === undefined
      ? ['-addext', 'basicConstraints=critical,CA:TRUE']
      : ['-CA', signer.certFile, '-CAkey', signer.keyFile, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  execFileSync(
    'openssl',
    ['req', '-x509', '-days', '2', '-subj', `/CN=${commonName}`, ...key, '-out', certFile, ...authority],
    { stdio: 'ignore' },
  );
  return { certFile, keyFile };
}

/** What Node takes for a client or a server. */
export function contentsOf({ certFile, keyFile }: CertificateFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
}
