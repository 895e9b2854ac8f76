// SPDX-License-Identifier: MIT
/**
 * Asks the daemon on behalf of all viewers of the page, only while there are some and for a while after the last one, so
 * that a page that is loaded again has its curves.
 */
import { monotonic } from '../../base/clock.ts';
import { LvsdError, MalformedError, RefusedError } from '../../base/errors.ts';
import { ControlClient } from '../../control/client.ts';
import { type EventItem, isGap } from '../../control/events/types.ts';
import { Model } from '../../control/lvsctl/top/model.ts';
import { RateTable, readingAt } from '../../control/lvsctl/top/rates.ts';
import { problemLine, problemText } from '../problems.ts';
import { History } from './history.ts';
import type { PageEvent } from './messages.ts';
import { type Answers, Snapshot, serverCounters } from './snapshot.ts';

/** Milliseconds between two questions, at least. */
const INTERVAL = 2000;
/** After an event, which may have changed a state. */
const SOON = 300;
/** Between an event and the message to the viewers: one for all events that come meanwhile. */
const TOGETHER = 100;
/** The interval is this many times the time that an answer takes, if that is longer, up to a limit. */
const SHARE = 5;
const LONGEST = 8000;
/** Milliseconds for which it asks without a viewer. */
const LINGER = 600_000;
const RETRY = 2000;
const EVENTS = 100;
const HOUR = 3_600_000;
/** Repaired differences that are counted. */
const MOST_REPAIRED = 1000;
/** Of the last events so many are looked at for them. */
const LOOKED_AT = 20_000;
const LONGEST_TEXT = 400;

/** An event with its place among those of this hub. */
export interface Numbered {
  number: number;
  event: PageEvent;
}

export class Hub {
  readonly #socket: string;
  readonly #log: (text: string) => void;
  /** The last answer or event that was not understood, as it was logged. */
  #logged: string | undefined;
  readonly #viewers = new Set<{ open: string | undefined; wake: () => void }>();
  readonly #history = new History();
  readonly #rates = new Map<string, RateTable>();
  // The history of this page has more series.
  #model = new Model(0);
  #snapshot: Snapshot | undefined;
  /** The reading of the last point of all curves. */
  #reading: number | undefined;
  #answeredAt: number | undefined;
  #problem: string | undefined;
  #client: ControlClient | undefined;
  #eventClient: ControlClient | undefined;
  #running = false;
  /** Grows with each start: what an earlier run still waits for ends then. */
  #run = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  /** When it ends, by the monotonic clock. */
  #due = 0;
  #waking: NodeJS.Timeout | undefined;
  #asking = false;
  #lastAsked = 0;
  #took = 0;
  #idleSince = 0;
  #events: Numbered[] = [];
  #number = 0;
  #cursor: string | undefined;
  /** Instants of repaired differences, by the cursors of their events. */
  readonly #repaired = new Map<string, number>();

  /** `log`: a line for the log, of answers that are not understood. */
  constructor(socket: string, log: (text: string) => void = () => {}) {
    this.#socket = socket;
    this.#log = log;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get history(): History {
    return this.#history;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  get events(): readonly Numbered[] {
    return this.#events;
  }

  /** Milliseconds since the last answer; undefined: there was none. */
  get age(): number | undefined {
    return this.#answeredAt === undefined ? undefined : monotonic() - this.#answeredAt;
  }

