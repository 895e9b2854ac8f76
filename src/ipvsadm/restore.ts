// SPDX-License-Identifier: MIT
/**
 * -R: rules from a stream. They take effect in the order of the lines, as if each were a run of its own: a refused one
 * prints its message and the next follows, a wrongly written one ends it with the lines before it applied. Requests are
 * only not waited for one by one: they go to the kernel in windows, and the answers are reported as they come, in order.
 */
import { KernelLacksError } from '../base/errors.ts';
import type { Additions, Feature } from '../ipvs/index.ts';
import { changeOf, featureOf } from './commands.ts';
import { show } from './execute.ts';
import type { Invocation } from './invocation.ts';
import { Fatal, Rejected, tryHelp } from './outcome.ts';
import { OVERLOOKED, PlainRules } from './plain-rules.ts';
import type { Connected, Session } from './session.ts';
import { change, DONE, type Outcome, parseLine, REFUSED, refusal, report } from './usual.ts';

/** Answers awaited before more lines are read; several windows of the netlink client. */
const AHEAD = 1024;
const OURS = 'lvsadm';

const NEWLINE = 10;

/** Plain rules that wait to be sent together, and where they stand: the start and the end of each. */
interface Plain {
  readonly rules: PlainRules;
  readonly additions: Additions;
  /** Of all of them. */
  data: Buffer;
  places: number[];
}

class Restore {
  status = 0;
  readonly #session: Session;
  readonly #pending: (Outcome | Promise<Outcome>)[] = [];
  readonly #proven = new Set<Feature>();
  /** Plain rules that wait to be sent together; never while other answers are awaited. */
  #plain: Plain | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Takes the line between two places of a chunk, of which `settle` is called before the next chunk. */
  take(data: Buffer, start: number, end: number): Promise<void> | undefined {
    if (!this.#plain) {
      if (!this.#session.connected) return this.line(data.toString('utf8', start, end));
      return this.#beginPlain(this.#session.connected).then(() => this.take(data, start, end));
    }
    const { rules, additions, places } = this.#plain;
    if (this.#pending.length === 0 && rules.take(data, start, end)) {
      this.#plain.data = data;
      places.push(start, end);
      return additions.full ? this.#sendPlain() : undefined;
    }
    const text = data.toString('utf8', start, end);
    return additions.count > 0 ? this.#sendPlain().then(() => this.line(text)) : this.line(text);
  }

  async #beginPlain({ ipvs }: Connected): Promise<void> {
    await this.settle(0);
    const additions = await ipvs.additions();
    this.#plain = { rules: new PlainRules(additions), additions, data: Buffer.alloc(0), places: [] };
  }

  /** Sends the plain rules that have gathered; what is refused is read once more, to be told in the usual words. */
  async #sendPlain(): Promise<void> {
    const { connected } = this.#session;
    if (!this.#plain || !connected || this.#plain.additions.count === 0) return;
    const { additions, data, places } = this.#plain;
    const last = additions.count - 1;
    const refused = await connected.ipvs.sendAdditions(additions);
    this.#plain.places = [];
    for (const [index, error] of [...refused].sort(([one], [other]) => one - other)) {
      const text = data.toString('utf8', places[2 * index], places[2 * index + 1]);
      const line = await parseLine(ruleWords(text), this.#session);
      this.#tell(refusal(line, error, REFUSED));
    }
    if (!refused.has(last)) this.#tell(DONE);
  }

  #tell(outcome: Outcome): void {
    report(outcome, this.#session);
    // ipvsadm's status is the last line's, whatever became of the others.
    if (!this.#session.strict || this.status === 0) this.status = outcome.status;
  }

  /**
   * Takes one line. Only what must be waited for gives a promise: a pause after each line would let the netlink client
   * send each request by itself.
   */
  line(text: string): Promise<void> | undefined {
    const words = ruleWords(text);
    if (words.length === 0) return undefined;
    try {
      const parsed = parseLine(words, this.#session);
      const acting = parsed instanceof Promise ? this.#actLater(parsed) : this.#act(parsed);
      return acting ?? (this.#pending.length >= AHEAD ? this.settle(AHEAD / 2) : undefined);
    } catch (error) {
      this.#reject(error);
      return undefined;
    }
  }

  async #actLater(parsing: Promise<Invocation>): Promise<void> {
    try {
      await this.#act(await parsing);
    } catch (error) {
      this.#reject(error);
    }
  }

  #reject(error: unknown): void {
    if (!(error instanceof Rejected)) throw error;
    this.#pending.push({ status: error.status, complaint: error.message });
  }

  #act(line: Invocation): Promise<void> | undefined {
    // A restore within a restore would read its own input.
    if (line.command === 'restore') throw tryHelp(this.#session.program);
    const { connected } = this.#session;
    const feature = featureOf(line);
    if (!changeOf(line) || !connected || (feature && !this.#proven.has(feature))) return this.#actAlone(line);
    this.#pending.push(change(line, connected));
    return undefined;
  }

  async #actAlone(line: Invocation): Promise<void> {
    const feature = featureOf(line);
    if (feature && !this.#proven.has(feature)) await this.#prove(feature);
    if (changeOf(line)) {
      this.#pending.push(change(line, await this.#session.connect()));
      return;
    }
    // What it prints must show the lines before it.
    await this.settle(0);
    this.#pending.push(await show(line, this.#session));
  }

  /** A kernel that lacks what the rules are about ends the restore, before anything later is sent. */
  async #prove(feature: Feature): Promise<void> {
    await this.settle(0);
    const { ipvs } = await this.#session.connect();
    await ipvs.requireFeature(feature).catch((error: unknown) => {
      if (error instanceof KernelLacksError) throw new Fatal(error.exitCode, error.message);
      throw error;
    });
    this.#proven.add(feature);
  }

  /** Waits until at most `left` answers are outstanding, reporting the others. */
  async settle(left: number): Promise<void> {
    await this.#sendPlain();
    const ready = this.#pending.splice(0, Math.max(0, this.#pending.length - left));
    for (const pending of ready) {
      const outcome = await pending;
      this.#tell(outcome);
    }
  }
}

/** The words of a line, without the program's name that may stand before them. */
export function ruleWords(text: string): string[] {
  const words = wordsOf(text);
  if (words[0] === OURS) words.shift();
  return text.includes(OVERLOOKED) ? words.filter((word) => word !== OVERLOOKED) : words;
}

/** Words between white space; most lines have single blanks only. */
function wordsOf(text: string): string[] {
  const words = text.split(' ');
  return words.includes('') || /[\t\r\f\v]/.test(text) ? text.split(/\s+/).filter((word) => word !== '') : words;
}

/** Applies every line; the status is that of the last one, with --strict of the first that failed. Throws Fatal. */
export async function restore(input: Session['input'], session: Session): Promise<number> {
  const work = new Restore(session);
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of input) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      const data = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        const waiting = work.take(data, start, end);
        if (waiting) await waiting;
        start = end + 1;
      }
      rest = data.subarray(start);
      // A writer that waits for us to act before it goes on must not wait for ever.
      await work.settle(0);
    }
    await work.line(rest.toString());
  } finally {
    await work.settle(0);
  }
  return work.status;
}
