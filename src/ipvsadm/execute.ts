// SPDX-License-Identifier: MIT
/** Carries one command line out, whatever it is, and says with which status the program ends. */
import type { Invocation } from './invocation.ts';
import type { Session } from './session.ts';
import { DONE, executeUsual, type Outcome, parseLine, reading, report } from './usual.ts';

/** Carries out a line other than -R: a change, or what prints. Throws Fatal; other errors become an Outcome. */
export async function show(line: Invocation, session: Session): Promise<Outcome> {
  const { lookup, output } = session;
  if (line.command === 'help' || line.command === 'version') {
    const { helpText, versionLine } = await import('./help.ts');
    output.out(line.command === 'help' ? helpText(session.program) : `${versionLine(session.program)}\n`);
    return DONE;
  }
  const usual = executeUsual(line, session);
  if (usual) return usual;
  return reading(line, session, async ({ ipvs, info }) => {
    if (line.options.has('json')) await (await import('./json/index.ts')).printJson(line, ipvs, info, output);
    else if (line.command === 'get-laddr')
      await (await import('./local-addresses.ts')).listLocalAddresses(line, ipvs, output);
    else {
      const { listConnections } = await import('./connections.ts');
      const names = line.options.has('numeric') ? undefined : lookup;
      await listConnections(line.options.has('persistent-conn'), names, line.filters, output);
    }
  });
}

/** One command line from start to end: its exit status. Throws Fatal and Rejected. */
export async function execute(words: readonly string[], session: Session): Promise<number> {
  const line = await parseLine(words, session);
  if (line.command === 'restore') {
    const { restore } = await import('./restore.ts');
    return restore(session.input, session);
  }
  const once = async () => {
    const outcome = await show(line, session);
    report(outcome, session);
    return outcome.status;
  };
  if (line.watch === undefined) return once();
  const { watch } = await import('./watch.ts');
  return watch(line.watch, session.output, once);
}
