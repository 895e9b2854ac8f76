// SPDX-License-Identifier: MIT
/**
 * -R: rules from a stream. They take effect in the order of the lines, as if each were a run of its own: a refused one
 * prints its message and the next follows, a wrongly written one ends it with the lines before it applied. Requests are
 * only not waited for one by one: they go to the kernel in windows, and the answers are reported as they come, in order.
 */
import { KernelLacksError } from '../base/errors.ts';
import type { Feature } from '../ipvs/index.ts';
import { changeOf, featureOf } from './commands.ts';
import { change, type Outcome, parseLine, report, show } from './execute.ts';
import type { Invocation } from './invocation.ts';
import { Fatal, Rejected, tryHelp } from './outcome.ts';
import type { Session } from './session.ts';

/** Answers awaited before more lines are read; several windows of the netlink client. */
const AHEAD = 1024;
/** Names that a rule may start with. */
const PROGRAMS = new Set(['ipvsadm', 'lvsadm']);

class Restore {
  status = 0;
  readonly #session: Session;
  readonly #pending: (Outcome | Promise<Outcome>)[] = [];
  readonly #proven = new Set<Feature>();

  constructor(session: Session) {
    this.#session = session;
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
    const ready = this.#pending.splice(0, Math.max(0, this.#pending.length - left));
    for (const pending of ready) {
      const outcome = await pending;
      report(outcome, this.#session);
      // ipvsadm's status is the last line's, whatever became of the others.
      if (!this.#session.strict || this.status === 0) this.status = outcome.status;
    }
  }
}

/** The words of a line, without the program's name that may stand before them. */
export function ruleWords(text: string): string[] {
  const words = wordsOf(text);
  if (PROGRAMS.has(words[0] ?? '')) words.shift();
  return words;
}

/** Words between white space; most lines have single blanks only. */
function wordsOf(text: string): string[] {
  const words = text.split(' ');
  return words.includes('') || /[\t\r\f\v]/.test(text) ? text.split(/\s+/).filter((word) => word !== '') : words;
}

/** Applies every line; the status is that of the last one, with --strict of the first that failed. Throws Fatal. */
export async function restore(input: Session['input'], session: Session): Promise<number> {
  const work = new Restore(session);
  let rest = '';
  try {
    for await (const chunk of input) {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const waiting = work.line(line);
        if (waiting) await waiting;
      }
      // A writer that waits for us to act before it goes on must not wait for ever.
      await work.settle(AHEAD / 2);
    }
    await work.line(rest);
  } finally {
    await work.settle(0);
  }
  return work.status;
}
