// SPDX-License-Identifier: MIT
/** `lvsctl top`: asks for numbers, draws frames, takes keys. The terminal is restored however it ends. */
import { emitKeypressEvents } from 'node:readline';
import { errorLine } from '../../../base/error-line.ts';
import { EXIT, type ExitCode, LvsdError, UsageError } from '../../../base/errors.ts';
import { printableJson } from '../../../base/printable.ts';
import { ControlClient } from '../../client.ts';
import type { RealServerStatus } from '../../messages.ts';
import type { Paint } from '../terminal.ts';
import { type Frame, frame } from './frame.ts';
import { Model, type View } from './model.ts';
import { readTopOptions, type TopOptions } from './options.ts';
import { type Key, pressed, type Screen, shown } from './screen.ts';

/** Size of a frame that goes to no terminal. */
const PLAIN_SIZE = { rows: 50, columns: 160 };
/** Milliseconds between the two readings of a single frame. */
const ONCE = 1000;
/** Alternate screen without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const CLEAR_LINE = '\x1b[K';

/** The numbers of one moment, and the model that makes them. */
class Source {
  readonly #socket: string;
  readonly #model = new Model();
  #client: ControlClient | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Throws the client's errors. A connection each time: lvsd ends one that is idle for a minute. */
  async read(open: string | undefined, maxAge?: number): Promise<{ view: View; open: RealServerStatus[] }> {
    const client = await ControlClient.open(this.#socket);
    this.#client = client;
    try {
      const stats = await client.stats({
        detail: 'services',
        ...(open !== undefined && { service: open }),
        ...(maxAge !== undefined && { maxAge }),
      });
      const view = this.#model.update(stats, open);
      // A reload may have removed it.
      if (!view.services.some(({ name }) => name === open)) return { view, open: [] };
      const { services } = await client.call('status', { service: open ?? '' });
      return { view, open: services.flatMap(({ realServers }) => realServers) };
    } finally {
      client.close();
    }
  }

  /** Ends a pending reading with an error. */
  close(): void {
    this.#client?.close();
  }
}

/** Throws UsageError, and the client's errors. */
export async function top(
  socket: string,
  options: TopOptions,
  json: boolean,
  out: (text: string) => void,
  paint: Paint,
): Promise<ExitCode> {
  const { screen, frames } = readTopOptions(options);
  if (frames !== undefined || json) return await printFrames(socket, { screen, frames: frames ?? 1 }, json, out, paint);
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new UsageError('top needs a terminal; --once and --batch N print frames without one');
  return await showTop(socket, screen, paint);
}

/** Prints `frames` frames to a file or a pipe. Throws the client's errors. */
async function printFrames(
  socket: string,
  { screen, frames }: { screen: Screen; frames: number },
  json: boolean,
  out: (text: string) => void,
  paint: Paint,
): Promise<ExitCode> {
  const source = new Source(socket);
  let size = PLAIN_SIZE;
  if (process.stdout.isTTY) size = { rows: process.stdout.rows, columns: process.stdout.columns };
  const interval = frames === 1 ? Math.min(ONCE, screen.interval) : screen.interval;
  // Rates need two readings, of which the second is a new one.
  const maxAge = 0.9 * interval;
  let { view, open } = await source.read(undefined, maxAge);
  for (let i = 0; i < frames; i++) {
    await new Promise((resolve) => setTimeout(resolve, interval));
    ({ view, open } = await source.read(undefined, maxAge));
    if (json) out(`${printableJson(view)}\n`);
    else {
      const lines = frame({ view, screen, open, now: Date.now() }, size.rows, size.columns, paint);
      out(`${lines.join('\n').trimEnd()}\n${frames > 1 ? '\n' : ''}`);
    }
  }
  return EXIT.OK;
}

/** Draws on the terminal until the operator quits. Throws the client's errors of the first reading. */
async function showTop(socket: string, start: Screen, paint: Paint): Promise<ExitCode> {
  const { stdin, stdout } = process;
  const source = new Source(socket);
  let screen = start;
  let shownFrame: Omit<Frame, 'screen' | 'now'> = await source.read(undefined);
  let timer: NodeJS.Timeout | undefined;
  let drawnAt = Date.now();

  const draw = () => {
    const { rows, columns } = stdout;
    const lines = frame({ ...shownFrame, screen, now: drawnAt }, rows, columns, paint);
    stdout.write(lines.map((line, index) => `\x1b[${index + 1};1H${line}${CLEAR_LINE}`).join(''));
  };
  const read = async () => {
    try {
      shownFrame = await source.read(screen.open);
      drawnAt = Date.now();
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      shownFrame = { ...shownFrame, problem: errorLine(error) };
    }
  };
  let over = false;
  let pending = false;
  /** Another round was asked for while an answer was pending. */
  let again = false;
  let fail: (error: unknown) => void = () => {};
  /** Reads, draws, and begins the next round after the interval. */
  const round = async (): Promise<void> => {
    clearTimeout(timer);
    again = pending;
    if (pending) return;
    pending = true;
    try {
      if (!screen.paused) await read();
    } finally {
      pending = false;
    }
    if (over) return;
    draw();
    timer = setTimeout(begin, again ? 0 : screen.interval);
  };
  const begin = () => void round().catch((error: unknown) => fail(error));
  const enter = () => {
    stdin.setRawMode(true);
    stdout.write(ENTER);
  };
  const leave = () => {
    stdin.setRawMode(false);
    stdout.write(LEAVE);
  };
  const resume = () => {
    enter();
    draw();
  };

  const code = new Promise<ExitCode>((resolve, reject) => {
    fail = reject;
    emitKeypressEvents(stdin);
    stdin.on('keypress', (_text: string | undefined, key: Key) => {
      if (key.ctrl && key.name === 'z') {
        leave();
        process.kill(process.pid, 'SIGSTOP');
        return;
      }
      const page = Math.max(1, stdout.rows - 5);
      const before = screen;
      const after = pressed(before, key, shownFrame.view.services, page);
      if (!after) {
        resolve(EXIT.OK);
        return;
      }
      screen = after;
      if (after.chosen === undefined) screen = { ...after, chosen: shown(shownFrame.view.services, after)[0]?.key };
      draw();
      if (screen.open !== before.open || (before.paused && !screen.paused)) begin();
    });
    stdin.on('end', () => resolve(EXIT.OK));
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.on(signal, () => resolve(EXIT.OK));
    process.on('SIGCONT', resume);
    stdout.on('resize', draw);
    begin();
  });
  enter();
  // Also after an error that nothing catches.
  process.once('exit', leave);
  stdin.resume();
  try {
    return await code;
  } finally {
    over = true;
    clearTimeout(timer);
    source.close();
    stdout.removeListener('resize', draw);
    process.removeListener('SIGCONT', resume);
    stdin.pause();
    stdin.removeAllListeners('keypress');
    process.removeListener('exit', leave);
    leave();
  }
}
