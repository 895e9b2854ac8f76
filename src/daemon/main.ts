// SPDX-License-Identifier: MIT
/** The program lvsd: words in, exit status out. */
import { createRequire } from 'node:module';
import { EXIT, LvsdError, UsageError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { examine } from './doctor/checks.ts';
import { gather } from './doctor/facts.ts';
import { reportText } from './doctor/report.ts';

const HELP = `Usage:
  lvsd doctor [--json]   look at this machine's IPVS, say what is there and what is wrong
  lvsd -h | --help
  lvsd -V | --version
Exit status: 0 fine, 1 the doctor found a problem, 2 wrong usage, 4 not permitted.
`;

/** Runs one command line. Prints errors as one line, never a stack trace. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    return await run(words);
  } catch (error) {
    if (!(error instanceof LvsdError) && !isSystemError(error)) throw error;
    process.stderr.write(`lvsd: ${error.message}\n`);
    return error instanceof LvsdError ? error.exitCode : EXIT.RUNTIME;
  }
}

async function run(words: readonly string[]): Promise<number> {
  const [verb, ...rest] = words;
  if (verb === 'doctor') return doctor(rest);
  if (rest.length === 0 && (verb === '-h' || verb === '--help')) process.stdout.write(HELP);
  else if (rest.length === 0 && (verb === '-V' || verb === '--version')) process.stdout.write(`lvsd ${version()}\n`);
  else throw new UsageError(`${verb === undefined ? 'what to do?' : `unknown: ${words.join(' ')}`} (see lvsd --help)`);
  return EXIT.OK;
}

async function doctor(words: readonly string[]): Promise<number> {
  if (words.length > 1 || (words[0] ?? '--json') !== '--json')
    throw new UsageError('doctor knows --json and nothing else');
  const checks = examine(await gather());
  const problem = checks.some(({ verdict }) => verdict === 'problem');
  process.stdout.write(words[0] ? `${JSON.stringify({ problem, checks }, null, 2)}\n` : reportText(checks));
  return problem ? EXIT.RUNTIME : EXIT.OK;
}

function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version;
}
