// SPDX-License-Identifier: MIT
// Authorities and certificates, made by openssl(1) for one test file.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

const dir = mkdtempSync(join(tmpdir(), 'lvsd-certificates-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string): string => join(dir, name);

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
}

function request(name: string, subject: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`];
  openssl('req', ...key, '-subj', `/CN=${subject}`, '-out', `${name}.csr`);
}

/** Creates an authority; its PEM file. */
export function authority(name: string): string {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', '30', '-out', `${name}.pem`);
  return file(`${name}.pem`);
}

/** Creates a certificate for these names ("DNS:shop.example,IP:127.0.0.1"); `expired`: one that has expired. */
export function certificate(name: string, issuer: string, altNames: string, { expired = false } = {}) {
  request(name, name);
  writeFileSync(file(`${name}.ext`), `subjectAltName=${altNames}\n`);
  writeFileSync(file(`${name}.db`), '');
  writeFileSync(file('serial'), `${Math.floor(Math.random() * 1e9)}`.padStart(10, '1'));
  writeFileSync(
    file('ca.cnf'),
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${name}.db\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n`,
  );
  const dates = expired
    ? ['-startdate', '20100101000000Z', '-enddate', '20110101000000Z']
    : ['-startdate', '20100101000000Z', '-enddate', '20990101000000Z'];
  const by = ['-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`];
  openssl(
    'ca',
    '-batch',
    '-config',
    'ca.cnf',
    ...by,
    ...dates,
    '-extfile',
    `${name}.ext`,
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.pem`,
  );
  return { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) };
}

/** A certificate of its own with an RSA key, as old cipher suites need. */
export function rsaCertificate(name: string) {
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', '30', '-out', `${name}.pem`);
  return { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) };
}
