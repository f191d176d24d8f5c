// SPDX-License-Identifier: Apache-2.0
//
// The certificates of the listening ports. They are read again while the server runs, as they are renewed every few weeks:
// connections that begin later have the new ones. Files that do not fit together, as while they are being replaced, change
// nothing, are counted each time and logged once.

import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { ReloadedFiles } from '@hearthscope/collector/reload/reloaded-files';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ClientAuthType, TlsOptions } from './tls-options.ts';

export const DEFAULT_TLS_RELOAD_PERIOD_MILLIS = 10_000;
const MAX_TLS_FILE_BYTES = 2 ** 20;

/** What is done about certificates of clients. */
const CLIENT_AUTH: Readonly<Record<ClientAuthType, ClientAuthRules>> = {
  NoClientCert: { isRequested: false, isRequired: false, isVerified: false },
  RequestClientCert: { isRequested: true, isRequired: false, isVerified: false },
  RequireAnyClientCert: { isRequested: true, isRequired: true, isVerified: false },
  VerifyClientCertIfGiven: { isRequested: true, isRequired: false, isVerified: true },
  RequireAndVerifyClientCert: { isRequested: true, isRequired: true, isVerified: true },
};

interface ClientAuthRules {
  readonly isRequested: boolean;
  readonly isRequired: boolean;
  readonly isVerified: boolean;
}

/** The PEM files, as Node takes them. */
type Certificates = Pick<tls.SecureContextOptions, 'cert' | 'key' | 'ca'>;

export interface TlsContextOptions {
  readonly files: TlsOptions;
  readonly reloadPeriodMillis?: number;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** Shared by all ports. */
export class TlsContext {
  readonly #rules: ClientAuthRules;
  readonly #files: ReloadedFiles<Certificates>;
  readonly #servers = new Set<tls.Server>();

  /** @throws HearthscopeError failed_precondition when the files cannot be read or do not fit together */
  constructor(options: TlsContextOptions) {
    const { files, logger, registry } = options;
    const { certFile, keyFile, clientCaFile } = files;
    const clientAuth =
      files.clientAuth ?? (clientCaFile === undefined ? 'NoClientCert' : 'RequireAndVerifyClientCert');
    this.#rules = CLIENT_AUTH[clientAuth];
    if (this.#rules.isVerified && clientCaFile === undefined) {
      throw new HearthscopeError(
        'failed_precondition',
        `TLS: client authentication ${clientAuth} needs the certificate of the authority that signs those of clients`,
      );
    }
    const failures = new Counter({
      name: 'hearthscope_tls_reload_failures_total',
      help: 'Attempts to read the TLS certificate, its key or the client authority that failed',
      labelNames: ['reason'] as const,
      registers: [registry],
    });
    for (const reason of ['unreadable', 'too_large', 'invalid']) failures.inc({ reason }, 0);
    const notAfter = new Gauge({
      name: 'hearthscope_tls_certificate_not_after_timestamp_seconds',
      help: 'When the TLS certificate in use ends to be valid',
      registers: [registry],
    });
    this.#files = new ReloadedFiles({
      paths: [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])],
      maxBytes: MAX_TLS_FILE_BYTES,
      periodMillis: options.reloadPeriodMillis ?? DEFAULT_TLS_RELOAD_PERIOD_MILLIS,
      parse: parseCertificates,
      onChange: (certificates) => {
        for (const server of this.#servers) server.setSecureContext(certificates);
        notAfter.set(endOf(certificates));
        logger.info({ certFile }, 'TLS certificate reloaded');
      },
      onFailure: (reason, error, isNew) => {
        failures.inc({ reason });
        if (isNew) logger.error({ reason, error: error.message }, 'TLS certificate not reloaded');
      },
    });
    notAfter.set(endOf(this.#files.value));
  }

  /** Makes what turns TCP connections, given to it by `emit('connection', socket)`, into TLS ones. */
  createServer(handshakeTimeoutMillis: number): tls.Server {
    const { isRequested, isRequired, isVerified } = this.#rules;
    const server = tls.createServer({
      ...this.#files.value,
      requestCert: isRequested,
      rejectUnauthorized: isRequired && isVerified,
      handshakeTimeout: handshakeTimeoutMillis,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    this.#servers.add(server);
    return server;
  }

  /** Certificates that are renewed no longer concern the server. */
  release(server: tls.Server): void {
    this.#servers.delete(server);
  }

  /** Whether the certificate of a client, or that it has none, is in order. Asked after the handshake. */
  accepts(socket: tls.TLSSocket): boolean {
    const { isRequired, isVerified } = this.#rules;
    const isGiven = Object.keys(socket.getPeerCertificate()).length > 0;
    return isGiven ? socket.authorized || !isVerified : !isRequired;
  }

  /** Reads the files again, now. Never throws. */
  check(): void {
    this.#files.check();
  }

  close(): void {
    this.#files.close();
  }
}

function parseCertificates([cert, key, ca]: readonly Buffer[]): Certificates {
  const certificates: Certificates = {
    cert: cert!,
    key: key!,
    ...(ca === undefined ? {} : { ca }),
  };
  // Throws what OpenSSL says of them, which is no secret.
  tls.createSecureContext(certificates);
  endOf(certificates);
  return certificates;
}

/** Seconds since the Unix epoch. */
function endOf({ cert }: Certificates): number {
  return new X509Certificate(cert as Buffer).validToDate.getTime() / 1000;
}
