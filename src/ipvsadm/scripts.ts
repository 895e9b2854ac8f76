// SPDX-License-Identifier: MIT
/** What ipvsadm's scripts ipvsadm-save and ipvsadm-restore do around it. */

/** The command line behind `ipvsadm-save WORDS`; undefined for options that it does not know. */
export function saveWords(words: readonly string[]): string[] | undefined {
  const options = words.filter((word) => word.startsWith('-'));
  if (options.some((word) => word !== '-n' && word !== '--strict')) return undefined;
  return [...(options.includes('--strict') ? ['--strict'] : []), '-S', ...(options.includes('-n') ? ['-n'] : [])];
}

/** Everything from `input` but lines that begin with #. */
export async function withoutRemarks(input: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks)
    .toString()
    .replace(/^#.*(\n|$)/gm, '');
}
