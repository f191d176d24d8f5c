// SPDX-License-Identifier: Apache-2.0
//
// Who sends a request, as the authenticator wants it: its headers and, on a TLS connection, the name in the certificate
// that was verified. Connect hides both the socket and Node's headers, so they are given to its handlers as a context
// value.

import type { TLSSocket } from 'node:tls';
import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import type { RequestIdentity } from '@hearthscope/collector/auth/authenticator';
import type { HttpRequest } from '../listen.ts';

export function identityOf({ headers, socket }: Pick<HttpRequest, 'headers' | 'socket'>): RequestIdentity {
  const clientCertificate = verifiedName(socket as Partial<TLSSocket>);
  return clientCertificate === undefined ? { headers } : { headers, clientCertificate };
}

const IDENTITY = createContextKey<RequestIdentity>({ headers: {} }, { description: 'who calls' });

/** What a Connect handler finds in its context. */
export function identityValues(request: Pick<HttpRequest, 'headers' | 'socket'>): ContextValues {
  return createContextValues().set(IDENTITY, identityOf(request));
}

/** Who calls a method of a Connect service, for the authenticator. */
export function identityOfCall({ values }: Pick<HandlerContext, 'values'>): RequestIdentity {
  return values.get(IDENTITY);
}

/** The common name of the client's certificate; undefined unless it was asked for and verified. */
function verifiedName(socket: Partial<TLSSocket>): string | undefined {
  if (socket.authorized !== true) return undefined;
  const name = socket.getPeerCertificate?.().subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}
