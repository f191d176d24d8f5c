// SPDX-License-Identifier: Apache-2.0
//
// What the supervisor and a component say to each other over the IPC channel. The channel is private to the two
// processes, so the configuration, which may hold secrets, travels here and not in arguments.

import type { Configuration } from '../config/configuration-types.ts';
import type { Component } from '../service.ts';

export type ToComponent =
  /** Comes once, first. */
  | { readonly type: 'start'; readonly configuration: Configuration }
  | { readonly type: 'stop' }
  /** How often the supervisor has restarted each component, for the server's /metrics. */
  | { readonly type: 'restarts'; readonly restarts: Readonly<Record<Component, number>> };

export type ToSupervisor =
  | { readonly type: 'started'; readonly ports: Readonly<Record<string, number | null>> }
  /** The component cannot start and has nothing left open; it exits with `exitCode` next. */
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: number }
  /** Somebody signalled the component itself. */
  | { readonly type: 'signalled'; readonly signal: string };
