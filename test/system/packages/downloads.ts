// SPDX-License-Identifier: MIT
// Downloads whose end is decided here: they read a little each second, at most half of the body until finish().
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';

/** Bytes that each of them reads in a second. */
const STEP = 8 << 10;

class Download {
  readonly hash = createHash('sha256');
  received = 0;
  /** "whole" at its end, or why it broke off. */
  readonly ending: Promise<string>;
  readonly #asked: ClientRequest;
  #response: IncomingMessage | undefined;
  #finishing = false;
  readonly #half: number;

  constructor(url: string, size: number) {
    this.#half = Math.floor(size / 2);
    this.#asked = request(url, { agent: false });
    this.ending = new Promise((done) => {
      const broken = (error: Error) => done(`${error.message} after ${this.received} bytes`);
      this.#asked.on('response', (response) => {
        this.#response = response;
        response.on('error', broken);
        response.on('end', () => done(response.statusCode === 200 ? 'whole' : `status ${response.statusCode}`));
        // Data is read on demand.
        response.on('readable', () => {
          if (this.#finishing) this.#take(response.read());
        });
      });
      this.#asked.on('error', broken);
      this.#asked.end();
    });
  }

  #take(chunk: Buffer | null | undefined): void {
    if (!chunk) return;
    this.received += chunk.length;
    this.hash.update(chunk);
  }

  step(): void {
    const available = Math.min(STEP, this.#response?.readableLength ?? 0, this.#half - this.received);
    this.#take(available > 0 ? this.#response?.read(available) : this.#response?.read(0));
  }

  close(): void {
    this.#asked.destroy();
  }

  finish(): void {
    this.#finishing = true;
    this.#take(this.#response?.read());
  }
}

export class Downloads {
  readonly #all: Download[];
  readonly #timer: NodeJS.Timeout;

  constructor(url: string, count: number, size: number) {
    // The kernel keeps only this much of what a program has not read.
    writeFileSync('/proc/sys/net/ipv4/tcp_rmem', '4096 32768 32768');
    this.#all = Array.from({ length: count }, () => new Download(url, size));
    this.#timer = setInterval(() => {
      for (const one of this.#all) one.step();
    }, 1000);
  }

  /** Bytes that each has read. */
  received(): number[] {
    return this.#all.map(({ received }) => received);
  }

  /** Reads the rest; returns how each has ended, with its bytes and their SHA-256. */
  async finish(): Promise<{ ending: string; received: number; hash: string }[]> {
    clearInterval(this.#timer);
    for (const one of this.#all) one.finish();
    return await Promise.all(
      this.#all.map(async (one) => {
        const ending = await one.ending;
        return { ending, received: one.received, hash: one.hash.digest('hex') };
      }),
    );
  }

  /** Breaks off what still runs. */
  close(): void {
    clearInterval(this.#timer);
    for (const one of this.#all) one.close();
  }
}
