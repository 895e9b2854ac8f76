// SPDX-License-Identifier: MIT
/** Events of one service that wait for its hooks. Pure. */

export interface HookEvent {
  /** Subject of the event: the name of a real server, or a virtual service. */
  subject: string;
  command: readonly string[];
  user: string | undefined;
  /** Milliseconds. */
  timeout: number;
  environment: Readonly<Record<string, string>>;
  /** For log lines: 'down of web1'. */
  label: string;
}

/** Events that may wait before older ones of the same subject are left out. */
const MOST = 100;

/**
 * In order; bounded: beyond 100 events, the oldest that a later one of the same subject follows is left out, so that the
 * last state of each subject is always delivered.
 */
export class HookQueue {
  readonly #events: { event: HookEvent; skipped: number }[] = [];

  get length(): number {
    return this.#events.length;
  }

  add(event: HookEvent): void {
    this.#events.push({ event, skipped: 0 });
    if (this.#events.length <= MOST) return;
    const last = new Map(this.#events.map((one, index) => [one.event.subject, index]));
    const outdated = this.#events.findIndex((one, index) => last.get(one.event.subject) !== index);
    const [removed] = outdated < 0 ? [] : this.#events.splice(outdated, 1);
    const next = removed && this.#events.find((one) => one.event.subject === removed.event.subject);
    if (removed && next) next.skipped += removed.skipped + 1;
  }

  /** The next event; `skipped`: earlier ones of its subject that were left out. */
  take(): { event: HookEvent; skipped: number } | undefined {
    return this.#events.shift();
  }
}
