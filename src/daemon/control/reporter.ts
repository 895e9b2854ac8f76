// SPDX-License-Identifier: MIT
/** Reports what happens in the daemon: a log line, and an event for the clients of the control socket. */
import type { Log, LogFields } from '../../base/log.ts';
import type { LogArea, LogLevel } from '../../config/types.ts';
import type { Kind } from '../../control/events/kinds.ts';
import type { EventLog } from '../../control/events/log.ts';
import type { EventFields, Severity } from '../../control/events/types.ts';
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
    this.#health(up ? 'real_server.up' : 'real_server.down', up, message);
  }

  /** A real server that cannot be checked, or again. */
  inability(message: Message, able: boolean): void {
    this.#health(able ? 'real_server.probed' : 'real_server.unprobed', able, message);
  }

  /** A check that changed while others keep its real server down; logged only. */
  check({ text, fields }: Message): void {
    this.log('health', 'info', `${fields.service}: ${text}`, fields);
  }

  quorum(message: Message, up: boolean): void {
    this.#health(up ? 'service.quorum_gained' : 'service.quorum_lost', up, message);
  }

  /** A transition or another event of a VRRP instance; `good`: none that needs attention. */
  vrrp(kind: Kind, { text, fields }: Message, good: boolean): void {
    this.#report(kind, 'daemon', good ? 'info' : 'warn', `vrrp ${fields.instance} ${text}`, { text, fields });
  }

  override(message: Message, on: boolean): void {
    const line = `${message.fields.service}: ${message.text}`;
    this.#report(on ? 'real_server.override' : 'real_server.override_ended', 'control', 'info', line, message);
  }

  drift(drift: Drift, service?: string): void {
    const message = driftMessage(drift, service);
    this.#report('table.drift', 'kernel', 'warn', `changed by another program: ${message.text}`, message);
  }

  /** An operation that succeeded; logged only. */
  operation(operation: Operation, level: LogLevel): void {
    const { sign, text } = describe(operation);
    this.log('kernel', level, `${sign} ${text}`, operationFields(operation));
  }

  kernelError(operation: Operation, rejection: Rejection): void {
    const message = rejectionMessage(operation, rejection);
    const { service } = message.fields;
    const line = service === undefined ? message.text : `${service}: ${message.text}`;
    this.#report(service === undefined ? 'table.refused' : 'service.refused', 'kernel', 'error', line, message);
  }

  /** The end of what `kernelError` reported; `service` undefined: global settings. */
  recovered(service: string | undefined): void {
    const text = `${service ?? 'global settings'}: recovered, the kernel accepted the operations`;
    const kind = service === undefined ? 'table.accepted' : 'service.accepted';
    this.#report(kind, 'kernel', 'info', text, { text, fields: { service, state: 'recovered' } });
  }

  /** `text` may have several lines: one for each problem of a file. */
  reload(text: string, fields: EventFields, ok: boolean): void {
    const lines = text.split('\n');
    const kind = fields.state === 'rejected' ? 'config.rejected' : 'config.loaded';
    const sequence = this.events.add(kind, ok ? 'info' : 'error', text, fields);
    // The reason has all lines: it is not repeated with each of them.
    const { reason, ...others } = fields;
    for (const line of lines)
      this.log('config', ok ? 'info' : 'error', line, { ...(lines.length > 1 ? others : fields), kind, sequence });
  }

  daemon(kind: Kind, text: string, fields: EventFields, level: LogLevel = 'info'): void {
    this.#report(kind, 'daemon', level, text, { text, fields });
  }

  /** All checks stop, or run again. */
  checks(message: Message, running: boolean): void {
    const kind = running ? 'checks.resumed' : 'checks.stopped';
    this.#report(kind, 'health', running ? 'info' : 'error', message.text, message);
  }

  #health(kind: Kind, good: boolean, message: Message): void {
    this.#report(kind, 'health', good ? 'info' : 'warn', `${message.fields.service}: ${message.text}`, message);
  }

  #report(kind: Kind, area: LogArea, level: LogLevel, line: string, { text, fields }: Message): void {
    const sequence = this.events.add(kind, SEVERITIES[level], text, fields);
    this.log(area, level, line, { ...fields, kind, sequence });
  }
}

const SEVERITIES = { error: 'error', warn: 'warning', info: 'info', debug: 'info' } as const satisfies Record<
  LogLevel,
  Severity
>;
