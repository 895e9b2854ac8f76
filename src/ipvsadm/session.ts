// SPDX-License-Identifier: MIT
/** State of one run of the program: the connection to the kernel, opened once, looked-up names, and the output. */
import { NetlinkError } from '../base/errors.ts';
import { Ipvs, type IpvsInfo } from '../ipvs/index.ts';
import { UnknownFamilyError } from '../netlink/generic.ts';
import { Fatal } from './errors.ts';
import { standardInput } from './input.ts';
import { Lookup } from './lookup.ts';
import type { Output } from './output.ts';

export interface Connected {
  readonly ipvs: Ipvs;
  readonly info: IpvsInfo;
}

/** The input of -R, in chunks of any size. */
type Rules = Iterable<Buffer | string> | AsyncIterable<Buffer | string>;

export interface SessionOptions {
  strict?: boolean;
  input?: Rules | undefined;
}

export class Session {
  readonly program: string;
  readonly output: Output;
  /** --strict: avoid known defects of ipvsadm (docs/lvsadm.md). */
  readonly strict: boolean;
  readonly #input: Rules | undefined;
  readonly lookup = new Lookup();
  #connected: Connected | undefined;

  constructor(program: string, output: Output, { strict = false, input }: SessionOptions = {}) {
    this.program = program;
    this.output = output;
    this.strict = strict;
    this.#input = input;
  }

  /** The input of -R. */
  get input(): Rules {
    return this.#input ?? standardInput();
  }

  /** The result of connect(); undefined before. */
  get connected(): Connected | undefined {
    return this.#connected;
  }

  /** Opens the table, and loads the module if necessary. Throws Fatal. */
  async connect(): Promise<Connected> {
    this.#connected ??= await open();
    return this.#connected;
  }

  close(): void {
    this.#connected?.ipvs.close();
  }
}

async function open(): Promise<Connected> {
  const ipvs = new Ipvs();
  try {
    try {
      return { ipvs, info: await ipvs.info() };
    } catch (error) {
      if (!(error instanceof UnknownFamilyError)) throw error;
      // Imported here because it is rarely needed and slow to load.
      const { spawnSync } = await import('node:child_process');
      spawnSync('/sbin/modprobe', ['--', 'ip_vs'], { stdio: 'ignore' });
      return { ipvs, info: await ipvs.info() };
    }
  } catch (error) {
    ipvs.close();
    if (!(error instanceof NetlinkError || error instanceof UnknownFamilyError)) throw error;
    const { initErrorText } = await import('./kernel-errors.ts');
    throw new Fatal(2, initErrorText(error));
  }
}
