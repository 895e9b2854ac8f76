// SPDX-License-Identifier: MIT
// Output of the demo: steps, commands as they are run, and checked claims.
import type { Namespace, Result } from '../../lab/topology.ts';

const colour = process.env.NO_COLOR === undefined && process.env.DEMO_COLOR === '1';
const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
const print = (text = '') => process.stdout.write(`${text}\n`);
const indent = (text: string, by: string) => text.replace(/\n+$/, '').replace(/^/gm, by);

export class Story {
  private steps = 0;
  private held = 0;
  private readonly broken: string[] = [];

  /** Starts a numbered step with an introduction. */
  step(title: string, text = ''): void {
    this.steps += 1;
    print(`\n${paint(1, `${this.steps}. ${title}`)}`);
    if (text) print(`\n${indent(text.trim(), '   ')}`);
    print();
  }

  say(text: string): void {
    print(indent(text.trim(), '   '));
    print();
  }

  /**
   * Runs a command in a namespace and shows it as if typed there, with those lines of its output that `keep` selects.
   */
  show(where: Namespace, command: string, keep: (line: string) => boolean = () => true): Result {
    print(`   ${paint(36, `${where.name}$ ${command}`)}`);
    const result = where.run(command, { accept: 'any' });
    const output = `${result.stdout}${result.stderr}`.split('\n').filter(keep).join('\n').trim();
    if (output) print(indent(output, '   '));
    return result;
  }

  /** Runs commands that must succeed; each that fails is a claim that does not hold. */
  program(where: Namespace, commands: string[]): void {
    for (const command of commands) {
      const { status, stdout, stderr } = this.show(where, command);
      if (status !== 0) this.claim(`\`${command}\` succeeds`, false, `it ended with ${status}: ${stdout}${stderr}`);
    }
    print();
  }

  /** A statement of the demo, and whether it holds; `detail` is shown if it does not. */
  claim(text: string, holds: boolean, detail = ''): void {
    if (holds) {
      this.held += 1;
      print(`   ${paint(32, '✓')} ${text}`);
      return;
    }
    this.broken.push(text);
    print(`   ${paint(31, '✗')} ${text}`);
    if (detail) print(indent(detail, '       '));
  }

  /** Closes the story; returns the exit code. */
  end(): number {
    print();
    if (this.broken.length === 0) {
      print(`All ${this.held} claims of this demo were checked and hold.`);
      return 0;
    }
    print(`${this.broken.length} of ${this.held + this.broken.length} claims did not hold:`);
    for (const text of this.broken) print(`  ✗ ${text}`);
    return 1;
  }
}
