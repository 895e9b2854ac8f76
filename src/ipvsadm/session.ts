// SPDX-License-Identifier: MIT
/** What one run of the program holds: the kernel's table, opened once, names already looked up, where to print. */
import { spawnSync } from 'node:child_process';
import { NetlinkError } from '../base/errors.ts';
import { Ipvs, type IpvsInfo } from '../ipvs/index.ts';
import { UnknownFamilyError } from '../netlink/generic.ts';
import { initComplaint } from './complaints.ts';
import { Lookup } from './lookup.ts';
import { Fatal } from './outcome.ts';
import type { Output } from './output.ts';

export interface Connected {
  readonly ipvs: Ipvs;
  readonly info: IpvsInfo;
}

export class Session {
  readonly program: string;
  readonly output: Output;
  readonly lookup = new Lookup();
  #connected: Connected | undefined;

  constructor(program: string, output: Output) {
    this.program = program;
    this.output = output;
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
      spawnSync('/sbin/modprobe', ['--', 'ip_vs'], { stdio: 'ignore' });
      return { ipvs, info: await ipvs.info() };
    }
  } catch (error) {
    ipvs.close();
    if (error instanceof NetlinkError || error instanceof UnknownFamilyError) throw new Fatal(2, initComplaint(error));
    throw error;
  }
}
