// SPDX-License-Identifier: MIT
/**
 * -R: executes rules from a stream in order, with the effect of a separate run for each: if the kernel rejects a rule,
 * its message is printed and the next rule follows; a usage error ends the restore, with the rules before it applied.
 * For speed, requests are sent in windows without waiting for each result. Results are reported in order.
 */
import { KernelLacksError } from '../base/errors.ts';
import type { BulkWriter, Feature } from '../ipvs/index.ts';
import { BulkRules } from './bulk-rules.ts';
import { changes, featureOf } from './changes.ts';
import type { Invocation } from './command-line/invocation.ts';
import { ruleWords } from './command-line/rule-words.ts';
import { Fatal, Rejected, tryHelp, usage } from './errors.ts';
import { change, DONE, execute, failed, type Outcome, parseLine, REJECTED, report } from './execute.ts';
import type { Connected, Session } from './session.ts';

/** Unanswered requests before reading pauses; several windows of the netlink client. */
const MAX_PENDING = 1024;
const NEWLINE = 10;
/** Bytes. */
const LONGEST_LINE = 1 << 20;

/** Rules to be sent in one batch, and the text they were read from. */
interface Batch {
  readonly rules: BulkRules;
  readonly writer: BulkWriter;
  data: Buffer;
  /** Start and end in `data` of each rule. */
  bounds: number[];
}

class Restore {
  status = 0;
  readonly #session: Session;
  readonly #pending: (Outcome | Promise<Outcome>)[] = [];
  /** Features that the kernel is known to have. */
  readonly #features = new Set<Feature>();
  /** Exists once the session is connected. Holds rules only while #pending is empty. */
  #batch: Batch | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Executes the rule at these offsets of a chunk. `settle` must be called before the chunk is reused. */
  take(data: Buffer, start: number, end: number): Promise<void> | undefined {
    if (!this.#batch) {
      if (!this.#session.connected) return this.line(data.toString('utf8', start, end));
      return this.#openBatch(this.#session.connected).then(() => this.take(data, start, end));
    }
    const { rules, writer, bounds } = this.#batch;
    if (this.#pending.length === 0 && rules.take(data, start, end)) {
      this.#batch.data = data;
      bounds.push(start, end);
      return writer.full ? this.#sendBatch() : undefined;
    }
    const text = data.toString('utf8', start, end);
    return writer.count > 0 ? this.#sendBatch().then(() => this.line(text)) : this.line(text);
  }

  /**
   * Executes one rule. Returns a promise only if there is something to wait for: waiting after every rule would make the
   * netlink client send each request in a separate system call.
   */
  line(text: string): Promise<void> | undefined {
    const words = ruleWords(text);
    if (words.length === 0) return undefined;
    try {
      const parsed = parseLine(words, this.#session);
      const waiting = parsed instanceof Promise ? this.#executeLater(parsed) : this.#execute(parsed);
      return waiting ?? (this.#pending.length >= MAX_PENDING ? this.settle(MAX_PENDING / 2) : undefined);
    } catch (error) {
      this.#reject(error);
      return undefined;
    }
  }

  /** Waits until at most `left` requests are unanswered, and reports the results of the others. */
  async settle(left: number): Promise<void> {
    await this.#sendBatch();
    const ready = this.#pending.splice(0, Math.max(0, this.#pending.length - left));
    for (const outcome of ready) this.#report(await outcome);
  }

  async #openBatch({ ipvs }: Connected): Promise<void> {
    await this.settle(0);
    const writer = await ipvs.bulkWriter();
    this.#batch = { rules: new BulkRules(writer), writer, data: Buffer.alloc(0), bounds: [] };
  }

  /** Sends the batch. Rules that the kernel rejects are parsed again, for their messages. */
  async #sendBatch(): Promise<void> {
    const { connected } = this.#session;
    if (!this.#batch || !connected || this.#batch.writer.count === 0) return;
    const { writer, data, bounds } = this.#batch;
    const last = writer.count - 1;
    const errors = await connected.ipvs.sendBulk(writer);
    this.#batch.bounds = [];
    for (const [index, error] of [...errors].sort(([one], [other]) => one - other)) {
      const text = data.toString('utf8', bounds[2 * index], bounds[2 * index + 1]);
      this.#report(await failed(await parseLine(ruleWords(text), this.#session), error, REJECTED));
    }
    if (!errors.has(last)) this.#report(DONE);
  }

  #report(outcome: Outcome): void {
    const status = report(outcome, this.#session);
    // ipvsadm exits with the status of the last rule.
    if (!this.#session.strict || this.status === 0) this.status = status;
  }

  #reject(error: unknown): void {
    if (!(error instanceof Rejected)) throw error;
    this.#pending.push({ status: error.status, message: error.message });
  }

  async #executeLater(parsing: Promise<Invocation>): Promise<void> {
    try {
      await this.#execute(await parsing);
    } catch (error) {
      this.#reject(error);
    }
  }

  #execute(line: Invocation): Promise<void> | undefined {
    // A restore within a restore would read its own input.
    if (line.command === 'restore') throw tryHelp(this.#session.program);
    const { connected } = this.#session;
    const feature = featureOf(line);
    if (!(line.command in changes) || !connected || (feature && !this.#features.has(feature)))
      return this.#executeAlone(line, feature);
    this.#pending.push(change(line, connected));
    return undefined;
  }

  async #executeAlone(line: Invocation, feature: Feature | undefined): Promise<void> {
    if (feature && !this.#features.has(feature)) await this.#requireFeature(feature);
    if (line.command in changes) {
      this.#pending.push(change(line, await this.#session.connect()));
      return;
    }
    // A listing has to show the rules before it.
    await this.settle(0);
    this.#pending.push(await execute(line, this.#session));
  }

  /** Ends the restore before any later rule is sent if the kernel lacks the feature. */
  async #requireFeature(feature: Feature): Promise<void> {
    await this.settle(0);
    const { ipvs } = await this.#session.connect();
    await ipvs.requireFeature(feature).catch((error: unknown) => {
      if (error instanceof KernelLacksError) throw new Fatal(error.exitCode, error.message);
      throw error;
    });
    this.#features.add(feature);
  }
}

/** Executes every rule. Returns the status of the last one, with --strict of the first that failed. Throws Fatal. */
export async function restore(input: Session['input'], session: Session): Promise<number> {
  const work = new Restore(session);
  /** Parts of the last line, which is not complete yet. */
  let parts: Buffer[] = [];
  let held = 0;
  const hold = (part: Buffer) => {
    held += part.length;
    if (held > LONGEST_LINE) throw usage(`a rule is longer than ${LONGEST_LINE} bytes`);
    if (part.length > 0) parts.push(part);
  };
  try {
    for await (const chunk of input) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      // Joined once for each line: a line without an end must not be copied with every chunk.
      if (!bytes.includes(NEWLINE)) {
        hold(bytes);
        continue;
      }
      const data = parts.length > 0 ? Buffer.concat([...parts, bytes]) : bytes;
      [parts, held] = [[], 0];
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        const waiting = work.take(data, start, end);
        if (waiting) await waiting;
        start = end + 1;
      }
      hold(data.subarray(start));
      // The process that writes the rules may wait for their effect before it continues.
      await work.settle(0);
    }
    await work.line(Buffer.concat(parts).toString());
  } finally {
    await work.settle(0);
  }
  return work.status;
}
