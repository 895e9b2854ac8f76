// SPDX-License-Identifier: MIT
/** The parts of the scripts ipvsadm-save and ipvsadm-restore that are not ipvsadm's. */
import { standardInput } from './input.ts';

/** The words of lvsadm for `lvsadm-save WORDS`; undefined if an option is unknown. */
export function saveWords(words: readonly string[]): string[] | undefined {
  const options = words.filter((word) => word.startsWith('-'));
  if (options.some((word) => word !== '-n' && word !== '--strict')) return undefined;
  return [...(options.includes('--strict') ? ['--strict'] : []), '-S', ...(options.includes('-n') ? ['-n'] : [])];
}

/** Reads all of `input`, standard input by default, and removes lines that begin with #. */
export async function withoutComments(input: AsyncIterable<Buffer | string> = standardInput()): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks)
    .toString()
    .replace(/^#.*(\n|$)/gm, '');
}
