// SPDX-License-Identifier: MIT
/** Reports what happens in the daemon: a log line, and an event for the clients of the control socket. */
import type { Log, LogFields } from '../../base/log.ts';
import type { LogArea, LogLevel } from '../../config/types.ts';
import type { EventLog } from '../../control/event-log.ts';
import type { DaemonEvent, EventFields } from '../../control/messages.ts';
import { type Drift, describe, type Operation } from '../../plan/index.ts';
import { driftMessage, type Message, operationFields, type Rejection, rejectionMessage } from './messages.ts';

export class Reporter {
  readonly #logs: (area: LogArea) => Log;
  readonly events: EventLog;

  constructor(logs: (area: LogArea) => Log, events: EventLog) {
    this.#logs = logs;
    this.events = events;
  }

  /** Logs a line, without an event. */
  log(area: LogArea, level: LogLevel, text: string, fields?: LogFields): void {
    this.#logs(area)[level](text, fields);
  }

  /** False if debug output of this area is discarded. */
  debugging(area: LogArea): boolean {
    return this.#logs(area).debugging ?? true;
  }

  server(message: Message, up: boolean): void {
    this.#report('server', 'health', up ? 'info' : 'warn', message);
  }

  /** A check that changed while others keep its real server down; logged only. */
  check({ text, fields }: Message): void {
    this.log('health', 'info', `${fields.service}: ${text}`, fields);
  }

  quorum(message: Message, up: boolean): void {
    this.#report('quorum', 'health', up ? 'info' : 'warn', message);
  }

  /** A transition or another event of a VRRP instance; `good`: none that needs attention. */
  vrrp({ text, fields }: Message, good: boolean): void {
    this.log('daemon', good ? 'info' : 'warn', `vrrp ${fields.instance} ${text}`, fields);
    this.events.add('vrrp', text, fields);
  }

  override(message: Message): void {
    this.#report('override', 'control', 'info', message);
  }

  drift(drift: Drift, service?: string): void {
    const { text, fields } = driftMessage(drift, service);
    this.log('kernel', 'warn', `changed by another program: ${text}`, fields);
    this.events.add('drift', text, fields);
  }

  /** An operation that succeeded; logged only. */
  operation(operation: Operation, level: LogLevel): void {
    const { sign, text } = describe(operation);
    this.log('kernel', level, `${sign} ${text}`, operationFields(operation));
  }

  kernelError(operation: Operation, rejection: Rejection): void {
    const { text, fields } = rejectionMessage(operation, rejection);
    this.log('kernel', 'error', fields.service === undefined ? text : `${fields.service}: ${text}`, fields);
    this.events.add('kernel', text, fields);
  }

  /** The end of what `kernelError` reported; `service` undefined: global settings. */
  recovered(service: string | undefined): void {
    const text = `${service ?? 'global settings'}: recovered, the kernel accepted the operations`;
    this.log('kernel', 'info', text, { service, state: 'recovered' });
  }

  /** `text` may have several lines: one for each problem of a file. */
  reload(text: string, fields: EventFields, ok: boolean): void {
    const lines = text.split('\n');
    // The reason has all lines: it is not repeated with each of them.
    const { reason, ...others } = fields;
    for (const line of lines) this.log('config', ok ? 'info' : 'error', line, lines.length > 1 ? others : fields);
    this.events.add('reload', text, fields);
  }

  daemon(text: string, fields: EventFields, level: LogLevel = 'info'): void {
    this.log('daemon', level, text, fields);
    this.events.add('daemon', text, fields);
  }

  /** All checks stop, or run again. */
  checks({ text, fields }: Message, running: boolean): void {
    this.log('health', running ? 'info' : 'error', text, fields);
    this.events.add('daemon', text, fields);
  }

  #report(kind: DaemonEvent['kind'], area: LogArea, level: LogLevel, { text, fields }: Message): void {
    this.log(area, level, `${fields.service}: ${text}`, fields);
    this.events.add(kind, text, fields);
  }
}
