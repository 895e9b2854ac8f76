// SPDX-License-Identifier: MIT
/**
 * Which schedulers the kernel lacks. There is no request that lists them: they are modules, loaded at their first use.
 */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';

/**
 * Those of `names` that are neither loaded nor among the kernel's modules; none if its list of modules cannot be read.
 * `root`, `kernel`: for tests.
 */
export function absentSchedulers(names: Iterable<string>, root = '/', kernel = release()): Set<string> {
  let modules: Set<string> | undefined;
  const absent = new Set<string>();
  for (const name of new Set(names)) {
    const module = `ip_vs_${name}`.replaceAll('-', '_');
    if (existsSync(join(root, 'sys/module', module))) continue;
    modules ??= moduleNames(join(root, 'lib/modules', kernel));
    if (modules.size > 0 && !modules.has(module)) absent.add(name);
  }
  return absent;
}

/** Empty if one of the lists cannot be read. */
function moduleNames(folder: string): Set<string> {
  try {
    const lists = ['modules.dep', 'modules.builtin'].map((name) => readFileSync(join(folder, name), 'utf8'));
    const found = lists.join('\n').matchAll(/^[^:\n]*?([^/:\n]+)\.ko/gm);
    return new Set([...found].map(([, name = '']) => name.replaceAll('-', '_')));
  } catch {
    return new Set();
  }
}
