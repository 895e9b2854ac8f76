// SPDX-License-Identifier: MIT
/** The program lvsd: command line -> exit status. Each command's code is loaded when it is called. */
import { release } from 'node:os';
import { isErrno } from '../base/errno.ts';
import { EXIT, LvsdError, NetlinkError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { version } from '../base/version.ts';
import { HELP } from './commands/help.ts';
import { type Options, parseOptions } from './commands/options.ts';
import { isJournal, PRIORITY } from './log/journal.ts';

/** Runs one command line. Prints expected errors as one line, without a stack trace. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    return await run(parseOptions(words));
  } catch (error) {
    if (!(error instanceof LvsdError) && !isSystemError(error)) throw error;
    const text =
      error instanceof NetlinkError && isErrno(error, 'EPERM')
        ? NO_RIGHTS
        : isUnknownIpvs(error)
          ? await noIpvs()
          : error.message;
    // An invalid file has a line for each problem, which begins with its place.
    const prefix = error instanceof LvsdError && error.code === 'ERR_LVSD_CONFIG' ? '' : 'lvsd: ';
    // In the journal each line has a priority, as the log lines have.
    const priority = isJournal(process.env.JOURNAL_STREAM, 2) ? PRIORITY.error : '';
    process.stderr.write(`${prefix}${text}\n`.replace(/^(?=.)/gm, priority));
    return error instanceof LvsdError ? error.exitCode : EXIT.RUNTIME;
  }
}

const NO_RIGHTS =
  'reading and changing the IPVS table needs root or CAP_NET_ADMIN (EPERM): run it with sudo; in a container, --cap-add NET_ADMIN';

const isUnknownIpvs = (error: Error) => error instanceof LvsdError && error.code === 'ERR_LVSD_UNKNOWN_FAMILY';

async function noIpvs(): Promise<string> {
  const { installedFile } = await import('./commands/doctor/facts.ts');
  const running = `the running kernel ${release()}`;
  return installedFile() === undefined
    ? `IPVS is not available: ip_vs is not loaded, and there is no such module for ${running}: install a kernel that has it (Debian: apt install linux-image-${process.arch === 'x64' ? 'amd64' : process.arch}), or see docs/kernel.md`
    : `IPVS is not available: ip_vs is installed for ${running} and could not be loaded: run modprobe ip_vs (for a container, on its host)`;
}

async function run(options: Options): Promise<number> {
  switch (options.command) {
    case 'help':
      process.stdout.write(HELP);
      return EXIT.OK;
    case 'version':
      process.stdout.write(`lvsd ${version()}\n`);
      return EXIT.OK;
    case 'doctor':
      return (await import('./commands/doctor/doctor.ts')).doctor(options);
    case 'withdraw':
      return (await import('./commands/withdraw.ts')).withdrawVrrp(options);
    case 'web':
      return (await import('./commands/web.ts')).web(options);
    case 'password':
      return (await import('./commands/password.ts')).password({ user: options.user });
    case 'check':
      return (await import('./commands/check.ts')).check(options);
    case 'plan':
      return (await import('./commands/plan.ts')).plan(options);
    case 'apply':
      return (await import('./commands/plan.ts')).applyOnce(options);
    case 'run':
      return (await import('./commands/run.ts')).run(options);
  }
}
