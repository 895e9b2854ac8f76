// SPDX-License-Identifier: MIT
// Two namespaces that get the same commands, one from Debian's ipvsadm, one from lvsadm.
import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

const ORIGINAL = 'ipvsadm';
const OURS = 'lvsadm';

/** Listings that together show the whole state, and which command lines can change each of them. */
const READS = [
  { words: '-Sn', concerns: /^/ },
  { words: '-Ln --thresholds', concerns: / -[xy] / },
  { words: '-L --timeout', concerns: /--set/ },
  { words: '-L --daemon', concerns: /-daemon/ },
];

export class Twins {
  readonly #original = 'twin-a';
  readonly #ours = 'twin-b';

  constructor() {
    for (const name of [this.#original, this.#ours]) {
      must('ip', 'netns', 'add', name);
      must('ip', '-n', name, 'link', 'set', 'lo', 'up');
      must('ip', '-n', name, 'address', 'add', '192.0.2.1/32', 'dev', 'lo');
    }
  }

  async remove(): Promise<void> {
    for (const name of [this.#original, this.#ours]) {
      // The synchronisation daemons' sockets keep a namespace alive.
      for (const state of ['master', 'backup']) await inside(name, [ORIGINAL, '--stop-daemon', state]);
      must('ip', 'netns', 'del', name);
    }
  }

  /** Runs a command line in both namespaces; lvsadm's name in its messages becomes ipvsadm's. */
  async run(words: readonly string[], input = ''): Promise<{ original: Ran; ours: Ran }> {
    const [original, ours] = await Promise.all([
      inside(this.#original, [ORIGINAL, ...words], input),
      inside(this.#ours, [OURS, ...words], input),
    ]);
    return { original, ours: { ...ours, stderr: ours.stderr.replaceAll(OURS, ORIGINAL) } };
  }

  /** Both programs' listing of one table, since the kernel's order of services differs between namespaces. */
  async list(words: readonly string[]): Promise<{ original: Ran; ours: Ran }> {
    const [original, ours] = await Promise.all([
      inside(this.#ours, [ORIGINAL, ...words]),
      inside(this.#ours, [OURS, ...words]),
    ]);
    return { original, ours };
  }

  /** Both tables as ipvsadm lists them; only the listings that the command line `about` can change, if given. */
  async tables(about?: string): Promise<{ original: string; ours: string }> {
    const reads = READS.filter(({ concerns }) => about === undefined || concerns.test(about)).map(
      ({ words }) => `${ORIGINAL} ${words}`,
    );
    const read = async (name: string) => (await inside(name, ['sh', '-c', reads.join(';')])).stdout;
    const [original, ours] = await Promise.all([read(this.#original), read(this.#ours)]);
    return { original, ours };
  }
}

async function inside(name: string, words: readonly string[], input = ''): Promise<Ran> {
  const child = spawn('ip', ['netns', 'exec', name, ...words]);
  // A program may end without reading its input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const status = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}

function must(command: string, ...words: string[]): void {
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
}
