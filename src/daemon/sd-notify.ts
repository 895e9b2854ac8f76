// SPDX-License-Identifier: MIT
/** Word to the service manager: sd_notify(3) and its watchdog. Without NOTIFY_SOCKET all of it does nothing. */
import type { Log } from '../base/log.ts';
import { type NativeSocket, native } from '../base/native.ts';
import { printable, shortened } from '../base/printable.ts';
import { AF_UNIX, unixAddress } from '../base/unix-address.ts';

const SOCK_DGRAM = 2;
/** Milliseconds until what a full queue refused is sent again. */
const RETRY = 100;
/** Messages that may wait for that. */
const WAITING = 16;
/** Characters of a STATUS. */
const LONGEST_STATUS = 512;

const statusLine = (text: string) => `STATUS=${printable(shortened(text, LONGEST_STATUS))}`;

export class Notifier {
  readonly #log: Log;
  readonly #address: Buffer | undefined;
  /** Milliseconds between two signs of life; 0: nobody waits for them. */
  readonly #beat: number;
  readonly #socket: NativeSocket | undefined;
  #waiting: string[] = [];
  #retry: NodeJS.Timeout | undefined;
  #heart: NodeJS.Timeout | undefined;
  #complained = false;

  /** Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of `env`: child processes are not to speak for us. */
  constructor(log: Log, env: NodeJS.ProcessEnv = process.env) {
    this.#log = log;
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env;
    delete env.NOTIFY_SOCKET;
    delete env.WATCHDOG_USEC;
    delete env.WATCHDOG_PID;
    this.#beat = path && (pid === undefined || pid === String(process.pid)) ? beatOf(microseconds) : 0;
    if (!path) return;
    try {
      if (!/^[/@]/.test(path)) throw new Error('neither a path nor an abstract name');
      this.#address = unixAddress(path);
      this.#socket = new (native().Socket)(AF_UNIX, SOCK_DGRAM, 0);
    } catch (error) {
      log.warn(`cannot notify the service manager at ${path}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Whether somebody listens. */
  get active(): boolean {
    return this.#socket !== undefined && this.#address !== undefined;
  }

  /** Started, or done with a reload. */
  ready(status: string): void {
    this.#send(`READY=1\n${statusLine(status)}`);
  }

  /** A reload begins; `ready` ends it. */
  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}\n${statusLine('reloading')}`);
  }

  stopping(): void {
    this.#send(`STOPPING=1\n${statusLine('stopping')}`);
  }

  /** One line that `systemctl status` shows. */
  status(text: string): void {
    this.#send(statusLine(text));
  }

  /**
   * Gives the watchdog its sign of life, twice in each of its periods, as long as `complaint` returns undefined. What
   * it returns otherwise is logged; the manager restarts the daemon when that lasts.
   */
  watch(complaint: () => string | undefined): void {
    if (this.#beat === 0 || this.#heart) return;
    const beat = () => {
      const text = complaint();
      // One that waits is enough.
      if (text === undefined && this.#waiting.length === 0) this.#send('WATCHDOG=1');
      else if (text !== undefined && !this.#complained) this.#log.error(`no sign of life to the watchdog: ${text}`);
      this.#complained = text !== undefined;
    };
    beat();
    this.#heart = setInterval(beat, this.#beat).unref();
  }

  close(): void {
    clearInterval(this.#heart);
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  #send(message: string): void {
    if (!this.active || this.#socket?.fd === -1) return;
    // In order: nothing overtakes what waits.
    this.#waiting.push(message);
    if (this.#waiting.length > WAITING) this.#waiting.shift();
    if (!this.#retry) this.#flush();
  }

  #flush(): void {
    this.#retry = undefined;
    for (let message = this.#waiting[0]; message !== undefined; message = this.#waiting[0]) {
      try {
        if ((this.#socket?.send(Buffer.from(message), this.#address) ?? 0) < 0) {
          this.#retry = setTimeout(() => this.#flush(), RETRY);
          return;
        }
      } catch (error) {
        this.#log.warn(`the service manager was not notified: ${error instanceof Error ? error.message : error}`);
      }
      this.#waiting.shift();
    }
  }
}

/** '30000000' -> 15000 */
function beatOf(microseconds: string | undefined): number {
  if (!microseconds || !/^[1-9]\d{0,15}$/.test(microseconds)) return 0;
  // Longer than a timer can wait: as long as it can.
  return Math.min(Math.max(Math.floor(Number(microseconds) / 2000), 1), 0x7fffffff);
}
