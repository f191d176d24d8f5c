// SPDX-License-Identifier: Apache-2.0
//
// Everything that names frames at query time, as the server starts and stops it: the files that were uploaded, the worker
// that reads them, and the door that uploads come in through.

import type { MessagePort } from 'node:worker_threads';
import type { ConnectRouter } from '@connectrpc/connect';
import type { Authenticator } from '@hearthscope/collector/auth/authenticator';
import type { DemangleMode } from '@hearthscope/profile/symbols/demangle/demangle';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Readiness } from '../receivers/receiver-context.ts';
import type { NamingLimits } from '../symbolize/frame-namer.ts';
import type { DebugFiles } from '../symbolize/symbol-protocol.ts';
import { Symbolizer, type SymbolizerLimits } from '../symbolize/symbolizer.ts';
import { DEFAULT_DEBUG_INFO_LIMITS, type DebugInfoLimits } from './debug-info-limits.ts';
import { debugInfoRoutes } from './debug-info-service.ts';
import { DebugInfoStore } from './debug-info-store.ts';
import { UploadReceiver } from './upload-receiver.ts';

/** What an operator may choose; everything has a default. */
export interface DebugInfoOptions {
  /** Whether clients may upload debug information. Default true. */
  readonly takesUploads?: boolean;
  /** Folders with a `.build-id` folder in them, such as /usr/lib/debug, searched beside what was uploaded. Default none. */
  readonly directories?: readonly string[];
  /** How much of C++ and Rust names is shown. Default full. */
  readonly demangle?: DemangleMode;
  readonly limits?: Partial<DebugInfoLimits>;
  readonly symbolizerLimits?: Partial<SymbolizerLimits>;
  readonly namingLimits?: Partial<NamingLimits>;
}

export interface DebugInfoStart {
  readonly dataDir: string;
  readonly options: DebugInfoOptions;
  /** Whether threads can be started only now: see SymbolizerOptions. */
  readonly mustLoadNow: boolean;
  /** Where questions for names come from. */
  readonly port: MessagePort;
  readonly logger: Logger;
  readonly registry: Registry;
}

export class DebugInfo {
  readonly #store: DebugInfoStore | undefined;
  readonly #symbolizer: Symbolizer;
  readonly #logger: Logger;

  private constructor(store: DebugInfoStore | undefined, symbolizer: Symbolizer, logger: Logger) {
    this.#store = store;
    this.#symbolizer = symbolizer;
    this.#logger = logger;
  }

  /** Resolves when all code is loaded and all files of earlier runs are known. The data directory must be locked.
   * @throws HearthscopeError failed_precondition when the data directory cannot be used */
  static async start(start: DebugInfoStart): Promise<DebugInfo> {
    const { dataDir, options, mustLoadNow, port, logger, registry } = start;
    const { takesUploads = true, directories = [], demangle = 'full' } = options;
    let store: DebugInfoStore | undefined;
    const symbolizer = await Symbolizer.start({
      debugDirectories: directories,
      demangle,
      mustLoadNow,
      filesOf: (tenant, buildId) => store?.filesOf(tenant, buildId) ?? NO_FILES,
      ...(options.symbolizerLimits && { limits: options.symbolizerLimits }),
      logger,
      registry,
    });
    try {
      if (takesUploads) {
        store = await DebugInfoStore.open({
          dataDir,
          limits: { ...DEFAULT_DEBUG_INFO_LIMITS, ...options.limits },
          inspect: (path) => symbolizer.inspect(path),
          onChange: (tenant, buildId, gone) => symbolizer.changed(tenant, buildId, gone),
          logger,
          registry,
          now: () => Date.now(),
        });
      }
    } catch (error) {
      await symbolizer.stop();
      throw error;
    }
    symbolizer.serve(port);
    return new DebugInfo(store, symbolizer, logger);
  }

  /** The Connect services. */
  routes(authenticator: Authenticator): (router: ConnectRouter) => void {
    return debugInfoRoutes({ store: this.#store, authenticator });
  }

  /** The door for uploads. */
  uploadReceiver(readiness: () => Readiness, authenticator: Authenticator): UploadReceiver {
    return new UploadReceiver({
      store: this.#store,
      readiness,
      authenticator,
      logger: this.#logger,
    });
  }

  async stop(): Promise<void> {
    await this.#symbolizer.stop();
  }
}

const NO_FILES: DebugFiles = { version: '' };
