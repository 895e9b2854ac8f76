// SPDX-License-Identifier: MIT
/** Determines how a body ends (RFC 9112, section 6). */

export type Framing = { kind: 'length'; length: number } | { kind: 'chunked' } | { kind: 'close' } | { kind: 'none' };

export const MALFORMED_LENGTH = 'malformed Content-Length';

/** Collects the header fields that determine it. */
export class FramingHeaders {
  readonly #lengths: string[] = [];
  readonly #codings: string[] = [];

  clear(): void {
    this.#lengths.length = 0;
    this.#codings.length = 0;
  }

  add(name: string, value: string): void {
    if (name === 'content-length') this.#lengths.push(...list(value));
    else if (name === 'transfer-encoding') this.#codings.push(...list(value.toLowerCase()));
  }

  /** A string is the description of an error. */
  framing(status: number, headRequest: boolean): Framing | string {
    if (headRequest || status < 200 || status === 204 || status === 304) return { kind: 'none' };
    const codings = this.#codings.filter((coding) => coding !== 'identity');
    if (codings.length > 0) {
      // The request accepts no transfer coding other than chunked.
      return codings.length === 1 && codings[0] === 'chunked' ? { kind: 'chunked' } : 'unsupported transfer coding';
    }
    const [length] = this.#lengths;
    if (length === undefined) return { kind: 'close' };
    if (!/^\d{1,15}$/.test(length) || this.#lengths.some((other) => other !== length)) return MALFORMED_LENGTH;
    return { kind: 'length', length: Number(length) };
  }
}

const list = (value: string): string[] => value.split(',').map((item) => item.trim());
