// SPDX-License-Identifier: MIT
/** How the end of a body is found (RFC 9112, section 6). */

export type Framing = { kind: 'length'; length: number } | { kind: 'chunked' } | { kind: 'close' } | { kind: 'none' };

/** Collects what the header lines say of it. */
export class FramingHeaders {
  #lengths: string[] = [];
  #codings: string[] = [];

  add(name: string, value: string): void {
    if (name === 'content-length') this.#lengths.push(...list(value));
    else if (name === 'transfer-encoding') this.#codings.push(...list(value.toLowerCase()));
  }

  /** Text: what is wrong with it. */
  framing(status: number, headRequest: boolean): Framing | string {
    if (headRequest || status < 200 || status === 204 || status === 304) return { kind: 'none' };
    const codings = this.#codings.filter((coding) => coding !== 'identity');
    if (codings.length > 0) {
      // Only what was asked for is understood, and that is no coding at all beyond chunks.
      return codings.length === 1 && codings[0] === 'chunked' ? { kind: 'chunked' } : 'transfer coding not understood';
    }
    const [length] = this.#lengths;
    if (length === undefined) return { kind: 'close' };
    if (!/^\d{1,15}$/.test(length) || this.#lengths.some((other) => other !== length))
      return 'malformed Content-Length';
    return { kind: 'length', length: Number(length) };
  }
}

const list = (value: string): string[] => value.split(',').map((item) => item.trim());
