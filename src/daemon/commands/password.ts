// SPDX-License-Identifier: MIT
/** `lvsd password NAME`: reads a password and prints the user's line for web.users. */
import { readSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EXIT, UsageError } from '../../base/errors.ts';
import { userLine } from '../../base/password.ts';

/** Characters: a request has room for the bytes of as many, and of a name. */
const LONGEST = 300;

/** Throws UsageError. */
export async function password({ user }: { user: string | undefined }): Promise<number> {
  if (user === undefined || !/^[^:\s#][^:\s]{0,63}$/.test(user))
    throw new UsageError(
      'password takes the name of the user, without colons and blanks, and without # in front (see lvsd --help)',
    );
  // process.stdin would make a pipe non-blocking, and readAll() is not for that.
  const given = isatty(0) ? await ask() : readAll();
  const text = given.replace(/\r?\n$/, '');
  if (text === '' || text.length > LONGEST || /[\r\n\0]/.test(text))
    throw new UsageError(`a password has 1 to ${LONGEST} characters in one line`);
  process.stdout.write(`${await userLine(user, text)}\n`);
  return EXIT.OK;
}

/** From a terminal, which does not show it. */
function ask(): Promise<string> {
  process.stderr.write('Password: ');
  process.stdin.setRawMode(true).setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let text = '';
    process.stdin.on('data', (chunk: Buffer | string) => {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n' || key === '\u0004') {
          process.stdin.setRawMode(false).pause();
          process.stderr.write('\n');
          resolve(text);
          return;
        }
        if (key === '\u0003') {
          process.stdin.setRawMode(false).pause();
          reject(new UsageError('no password was given'));
          return;
        }
        text = key === '\u007f' ? text.slice(0, -1) : text + key;
      }
    });
  });
}

function readAll(): string {
  const bytes = Buffer.alloc(4 * LONGEST);
  let length = 0;
  for (let count = -1; count !== 0 && length < bytes.length; length += count)
    count = readSync(0, bytes, length, bytes.length - length, null);
  return bytes.toString('utf8', 0, length);
}
