// SPDX-License-Identifier: MIT
// The answer of a program to a command line, run as a process or in this one, and the record of answers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Ipvs } from '../../../src/ipvs/index.ts';
import { main } from '../../../src/ipvsadm/index.ts';
import type { Output } from '../../../src/ipvsadm/output.ts';
import { type Case, caseText } from './grammar.ts';
import { change, reset, tableLines } from './known-table.ts';

export interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
  /** The change of the kernel's table. */
  table: string;
}

export type Outcome = Omit<Answer, 'table'>;

export async function asProcess(program: string, { words, input = '' }: Case): Promise<Outcome> {
  const child = spawn(program, words);
  // A program may exit without reading its input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  return { status: child.exitCode, stdout, stderr };
}

class Captured implements Output {
  readonly closed = false;
  stdout = '';
  stderr = '';

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }

  flush(): void {}
}

async function* whole(input: string): AsyncGenerator<string> {
  if (input !== '') yield input;
}

/** Runs lvsadm in this process, with ipvsadm's name in its messages. */
export async function inProcess({ words, input = '' }: Case, program = 'ipvsadm'): Promise<Outcome> {
  const output = new Captured();
  const status = await main(words, { program, output, input: whole(input) });
  return { status, stdout: output.stdout, stderr: output.stderr };
}

const USAGE = 2;

/** A usage error is detected before the kernel is accessed. */
export const isRefused = ({ input }: Case, { status }: Outcome): boolean => status === USAGE && input === undefined;

/** Runs command lines one after the other, each on the known table. */
export class Questions {
  readonly #ipvs = new Ipvs();
  #start: readonly string[] = [];

  async ask(one: Case, run: (one: Case) => Outcome | Promise<Outcome>): Promise<Answer> {
    if (this.#start.length === 0) {
      await reset(this.#ipvs);
      this.#start = await tableLines(this.#ipvs);
    }
    const outcome = await run(one);
    // If the table were changed nevertheless, the next answer would show it.
    if (isRefused(one, outcome)) return { ...outcome, table: '' };
    const table = change(this.#start, await tableLines(this.#ipvs));
    if (table !== '') await reset(this.#ipvs);
    return { ...outcome, table };
  }

  /** Empties the table. */
  async close(): Promise<void> {
    await reset(this.#ipvs);
    await this.#ipvs.flush();
    this.#ipvs.close();
  }
}

interface RecordFile {
  about: string;
  texts: string[];
  answers: (readonly [question: string, status: number, stdout: number, stderr: number, table: number])[];
}

/** Answers by the text of their case. */
export class AnswerRecord {
  readonly #answers = new Map<string, Answer>();

  get size(): number {
    return this.#answers.size;
  }

  add(one: Case, answer: Answer): void {
    this.#answers.set(caseText(one), answer);
  }

  of(one: Case): Answer | undefined {
    return this.#answers.get(caseText(one));
  }

  /** One line per answer; repeated texts are written once. */
  toText(about: string): string {
    const texts = new Map<string, number>();
    const number = (text: string) => {
      const known = texts.get(text) ?? texts.size;
      texts.set(text, known);
      return known;
    };
    const answers = [...this.#answers].map(([question, { status, stdout, stderr, table }]) =>
      JSON.stringify([question, status, number(stdout), number(stderr), number(table)]),
    );
    const list = [...texts.keys()].map((text) => JSON.stringify(text));
    return `{"about":${JSON.stringify(about)},\n"texts":[\n${list.join(',\n')}\n],\n"answers":[\n${answers.join(',\n')}\n]}\n`;
  }

  static fromText(text: string): AnswerRecord {
    const { texts, answers } = JSON.parse(text) as RecordFile;
    const record = new AnswerRecord();
    for (const [question, status, stdout, stderr, table] of answers) {
      const [out = '', err = '', came = ''] = [texts[stdout], texts[stderr], texts[table]];
      record.#answers.set(question, { status, stdout: out, stderr: err, table: came });
    }
    return record;
  }
}
