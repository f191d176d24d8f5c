// SPDX-License-Identifier: Apache-2.0
//
// debuginfo.v1alpha1.DebuginfoService over Connect, gRPC and gRPC-Web: everything about uploads but the bytes, which come
// over plain HTTP (upload-receiver.ts).

import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import type { Authenticator, Scope } from '@hearthscope/collector/auth/authenticator';
import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  DebuginfoService,
  FileMetadata_Type,
  ObjectMetadata_State,
} from '../../gen/debuginfo/v1alpha1/debuginfo_pb.js';
import { answering, JSON_OPTIONS } from '../api/connect-service.ts';
import { identityOfCall } from '../http/request-identity.ts';
import type { DebugFileKind } from '../symbolize/symbol-protocol.ts';
import { parseBuildId } from './build-id.ts';
import type { DebugInfoEntry, DebugInfoStore } from './debug-info-store.ts';

export interface DebugInfoRoutesOptions {
  /** Says whose debug information a request is about. */
  readonly authenticator: Authenticator;
  /** Undefined when uploads are not taken. */
  readonly store: DebugInfoStore | undefined;
}

/** Adds the service to a router. */
export function debugInfoRoutes({
  store,
  authenticator,
}: DebugInfoRoutesOptions): (router: ConnectRouter) => void {
  const tenantOf = (context: HandlerContext, scope: Scope) =>
    authenticator.tenant(identityOfCall(context), scope);
  return (router) => {
    router.service(
      DebuginfoService,
      {
        shouldInitiateUpload: answering(({ file }, context) => {
          const tenant = tenantOf(context, 'write');
          const buildId = parseBuildId(file?.gnuBuildId ?? '');
          if (store === undefined) {
            return { shouldInitiateUpload: false, reason: 'this server takes no debug information' };
          }
          const kind = kindOf(file?.type ?? FileMetadata_Type.UNSPECIFIED);
          const { shouldUpload, reason } = store.shouldUpload(tenant, buildId, kind, file?.name ?? '');
          return { shouldInitiateUpload: shouldUpload, reason };
        }),
        uploadFinished: answering(({ gnuBuildId }, context) => {
          const buildId = parseBuildId(gnuBuildId);
          // The file was checked and made durable before its upload was answered: there is nothing left to do.
          if (requireStore(store).has(tenantOf(context, 'write'), buildId)) return {};
          throw new HearthscopeError('failed_precondition', `nothing was uploaded for ${buildId}`);
        }),
        listDebuginfo: answering((_request, context) => ({
          object: requireStore(store).list(tenantOf(context, 'read')).map(objectMessage),
        })),
        deleteDebuginfo: answering(async ({ gnuBuildId }, context) => {
          const buildId = parseBuildId(gnuBuildId);
          if (await requireStore(store).remove(tenantOf(context, 'write'), buildId)) return {};
          throw new HearthscopeError('not_found', `there is no debug information for ${buildId}`);
        }),
      },
      { jsonOptions: JSON_OPTIONS },
    );
  };
}

function requireStore(store: DebugInfoStore | undefined): DebugInfoStore {
  if (store !== undefined) return store;
  throw new HearthscopeError('unimplemented', 'this server takes no debug information');
}

function kindOf(type: FileMetadata_Type): DebugFileKind | undefined {
  switch (type) {
    case FileMetadata_Type.EXECUTABLE_FULL:
      return 'executable';
    case FileMetadata_Type.EXECUTABLE_NO_TEXT:
      return 'debug';
    default:
      return undefined;
  }
}

function typeOf(kind: DebugFileKind | undefined): FileMetadata_Type {
  if (kind === undefined) return FileMetadata_Type.UNSPECIFIED;
  return kind === 'executable' ? FileMetadata_Type.EXECUTABLE_FULL : FileMetadata_Type.EXECUTABLE_NO_TEXT;
}

function objectMessage(entry: DebugInfoEntry) {
  const { buildId, name, kind, startedAtUnixMillis, finishedAtUnixMillis, sizeBytes } = entry;
  return {
    file: { gnuBuildId: buildId, name, type: typeOf(kind) },
    state:
      finishedAtUnixMillis === undefined ? ObjectMetadata_State.UPLOADING : ObjectMetadata_State.UPLOADED,
    startedAt: timestampFromMs(startedAtUnixMillis),
    ...(finishedAtUnixMillis === undefined ? {} : { finishedAt: timestampFromMs(finishedAtUnixMillis) }),
    sizeBytes: BigInt(sizeBytes),
  };
}