  /** Differences that lvsd repaired in the last hour. */
  get repaired(): number {
    const from = Date.now() - HOUR;
    return [...this.#repaired.values()].filter((at) => at >= from).length;
  }

  /** Calls `wake` after each change until the returned function is called. `open`: the name of a service. */
  watch(open: string | undefined, wake: () => void): () => void {
    const viewer = { open, wake };
    this.#viewers.add(viewer);
    this.#start();
    if (open !== undefined) this.#soon();
    return () => {
      this.#viewers.delete(viewer);
      this.#idleSince = monotonic();
    };
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #start(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    this.#run += 1;
    if (!this.#asking) this.#ask();
    void this.#follow(this.#run);
  }

  #stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#waking);
    this.#waking = undefined;
    this.#client?.close();
    this.#client = undefined;
    this.#eventClient?.close();
    this.#eventClient = undefined;
  }

  #wake(): void {
    for (const { wake } of this.#viewers) wake();
  }

  /** Asks again before the interval ends; never later than it would have. */
  #soon(): void {
    if (!this.#running || this.#asking) return;
    const now = monotonic();
    const due = Math.max(now + SOON, this.#lastAsked + Math.min(LONGEST, SHARE * this.#took));
    if (due < this.#due) this.#askIn(due - now);
  }

  #askIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#due = monotonic() + milliseconds;
    this.#timer = setTimeout(() => this.#ask(), milliseconds);
  }

  #ask(): void {
    this.#asking = true;
    const begun = monotonic();
    void this.#answers()
      .then((answers) => this.#take(answers))
      .catch((error: unknown) => {
        this.#client?.close();
        this.#client = undefined;
        this.#problem = problemText(error);
        this.#report(error);
      })
      .then(() => {
        this.#asking = false;
        this.#lastAsked = monotonic();
        this.#took = this.#problem === undefined ? this.#lastAsked - begun : 0;
        if (!this.#running) return;
        this.#wake();
        if (this.#viewers.size === 0 && monotonic() - this.#idleSince > LINGER) this.#stop();
        else this.#askIn(Math.max(INTERVAL, Math.min(LONGEST, SHARE * this.#took)));
      });
  }

  /** Logs what is wrong with an answer, once. A daemon that is away is not logged: viewers see it. */
  #report(error: unknown): void {
    const line = problemLine(error);
    if ((error instanceof LvsdError && !(error instanceof MalformedError)) || line === this.#logged) return;
    this.#logged = line;
    this.#log(line);
  }

  async #answers(): Promise<Answers> {
    this.#client ??= await ControlClient.open(this.#socket);
    const client = this.#client;
    const names = new Set([...this.#viewers].flatMap(({ open }) => open ?? []));
    const [first] = names;
    const stats = await client.stats({ detail: 'services', ...(first !== undefined && { service: first }) });
    const at = monotonic();
    const overview = await client.call('overview', {});
    const vrrp = await client.call('vrrp', {}).then(
      ({ instances }) => instances,
      (error: unknown) => {
        // The process of VRRP does not answer, but the daemon does.
        if (error instanceof RefusedError) return [];
        throw error;
      },
    );
    const there = new Set(stats.services.map(([name]) => name));
    const opened = new Map<string, { services: Answers['overview']['services']; realServers: typeof stats.services }>();
    for (const name of names) {
      if (!there.has(name)) continue;
      try {
        const { realServers } = name === first ? stats : await client.stats({ detail: 'summary', service: name });
        const { services } = await client.call('overview', { service: name });
        opened.set(name, { services, realServers });
      } catch (error) {
        // A reload has removed the service meanwhile.
        if (!(error instanceof RefusedError)) throw error;
      }
    }
    return { stats, at, overview, vrrp, opened };
  }

  #take(answers: Answers): void {
    const { summary } = answers.stats;
    const reading = readingAt(summary);
    for (const name of this.#rates.keys()) if (!answers.opened.has(name)) this.#rates.delete(name);
    for (const [name, { realServers }] of answers.opened) {
      const table = this.#rates.get(name) ?? new RateTable();
      table.update(serverCounters(reading, realServers));
      this.#rates.set(name, table);
    }
    const snapshot = new Snapshot(answers, this.#model, this.#history, this.#rates);
    // All parts are made once here: malformed answers then fail before they reach the viewers' streams.
    snapshot.head(0);
    snapshot.side();
    for (const open of answers.opened.keys()) snapshot.detail({ open, at: undefined });
    // Several answers may have the same reading of the kernel's counters.
    if (reading !== this.#reading) {
      this.#reading = reading;
      this.#history.add(Date.now() - (monotonic() - answers.at) - 1000 * summary.table.age, snapshot.rates());
    }
    this.#snapshot = snapshot;
    this.#problem = undefined;
    this.#answeredAt = answers.at;
  }

  async #follow(run: number): Promise<void> {
    const current = () => this.#running && this.#run === run;
    while (current()) {
      let client: ControlClient | undefined;
      try {
        client = await ControlClient.open(this.#socket);
        if (!current()) break;
        this.#eventClient = client;
        const drifts = { since: Date.now() - HOUR, kinds: 'table.drift', limit: MOST_REPAIRED, within: LOOKED_AT };
        for await (const item of client.events(drifts)) this.#count(item);
        const from = this.#cursor === undefined ? { limit: EVENTS } : { after: this.#cursor };
        for await (const item of client.events({ ...from, follow: true })) this.#add(item);
      } catch (error) {
        this.#report(error);
      } finally {
        client?.close();
        if (this.#eventClient === client) this.#eventClient = undefined;
      }
      if (current()) await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  #count(item: EventItem): void {
    if (isGap(item) || item.kind !== 'table.drift') return;
    this.#repaired.set(`${item.epoch}:${item.sequence}`, item.at);
    const [oldest] = this.#repaired.keys();
    if (this.#repaired.size > MOST_REPAIRED && oldest !== undefined) this.#repaired.delete(oldest);
  }

  #add(item: EventItem): void {
    this.#count(item);
    const number = ++this.#number;
    let event: PageEvent;
    if (isGap(item)) {
      const text =
        'cursor' in item.gap ? 'the events before were lost' : `events ${item.gap.from} to ${item.gap.to} were lost`;
      event = { id: `gap-${number}`, at: Date.now(), kind: 'gap', severity: 'warning', text };
    } else {
      const { epoch, sequence, at, kind, severity, service, text } = item;
      this.#cursor = `${epoch}:${sequence}`;
      event = { id: this.#cursor, at, kind, severity, service, text: text.slice(0, LONGEST_TEXT) };
    }
    this.#events = [...this.#events, { number, event }].slice(-EVENTS);
    this.#soon();
    this.#waking ??= setTimeout(() => {
      this.#waking = undefined;
      this.#wake();
    }, TOGETHER);
  }
}
