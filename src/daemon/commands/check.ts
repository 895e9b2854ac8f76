// SPDX-License-Identifier: MIT
/** `lvsd check`: validates the file. Needs neither root nor IPVS. */
import { EXIT } from '../../base/errors.ts';
import { ConfigError, loadConfig } from '../../config/index.ts';
import type { Options } from './options.ts';

/** Prints problems on stderr, one line each; with --json on stdout. */
export function check({ file, node, json }: Options): number {
  try {
    // Without --node the file is validated for every node that it names.
    const config = loadConfig(file, node === undefined ? { everyNode: true } : { node });
    const servers = [...config.services.values()].reduce((sum, { realServers }) => sum + realServers.length, 0);
    const counts = { services: config.services.size, real_servers: servers, files: config.files.length };
    if (json) process.stdout.write(`${JSON.stringify({ valid: true, ...counts, problems: [] }, null, 2)}\n`);
    else process.stdout.write(`${file}: OK: ${counts.services} services, ${servers} real servers\n`);
    return EXIT.OK;
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    const problems = error.problems.map(({ place, text }) => ({ ...place, text }));
    process.stdout.write(`${JSON.stringify({ valid: false, problems }, null, 2)}\n`);
    return EXIT.USAGE;
  }
}
