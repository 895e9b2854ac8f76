// SPDX-License-Identifier: MIT
// Debian's ipvsadm, loaded once and forked for every command line (forkserver.c).
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './answers.ts';
import type { Case } from './grammar.ts';

const SOURCE = fileURLToPath(new URL('./forkserver.c', import.meta.url));
const NO_KERNEL = fileURLToPath(new URL('./no-kernel.c', import.meta.url));
/** The exit status of a command line that would have sent a request to the kernel (no-kernel.c). */
export const REACHED_KERNEL = 77;
const ANSWER = 12;

export class ForkServer {
  readonly #child: ChildProcess;
  #received = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  /**
   * `libraries`: the folder of the program's libraries, if they are not installed. `parseOnly`: it ends before its
   * first request to the kernel.
   */
  constructor(program: string, { libraries = '', parseOnly = false } = {}) {
    const library = join(mkdtempSync(join(tmpdir(), 'forkserver-')), 'forkserver.so');
    const sources = parseOnly ? [SOURCE, NO_KERNEL] : [SOURCE];
    const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-o', library, ...sources], {
      encoding: 'utf8',
    });
    if (built.status !== 0) throw new Error(built.stderr);
    const paths = libraries === '' ? {} : { LD_LIBRARY_PATH: libraries };
    const env = { ...process.env, ...paths, LD_PRELOAD: library, LD_BIND_NOW: '1' };
    this.#child = spawn(program, [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    this.#child.on('exit', () => {
      this.#wake?.();
    });
  }

  async ask({ words, input = '' }: Case): Promise<Outcome> {
    const body = Buffer.from(words.map((word) => `${word}\0`).join('') + input);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(body.length + 4, 0);
    head.writeUInt32LE(words.length, 4);
    this.#child.stdin?.write(Buffer.concat([head, body]));
    const answer = await this.#take(ANSWER);
    const status = answer.readUInt32LE(0);
    const stdout = await this.#take(answer.readUInt32LE(4));
    const stderr = await this.#take(answer.readUInt32LE(8));
    // WIFEXITED and WEXITSTATUS.
    return { status: status & 127 ? null : (status >> 8) & 255, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#received.length < length) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error('the program has ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  close(): void {
    this.#child.stdin?.end();
  }
}
