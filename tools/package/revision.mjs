// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runQuiet } from '../lib/run.mjs';
import { top } from '../lib/say.mjs';

const git = (/** @type {string[]} */ ...words) => runQuiet('git', words).trim();

/**
 * The version of the packages and the time of the commit in seconds. A tagged commit has the version itself, others a
 * suffix with their time, so that a later commit is a later version; a checkout with changes says so.
 */
export function revision() {
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  const [epoch = '', hash = ''] = git('log', '-1', '--format=%ct %h', '--abbrev=10').split(' ');
  const changed = git('status', '--porcelain') !== '';
  const tagged = git('tag', '--points-at', 'HEAD').split('\n').includes(`v${version}`);
  if (tagged && !changed) return { version, epoch };
  const time = new Date(Number(epoch) * 1000).toISOString().replace(/\D/g, '').slice(0, 14);
  return { version: `${version}+git${time}.${hash}${changed ? '.changed' : ''}`, epoch };
}
