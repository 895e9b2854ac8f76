// SPDX-License-Identifier: MIT
/** Everything that the daemon has to tell: a line in the log, and an event for whoever listens on the control socket. */
import type { Log } from '../../base/log.ts';
import type { LogArea, LogLevel } from '../../config/types.ts';
import type { EventLog } from '../../control/event-log.ts';

export class Reporter {
  readonly #logs: (area: LogArea) => Log;
  readonly events: EventLog;

  constructor(logs: (area: LogArea) => Log, events: EventLog) {
    this.#logs = logs;
    this.events = events;
  }

  log(area: LogArea, level: LogLevel, text: string): void {
    this.#logs(area)[level](text);
  }

  /** Whether somebody reads lines of this level. */
  debugging(area: LogArea): boolean {
    return this.#logs(area).debugging ?? true;
  }

  server(service: string, text: string, up: boolean): void {
    this.log('health', up ? 'info' : 'warn', `${service}: ${text}`);
    this.events.add('server', text, service);
  }

  quorum(service: string, text: string, up: boolean): void {
    this.log('health', up ? 'info' : 'warn', `${service}: ${text}`);
    this.events.add('quorum', text, service);
  }

  drift(text: string): void {
    this.log('kernel', 'warn', `changed by someone else: ${text}`);
    this.events.add('drift', text);
  }

  kernelError(service: string | undefined, text: string): void {
    this.log('kernel', 'error', text);
    this.events.add('kernel', text, service);
  }

  reload(text: string, fine: boolean): void {
    // Of a wrong file each problem has its line.
    for (const line of text.split('\n')) this.log('config', fine ? 'info' : 'error', line);
    this.events.add('reload', text);
  }

  override(service: string, text: string): void {
    this.log('control', 'info', `${service}: ${text}`);
    this.events.add('override', text, service);
  }

  daemon(text: string): void {
    this.log('daemon', 'info', text);
    this.events.add('daemon', text);
  }
}
