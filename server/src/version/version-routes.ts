// SPDX-License-Identifier: Apache-2.0
//
// version.v1.Version: which query API this server speaks.

import { Version } from '../../gen/version/v1/version_pb.js';
import { JSON_OPTIONS } from '../api/connect-service.ts';
import type { RouteGroup } from '../http/service-context.ts';

/** There has only been one. */
const QUERIER_API_VERSION = 1n;

export function versionRoutes(): RouteGroup {
  return {
    connect: (router) => {
      router.service(
        Version,
        { version: () => ({ QuerierAPI: QUERIER_API_VERSION }) },
        { jsonOptions: JSON_OPTIONS },
      );
    },
  };
}
