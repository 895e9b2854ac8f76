// SPDX-License-Identifier: MIT
/** The page: its files, and `/live`, which it follows. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Assets } from './page/assets.ts';
import { Hub } from './page/hub.ts';
import { LiveStreams } from './page/live.ts';

/** Sources and bundles are equally deep, so one relative path serves both. */
const FOLDER = fileURLToPath(new URL('../../dist/web', import.meta.url));

export class Page {
  readonly #assets = new Assets(FOLDER);
  readonly #hub: Hub;
  readonly #live: LiveStreams;

  /** `socket`: the daemon's read-only socket. `log`: a line for the log. */
  constructor(socket: string, log: (text: string) => void) {
    this.#hub = new Hub(socket, log);
    this.#live = new LiveStreams(this.#hub);
  }

  /** False: the page has no such path. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    parameters: URLSearchParams,
  ): Promise<boolean> {
    if (path !== '/live') return this.#assets.serve(request, response, path);
    await this.#live.serve(request, response, parameters);
    return true;
  }

  /** Ends the connections to the daemon. */
  close(): void {
    this.#hub.close();
  }
}
