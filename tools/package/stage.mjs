// SPDX-License-Identifier: MIT
import { chmodSync, cpSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runQuiet } from '../lib/run.mjs';
import { top } from '../lib/say.mjs';

/**
 * Copies the files that git knows, or would add, into a fresh folder with npm's packages and Node. Returns the folder.
 * @param {string} node
 */
export function stage(node) {
  const tree = join(top, 'build/package/tree');
  rmSync(tree, { recursive: true, force: true });
  const files = runQuiet('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate']);
  for (const file of files.split('\0').filter(Boolean)) {
    const to = join(tree, file);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(top, file), to, { verbatimSymlinks: true });
    // The modes that git knows, whatever the umask.
    if (statSync(to).isFile()) chmodSync(to, statSync(to).mode & 0o100 ? 0o755 : 0o644);
  }
  runQuiet('cp', ['-a', join(top, 'node_modules'), tree]);
  mkdirSync(join(tree, 'build'));
  runQuiet('cp', ['-a', node, join(tree, 'build/node')]);
  return tree;
}
