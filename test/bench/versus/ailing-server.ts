// SPDX-License-Identifier: MIT
// A real server for HTTP and HTTPS that can be made to fail: on SIGUSR2 it reads its condition from a file.
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Certificates } from './certificates.ts';

export const HTTP_PORT = 8080;
export const HTTPS_PORT = 8443;
export type Condition = 'well' | 'slow' | 'wrong status' | 'expired certificate';

/** Milliseconds; longer than any check waits. */
const SLOW = 10_000;

export interface AilingOptions {
  /** File with its condition. */
  condition: string;
  certificates: Certificates;
}

/** Serves until the process ends. Writes a line to stdout for each new condition, the first one included. */
export function serveAiling({ condition: file, certificates }: AilingOptions): void {
  const key = readFileSync(certificates.key);
  const valid = { key, cert: readFileSync(certificates.valid) };
  const expired = { key, cert: readFileSync(certificates.expired) };
  let condition: Condition = 'well';
  const answer: RequestListener = (_request, response) => {
    const status = condition === 'wrong status' ? 503 : 200;
    const respond = () => response.writeHead(status, { connection: 'close' }).end('hello\n');
    if (condition === 'slow') setTimeout(respond, SLOW);
    else respond();
  };
  const secure = createSecureServer(valid, answer);
  const listening = [createServer(answer).listen(HTTP_PORT), secure.listen(HTTPS_PORT)];
  const readCondition = () => {
    condition = readFileSync(file, 'utf8') as Condition;
    secure.setSecureContext(condition === 'expired certificate' ? expired : valid);
    process.stdout.write(`${condition}\n`);
  };
  process.on('SIGUSR2', readCondition);
  let count = 0;
  for (const server of listening) {
    server.on('listening', () => {
      count += 1;
      if (count === listening.length) readCondition();
    });
  }
}
