// SPDX-License-Identifier: MIT
/** `lvsd check`: validates the file, or standard input for `-f -`. Needs neither root nor IPVS. */
import { EXIT } from '../../base/errors.ts';
import { count } from '../../base/words.ts';
import { ConfigError, loadConfig, loadInput } from '../../config/index.ts';
import type { Options } from './options.ts';

const STANDARD_INPUT: ReadonlySet<string> = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/** Prints problems on stderr, one line each; with --json on stdout. */
export function check({ file, node, json }: Options): number {
  try {
    // Without --node the file is validated for every node that it names.
    // The owner and mode of the file matter for root's lvsd only: other users may validate drafts in any folder.
    const options = {
      trusted: process.geteuid?.() === 0,
      ...(node === undefined ? { everyNode: true } : { node, requireNode: true }),
    };
    const config = STANDARD_INPUT.has(file) ? loadInput(options) : loadConfig(file, options);
    const servers = [...config.services.values()].reduce((sum, { realServers }) => sum + realServers.length, 0);
    const counts = { services: config.services.size, real_servers: servers, files: config.files.length };
    for (const line of config.warnings) if (!json) process.stderr.write(`warning: ${line}\n`);
    if (json)
      process.stdout.write(
        `${JSON.stringify({ valid: true, ...counts, problems: [], warnings: config.warnings }, null, 2)}\n`,
      );
    else process.stdout.write(`${file}: OK: ${count(counts.services, 'service')}, ${count(servers, 'real server')}\n`);
    return EXIT.OK;
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    const problems = error.problems.map(({ place, text }) => ({ ...place, text }));
    process.stdout.write(`${JSON.stringify({ valid: false, problems }, null, 2)}\n`);
    return EXIT.USAGE;
  }
}
