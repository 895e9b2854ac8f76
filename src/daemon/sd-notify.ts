// SPDX-License-Identifier: MIT
/** Notifies the service manager: sd_notify(3) and its watchdog. Does nothing without NOTIFY_SOCKET. */
import type { Log } from '../base/log.ts';
import { type NativeSocket, native } from '../base/native.ts';
import { printable, shortened } from '../base/printable.ts';
import { AF_UNIX, unixAddress } from '../base/unix-address.ts';

const SOCK_DGRAM = 2;
/** Milliseconds until a message is sent again that the manager's full queue did not take. */
const RETRY = 100;
/** Maximum of messages that wait. */
const MAX_WAITING = 16;
/** Maximum of characters of a STATUS. */
const LONGEST_STATUS = 512;

const statusLine = (text: string) => `STATUS=${printable(shortened(text, LONGEST_STATUS))}`;

export class Notifier {
  readonly #log: Log;
  readonly #address: Buffer | undefined;
  /** Milliseconds between two watchdog messages; 0: no watchdog. */
  readonly #interval: number;
  readonly #socket: NativeSocket | undefined;
  #waiting: string[] = [];
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #unhealthy = false;

  /** Removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from `env`: child processes must not notify the manager. */
  constructor(log: Log, env: NodeJS.ProcessEnv = process.env) {
    this.#log = log;
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env;
    delete env.NOTIFY_SOCKET;
    delete env.WATCHDOG_USEC;
    delete env.WATCHDOG_PID;
    this.#interval = path && (pid === undefined || pid === String(process.pid)) ? intervalOf(microseconds) : 0;
    if (!path) return;
    try {
      if (!/^[/@]/.test(path)) throw new Error('NOTIFY_SOCKET is neither a path nor an abstract name');
      this.#address = unixAddress(path);
      this.#socket = new (native().Socket)(AF_UNIX, SOCK_DGRAM, 0);
    } catch (error) {
      log.warn(`cannot notify the service manager at ${path}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Whether there is a service manager to notify. */
  get active(): boolean {
    return this.#socket !== undefined && this.#address !== undefined;
  }

  /** After the start and after each reload. */
  ready(status: string): void {
    this.#send(`READY=1\n${statusLine(status)}`);
  }

  /** At the start of a reload; `ready` ends it. */
  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}\n${statusLine('reloading')}`);
  }

  stopping(): void {
    this.#send(`STOPPING=1\n${statusLine('stopping')}`);
  }

  /** Sets the line that `systemctl status` shows. */
  status(text: string): void {
    this.#send(statusLine(text));
  }

  /**
   * Sends watchdog messages, two per period, as long as `defect` returns undefined. Otherwise logs what it returns; the
   * manager restarts the daemon if that lasts.
   */
  watch(defect: () => string | undefined): void {
    if (this.#interval === 0 || this.#watchdog) return;
    const notify = () => {
      const text = defect();
      // One waiting message is enough.
      if (text === undefined && this.#waiting.length === 0) this.#send('WATCHDOG=1');
      else if (text !== undefined && !this.#unhealthy)
        this.#log.error(`not notifying the watchdog, the service manager will restart lvsd: ${text}`);
      this.#unhealthy = text !== undefined;
    };
    notify();
    this.#watchdog = setInterval(notify, this.#interval).unref();
  }

  close(): void {
    clearInterval(this.#watchdog);
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  #send(message: string): void {
    if (!this.active || this.#socket?.fd === -1) return;
    // Queued, so that messages are sent in order.
    this.#waiting.push(message);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
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
        this.#log.warn(`cannot notify the service manager: ${error instanceof Error ? error.message : error}`);
      }
      this.#waiting.shift();
    }
  }
}

/** '30000000' -> 15000 */
function intervalOf(microseconds: string | undefined): number {
  if (!microseconds || !/^[1-9]\d{0,15}$/.test(microseconds)) return 0;
  // Limited to the maximum of a timer.
  return Math.min(Math.max(Math.floor(Number(microseconds) / 2000), 1), 0x7fffffff);
}
