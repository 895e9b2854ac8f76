// SPDX-License-Identifier: MIT
/**
 * Incremental parser of HTTP/1.x responses. Input is untrusted: everything has a limit, and only the state needed for the
 * next byte is kept.
 */
import type { FailureCode } from '../../base/failure-codes.ts';
import { quotable, shortened } from '../../base/printable.ts';
import { type Framing, FramingHeaders, MALFORMED_LENGTH } from './framing.ts';

/** Bytes of status line and headers, interim responses included. */
export const LONGEST_HEAD = 32 << 10;
/** Maximum bytes of a chunk's size line. */
const LONGEST_SIZE_LINE = 1 << 10;
/**
 * Maximum of chunks of a body, and of bytes of their size lines: chunks of one byte cost a thousand times more CPU
 * time.
 */
export const MOST_CHUNKS = 8192;
const LONGEST_SIZE_LINES = 256 << 10;
/** Characters of a first line that is not HTTP that are quoted. */
const QUOTED = 40;

const LF = 10;

/** As lenient as curl: any case, several spaces, and version 2 in text, which scripts copy from a client's output. */
const STATUS_LINE = /^HTTP\/(?:1\.[0-9]|2(?:\.0)?) +([1-9][0-9]{2})(?:[ \t]|$)/i;

export interface ResponseEvents {
  /** The header is complete. Returns false to stop reading. */
  head(status: number): boolean;
  /** A piece of the body, valid during the call. Returns false to stop reading. */
  body(piece: Uint8Array): boolean;
  /** The body is complete. */
  end(): void;
  /** A description of the error, in one line. */
  fail(code: FailureCode, reason: string): void;
}

type State = 'status' | 'header' | 'length' | 'close' | 'size' | 'chunk' | 'chunk-end' | 'over';

export class ResponseReader {
  readonly #events: ResponseEvents;
  readonly #headRequest: boolean;
  #state: State = 'status';
  #status = 0;
  readonly #headers = new FramingHeaders();
  /** The incomplete current line. */
  #line = '';
  #lineLength = 0;
  #headLength = 0;
  /** Remaining bytes of the body or of the chunk. */
  #left = 0;
  #length = 0;
  #chunks = 0;
  #sizeLinesLength = 0;

  constructor(events: ResponseEvents, { headRequest }: { headRequest: boolean }) {
    this.#events = events;
    this.#headRequest = headRequest;
  }

  get over(): boolean {
    return this.#state === 'over';
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#state !== 'over')
      at = this.#inBody() ? this.#takeBody(bytes, at) : this.#takeLine(bytes, at);
  }

  /** The peer has closed the connection. */
  end(): void {
    switch (this.#state) {
      case 'over':
        break;
      case 'close':
        this.#finish();
        break;
      case 'length':
        this.#fail('closed', `closed after ${this.#length - this.#left} of ${this.#length} bytes of the body`);
        break;
      case 'status':
      case 'header':
        this.#fail(
          'closed',
          this.#headLength === 0 ? 'closed without an answer' : 'closed in the middle of the header',
        );
        break;
      default:
        this.#fail('closed', 'closed in the middle of the body');
    }
  }

  #inBody(): boolean {
    return this.#state === 'length' || this.#state === 'chunk' || this.#state === 'close';
  }

  #takeBody(bytes: Buffer, at: number): number {
    const end = this.#state === 'close' ? bytes.length : Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (!this.#events.body(bytes.subarray(at, end))) this.#state = 'over';
    else if (this.#left === 0 && this.#state === 'length') this.#finish();
    else if (this.#left === 0 && this.#state === 'chunk') this.#state = 'chunk-end';
    return end;
  }

  #takeLine(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(LF, at);
    const end = found < 0 ? bytes.length : found + 1;
    const length = end - at;
    this.#lineLength += length;
    const head = this.#state === 'status' || this.#state === 'header';
    if (head) this.#headLength += length;
    else this.#sizeLinesLength += length;
    if (head ? this.#headLength > LONGEST_HEAD : this.#lineLength > LONGEST_SIZE_LINE) {
      this.#fail(
        head ? 'too_long' : 'protocol',
        head ? `header of more than ${LONGEST_HEAD >> 10} KiB` : 'malformed chunk',
      );
      return bytes.length;
    }
    if (this.#sizeLinesLength > LONGEST_SIZE_LINES) {
      this.#fail('too_long', `chunk sizes of more than ${LONGEST_SIZE_LINES >> 10} KiB`);
      return bytes.length;
    }
    this.#line += bytes.toString('latin1', at, end);
    if (found < 0) return end;
    const line = this.#line;
    this.#line = '';
    this.#lineLength = 0;
    this.#takeText(line.slice(0, line.endsWith('\r\n') ? -2 : -1));
    return end;
  }

  #takeText(line: string): void {
    switch (this.#state) {
      case 'status': {
        const found = STATUS_LINE.exec(line);
        if (!found) {
          this.#fail('protocol', `answer is not HTTP/1: "${quotable(shortened(line, QUOTED))}"`);
          return;
        }
        this.#status = Number(found[1]);
        this.#headers.clear();
        this.#state = 'header';
        return;
      }
      case 'header':
        if (line === '') this.#headEnds();
        else this.#header(line);
        return;
      case 'size':
        this.#chunkBegins(line);
        return;
      default:
        if (line === '') this.#state = 'size';
        else this.#fail('protocol', 'malformed chunk');
    }
  }

  #header(line: string): void {
    const colon = line.indexOf(':');
    // Ignores folded continuation lines (obsolete, but seen) and lines that are not headers: they do not affect
    // framing.
    if (colon > 0 && !/^[ \t]/.test(line))
      this.#headers.add(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }

  #headEnds(): void {
    const status = this.#status;
    if (status < 200 && status !== 101) {
      this.#state = 'status';
      return;
    }
    const framing = this.#headers.framing(status, this.#headRequest);
    // Clients reject such an answer, whether its body matters here or not.
    if (framing === MALFORMED_LENGTH) {
      this.#fail('protocol', framing);
      return;
    }
    if (!this.#events.head(status)) {
      this.#state = 'over';
      return;
    }
    if (typeof framing === 'string') this.#fail('protocol', framing);
    else this.#bodyBegins(framing);
  }

  #bodyBegins(framing: Framing): void {
    switch (framing.kind) {
      case 'none':
        this.#finish();
        return;
      case 'chunked':
        this.#state = 'size';
        return;
      case 'close':
        this.#state = 'close';
        return;
      default:
        this.#state = 'length';
        this.#length = framing.length;
        this.#left = framing.length;
        if (framing.length === 0) this.#finish();
    }
  }

  #chunkBegins(line: string): void {
    const found = /^([0-9a-fA-F]{1,12})[ \t]*(?:;|$)/.exec(line);
    if (!found) {
      this.#fail('protocol', 'malformed chunk');
      return;
    }
    if (++this.#chunks > MOST_CHUNKS) {
      this.#fail('too_long', `more than ${MOST_CHUNKS} chunks`);
      return;
    }
    this.#left = Number.parseInt(found[1] ?? '', 16);
    // Trailers are ignored.
    if (this.#left === 0) this.#finish();
    else this.#state = 'chunk';
  }

  #finish(): void {
    this.#state = 'over';
    this.#events.end();
  }

  #fail(code: FailureCode, reason: string): void {
    this.#state = 'over';
    this.#events.fail(code, reason);
  }
}
