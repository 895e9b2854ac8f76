// SPDX-License-Identifier: MIT
/** The work of the scripts ipvsadm-save and ipvsadm-restore that ipvsadm itself does not do. */
import { usage } from './errors.ts';
import { standardInput } from './input.ts';

/** Bytes. */
const LARGEST = 256 << 20;

/** The words of lvsadm for `lvsadm-save WORDS`; undefined if an option is unknown. */
export function saveWords(words: readonly string[]): string[] | undefined {
  const options = words.filter((word) => word.startsWith('-'));
  if (options.some((word) => word !== '-n' && word !== '--strict')) return undefined;
  return [...(options.includes('--strict') ? ['--strict'] : []), '-S', ...(options.includes('-n') ? ['-n'] : [])];
}

/** Reads all of `input`, standard input by default, and removes lines that begin with #. */
export async function withoutComments(input: AsyncIterable<Buffer | string> = standardInput()): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    length += chunk.length;
    if (length > LARGEST) throw usage(`standard input has more than ${LARGEST >> 20} MiB`);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks)
    .toString()
    .replace(/^#.*(\n|$)/gm, '');
}
