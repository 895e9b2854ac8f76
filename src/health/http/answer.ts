// SPDX-License-Identifier: MIT
/** Compares a response with what the check requires. */
import { printable, shortened } from '../../base/printable.ts';
import { failure, success, type Verdict } from '../verdict.ts';
import { type ResponseEvents, ResponseReader } from './response.ts';
import type { HttpCheck } from './schema.ts';

/** Bytes of a body that are examined. */
export const LONGEST_BODY = 256 << 10;
/** Characters of the missing text that are quoted. */
const QUOTED = 60;

const NO_BYTES = Buffer.alloc(0);

/** A verdict, or a body and the verdicts for a match and for no match of the regular expression. */
export type Finding = Verdict | { body: Buffer; success: Verdict; otherwise: Verdict };

/**
 * Reads a response and calls back once, as soon as the verdict is known: after the header if the body does not matter.
 */
export class AnswerReader {
  readonly #check: HttpCheck;
  readonly #done: (finding: Finding) => void;
  readonly #reader: ResponseReader;
  readonly #needle: Buffer | undefined;
  #status = 0;
  #seen = 0;
  /** The part of the body for a regular expression: the first `#seen` bytes. */
  #kept = NO_BYTES;
  /** The last bytes, in which the required text may have started. */
  #tail = NO_BYTES;

  constructor(check: HttpCheck, done: (finding: Finding) => void) {
    this.#check = check;
    this.#done = done;
    this.#needle = check.body && 'contains' in check.body ? Buffer.from(check.body.contains) : undefined;
    const events: ResponseEvents = {
      head: (status) => this.#head(status),
      body: (piece) => this.#body(piece),
      end: () => this.#end(),
      fail: (code, reason) => done(failure(code, reason)),
    };
    this.#reader = new ResponseReader(events, { headRequest: check.method === 'HEAD' });
  }

  /** Whether the header has been received. */
  get begun(): boolean {
    return this.#status !== 0;
  }

  get over(): boolean {
    return this.#reader.over;
  }

  push(bytes: Buffer): void {
    this.#reader.push(bytes);
  }

  end(): void {
    this.#reader.end();
  }

  #head(status: number): boolean {
    this.#status = status;
    const { status: wanted, body } = this.#check;
    if (!wanted.some(([from, to]) => status >= from && status <= to)) {
      this.#done(failure('status', `status ${status}, wanted ${rangesText(wanted)}`));
      return false;
    }
    if (body) return true;
    this.#done(statusSuccess(status));
    return false;
  }

  #body(whole: Uint8Array): boolean {
    const piece = whole.subarray(0, LONGEST_BODY - this.#seen);
    if (this.#needle === undefined) {
      this.#keep(piece);
    } else if (this.#finds(this.#needle, piece)) {
      this.#done(statusSuccess(this.#status));
      return false;
    }
    this.#seen += piece.length;
    if (this.#seen < LONGEST_BODY) return true;
    this.#end();
    return false;
  }

  #finds(needle: Buffer, piece: Uint8Array): boolean {
    const text = Buffer.concat([this.#tail, piece]);
    this.#tail = text.subarray(Math.max(0, text.length - needle.length + 1));
    return text.includes(needle);
  }

  #keep(piece: Uint8Array): void {
    if (this.#seen + piece.length > this.#kept.length) {
      const larger = Buffer.alloc(Math.max(4096, 2 * this.#kept.length, this.#seen + piece.length));
      this.#kept.copy(larger);
      this.#kept = larger;
    }
    this.#kept.set(piece, this.#seen);
  }

  #end(): void {
    const { body } = this.#check;
    if (!body || 'contains' in body) {
      this.#done(failure('body', `body lacks "${quote(body?.contains ?? '')}"`));
      return;
    }
    this.#done({
      body: this.#kept.subarray(0, this.#seen),
      success: statusSuccess(this.#status),
      otherwise: failure('body', `body does not match /${quote(body.matches)}/`),
    });
  }
}

/** Made once for each status: the last result of each target is kept. */
const STATUS_SUCCESSES: Verdict[] = [];

function statusSuccess(status: number): Verdict {
  STATUS_SUCCESSES[status] ??= success(`status ${status}`);
  return STATUS_SUCCESSES[status];
}

const quote = (text: string): string => printable(shortened(text, QUOTED));

/** [[200, 200], [300, 399]] -> '200, 300-399'. */
function rangesText(ranges: HttpCheck['status']): string {
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
