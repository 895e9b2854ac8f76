// SPDX-License-Identifier: MIT
/** The files of the page, from memory. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { isSystemError } from '../../base/native.ts';
import { acceptsGzip, respond } from '../respond.ts';

/** No inline script or style, and no request to another server. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
};

interface Asset {
  type: string;
  tag: string;
  plain: Buffer;
  zipped: Buffer;
}

export class Assets {
  readonly #folder: string;
  readonly #known = new Map<string, Asset>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** False: no file of the page has this path. */
  serve(request: IncomingMessage, response: ServerResponse, path: string): boolean {
    const [file, type] = (Object.hasOwn(FILES, path) && FILES[path]) || [];
    if (file === undefined || type === undefined) return false;
    const asset = this.#known.get(path) ?? this.#load(file, type);
    if (!asset) {
      respond(response, 503, 'the files of the page are not installed: npm run build\n');
      return true;
    }
    this.#known.set(path, asset);
    const zip = acceptsGzip(request);
    const tag = `"${asset.tag}${zip ? '-gzip' : ''}"`;
    const headers = {
      'Content-Security-Policy': PAGE_POLICY,
      'Cache-Control': 'no-cache',
      ETag: tag,
      Vary: 'Accept-Encoding',
    };
    if (request.headers['if-none-match'] === tag) {
      response.writeHead(304, headers);
      response.end();
      return true;
    }
    const body = zip ? asset.zipped : asset.plain;
    response.writeHead(200, {
      ...headers,
      'Content-Type': asset.type,
      'Content-Length': body.length,
      ...(zip && { 'Content-Encoding': 'gzip' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    return true;
  }

  #load(file: string, type: string): Asset | undefined {
    let plain: Buffer;
    try {
      plain = readFileSync(`${this.#folder}/${file}`);
    } catch (error) {
      if (isSystemError(error) && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const tag = createHash('sha256').update(plain).digest('hex').slice(0, 16);
    return { type, tag, plain, zipped: gzipSync(plain) };
  }
}
