// SPDX-License-Identifier: MIT
// Authorities and certificates, made by openssl(1) for one test file.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
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

/** DER (X.690): a type, a length, a content. */
function der(type: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([type, ...size]), content]);
}

/**
 * A chain of authorities with DSA keys of 10,000 bits, for a genuine certificate: a client needs 10 ms for each signature,
 * and none is genuine. Numbers are random, so that nothing had to be computed for it.
 */
export function costlyChain(name: string, authorities: number) {
  const [sequence, set, objectId, bits, text] = [0x30, 0x31, 6, 3, 12] as const;
  const id = (hex: string) => der(objectId, Buffer.from(hex, 'hex'));
  /** An odd number with all of its bits. */
  const number = (bytes: number) => {
    const value = randomBytes(bytes);
    value[0] = 0x80 | (value[0] ?? 0);
    value[bytes - 1] = 1 | (value[bytes - 1] ?? 0);
    return der(2, Buffer.from([0]), value);
  };
  const bitString = (content: Buffer) => der(bits, Buffer.from([0]), content);
  const named = (cn: string) => der(sequence, der(set, der(sequence, id('550403'), der(text, Buffer.from(cn)))));
  const date = (value: string) => der(23, Buffer.from(value));
  const validity = der(sequence, date('200101000000Z'), date('490101000000Z'));
  const algorithm = der(sequence, id('608648016503040302'));
  const basic = der(4, der(sequence, der(1, Buffer.from([255]))));
  const isAuthority = der(0xa3, der(sequence, der(sequence, id('551d13'), der(1, Buffer.from([255])), basic)));
  const parameters = der(sequence, number(1250), number(32), number(1249));
  const key = () => der(sequence, der(sequence, id('2a8648ce380401'), parameters), bitString(number(1249)));
  const signed = (subject: string, issuer: string, publicKey: Buffer, extensions: Buffer[]) => {
    const version = der(0xa0, der(2, Buffer.from([2])));
    const head = [version, number(8), algorithm, named(issuer), validity, named(subject), publicKey];
    const signature = bitString(der(sequence, number(31), number(31)));
    const whole = der(sequence, der(sequence, ...head, ...extensions), algorithm, signature);
    return `-----BEGIN CERTIFICATE-----\n${whole
      .toString('base64')
      .match(/.{1,64}/g)
      ?.join('\n')}\n-----END CERTIFICATE-----\n`;
  };
  openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', `${name}.key`);
  openssl('ec', '-in', `${name}.key`, '-pubout', '-outform', 'DER', '-out', `${name}.pub`);
  const leaf = signed(name, `${name}0`, readFileSync(file(`${name}.pub`)), []);
  const chain = Array.from({ length: authorities }, (_, i) =>
    signed(`${name}${i}`, `${name}${i + 1}`, key(), [isAuthority]),
  );
  return { key: readFileSync(file(`${name}.key`)), cert: [leaf, ...chain].join('') };
}
