// SPDX-License-Identifier: MIT
// Figures that a test in the lab records; a full run collects them in test/results/AREA.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';

/** The kernel's line, with "-uml" for the debug kernel: full runs repeat tests on several. */
const kernel = `${process.env.LVSD_LAB ?? ''}${process.env.LVSD_LAB_UML === 'debug' ? '-uml' : ''}`;

/** Records figures under a name and the kernel; a second call under the same name replaces them. */
export function recordFigures(name: string, figures: object): void {
  const { LAB_OUT } = process.env;
  if (LAB_OUT === undefined) return;
  const dir = join(LAB_OUT, 'results');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${name}-${kernel}.json`), JSON.stringify({ kernel: release(), ...figures }));
}
