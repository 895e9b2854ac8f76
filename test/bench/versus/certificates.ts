// SPDX-License-Identifier: MIT
// An authority and two certificates for one name, one valid, one expired.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** PEM files. */
  authority: string;
  key: string;
  valid: string;
  expired: string;
}

export function makeCertificates(dir: string, name: string): Certificates {
  mkdirSync(dir, { recursive: true });
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', 'ca.key', '-subj', '/CN=bench', '-days', '30', '-out', 'ca.pem');
  openssl('req', ...curve, '-keyout', 'key.pem', '-subj', `/CN=${name}`, '-out', 'request.pem');
  writeFileSync(
    join(dir, 'ca.cnf'),
    `[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[names]
subjectAltName = DNS:${name}
`,
  );
  writeFileSync(join(dir, 'index'), '');
  writeFileSync(join(dir, 'serial'), '1000');
  const signed = (out: string, end: string) =>
    openssl(
      ...['ca', '-batch', '-config', 'ca.cnf', '-extfile', 'ca.cnf', '-extensions', 'names'],
      ...['-cert', 'ca.pem', '-keyfile', 'ca.key', '-startdate', '20100101000000Z', '-enddate', end],
      ...['-in', 'request.pem', '-out', out],
    );
  signed('valid.pem', '20990101000000Z');
  signed('expired.pem', '20110101000000Z');
  const at = (file: string) => join(dir, file);
  return { authority: at('ca.pem'), key: at('key.pem'), valid: at('valid.pem'), expired: at('expired.pem') };
}
