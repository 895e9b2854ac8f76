// SPDX-License-Identifier: MIT
/** What one run of the program holds: the kernel's table, opened once, names already looked up, where to print. */
import { NetlinkError } from '../base/errors.ts';
import { Ipvs, type IpvsInfo } from '../ipvs/index.ts';
import { UnknownFamilyError } from '../netlink/generic.ts';
import { initComplaint } from './complaints.ts';
import { standardInput } from './input.ts';
import { Lookup } from './lookup.ts';
import { Fatal } from './outcome.ts';
import type { Output } from './output.ts';

export interface Connected {
  readonly ipvs: Ipvs;
  readonly info: IpvsInfo;
}

/** What -R reads, in pieces of any size. */
type Rules = Iterable<Buffer | string> | AsyncIterable<Buffer | string>;

export interface SessionOptions {
  strict?: boolean;
  input?: Rules | undefined;
}

export class Session {
  readonly program: string;
  readonly output: Output;
  /** Do right what ipvsadm plainly gets wrong. */
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

  /** What -R reads. */
  get input(): Rules {
    return this.#input ?? standardInput();
  }

  /** What connect() found, once it has. */
  get connected(): Connected | undefined {
    return this.#connected;
  }

  /** Opens the table, loading the module if need be. Throws Fatal. */
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
      // Rarely needed, and it takes its time to load, as do the others that are imported where they are used.
      const { spawnSync } = await import('node:child_process');
      spawnSync('/sbin/modprobe', ['--', 'ip_vs'], { stdio: 'ignore' });
      return { ipvs, info: await ipvs.info() };
    }
  } catch (error) {
    ipvs.close();
    if (error instanceof NetlinkError || error instanceof UnknownFamilyError) throw new Fatal(2, initComplaint(error));
    throw error;
  }
}
