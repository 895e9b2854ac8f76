// SPDX-License-Identifier: MIT
/**
 * The files that the settings of `lvsd web` name: certificate, key, authorities of clients, users. A unit without any right
 * gets them as credentials of systemd (LoadCredential=), under their last name.
 */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { errorLine } from '../base/error-line.ts';
import { LvsdError } from '../base/errors.ts';
import { type PasswordHash, readUsers } from '../base/password.ts';
import { readRegular } from '../base/regular-file.ts';
import { readPrivateText } from '../base/secret-file.ts';
import type { WebSettings } from '../base/web-settings.ts';

export interface Secrets {
  tls: (SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean }) | undefined;
  users: ReadonlyMap<string, PasswordHash> | undefined;
}

/** Where a file of the settings is for this process. */
function placeOf(path: string): string {
  const { CREDENTIALS_DIRECTORY: folder } = process.env;
  const credential = folder === undefined ? undefined : join(folder, basename(path));
  return credential !== undefined && existsSync(credential) ? credential : path;
}

/** Throws LvsdError for a file that cannot be read or is not valid. */
export function readSecrets({ tls, users }: WebSettings): Secrets {
  return { tls: tls && readTls(tls), users: users === undefined ? undefined : readUserFile(users) };
}

/** Changes with the files: their inodes, sizes and times. */
export function secretsVersion({ tls, users }: WebSettings): string {
  const paths = [tls?.certificate, tls?.key, tls?.clientCa, users].filter((one) => one !== undefined);
  return paths
    .map((path) => {
      try {
        const { ino, size, mtimeMs } = statSync(placeOf(path));
        return `${ino} ${size} ${mtimeMs}`;
      } catch (error) {
        // readSecrets says what is wrong with it.
        return errorLine(error);
      }
    })
    .join();
}

function readTls({ certificate, key, clientCa }: NonNullable<WebSettings['tls']>): Secrets['tls'] {
  const options = {
    minVersion: 'TLSv1.2' as const,
    cert: text(certificate),
    key: privateText(key),
    ...(clientCa !== undefined && { ca: text(clientCa) }),
    requestCert: clientCa !== undefined,
    rejectUnauthorized: clientCa !== undefined,
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw wrong(`${certificate} and ${key} cannot be used for TLS: ${errorLine(error)}`);
  }
  return options;
}

function readUserFile(path: string): ReadonlyMap<string, PasswordHash> {
  const users = readUsers(privateText(path));
  if (typeof users === 'number') throw wrong(`${path}:${users}: not a line of lvsd password`);
  return users;
}

function text(path: string): string {
  let found: ReturnType<typeof readRegular>;
  try {
    found = readRegular(placeOf(path), LARGEST);
  } catch (error) {
    throw wrong(`cannot read ${path}: ${errorLine(error)}${HINT}`);
  }
  if ('wrong' in found) throw wrong(`cannot use ${path}, which ${found.wrong}`);
  return found.toString('utf8');
}

function privateText(path: string): string {
  let found: ReturnType<typeof readPrivateText>;
  try {
    const place = placeOf(path);
    found = readPrivateText(place, { credential: place !== path });
  } catch (error) {
    throw wrong(`cannot read ${path}: ${errorLine(error)}${HINT}`);
  }
  if ('wrong' in found) throw wrong(`cannot use ${path}, ${found.wrong}`);
  return found.text;
}

/** Bytes of certificates. */
const LARGEST = 4 << 20;
const HINT = '; the unit needs LoadCredential= for it (docs/web.md)';
const wrong = (problem: string) => new LvsdError('ERR_LVSD_WEB', problem);
