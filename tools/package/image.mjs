// SPDX-License-Identifier: MIT
// The container image as an OCI archive, without an engine: GNU tar writes the layers. One layer has what lvsd needs of
// Debian, the other the package lvsd.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tsImport } from 'tsx/esm/api';
import { runQuiet } from '../lib/run.mjs';

/** Of Debian: the C and C++ libraries, a shell with small tools for exec checks and hooks, and process 1. */
const BASE = ['libc6', 'libgcc-s1', 'libstdc++6', 'busybox-static', 'tini'];

const sha256 = (/** @type {Uint8Array | string} */ bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * @param {string} tree
 * @param {string} epoch
 * @param {string} to
 */
function tar(tree, epoch, to) {
  const same = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  runQuiet('tar', [...same, '-cf', to, '-C', tree, ...readdirSync(tree).sort()]);
}

/** @param {string} root */
function fillBase(root) {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  const applets = runQuiet(join(root, 'usr/bin/busybox'), ['--list']).trim().split('\n');
  for (const name of applets) if (name !== 'busybox') symlinkSync('busybox', join(root, 'usr/bin', name));
  for (const name of ['doc', 'man', 'lintian', 'locale', 'info', 'initramfs-tools', 'gcc', 'gdb', 'bug'])
    rmSync(join(root, 'usr/share', name), { recursive: true, force: true });
  for (const name of ['etc', 'proc', 'sys', 'dev', 'run/lvsd', 'var/lib/lvsd', 'tmp'])
    mkdirSync(join(root, name), { recursive: true });
  runQuiet('chmod', ['1777', join(root, 'tmp')]);
  runQuiet('chmod', ['700', join(root, 'var/lib/lvsd')]);
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nlvsd:x:997:\nnogroup:x:65534:\n');
}

/**
 * Writes OUT/lvsd-VERSION.oci.tar.
 * @param {string} deb the package lvsd
 * @param {{ version: string, epoch: string, out: string }} how
 */
export async function buildImage(deb, { version, epoch, out }) {
  const scratch = mkdtempSync(join(tmpdir(), 'lvsd-image-'));
  try {
    const { candidate, unpackDebs } = await tsImport('../../lab/debs.ts', import.meta.url);
    const packages = BASE.map((name) => `${name}=${candidate(name)}`);
    const base = join(scratch, 'base');
    mkdirSync(base);
    unpackDebs(packages, base);
    fillBase(base);
    const own = join(scratch, 'own');
    runQuiet('dpkg-deb', ['-x', deb, own]);
    for (const name of ['lib', 'usr/lib/systemd', 'usr/lib/sysusers.d', 'usr/share/man', 'usr/share/lintian'])
      rmSync(join(own, name), { recursive: true, force: true });
    cpSync(join(own, 'usr/share/doc/lvsd/copyright'), join(scratch, 'copyright'));
    rmSync(join(own, 'usr/share/doc'), { recursive: true });
    mkdirSync(join(own, 'usr/share/doc/lvsd'), { recursive: true });
    cpSync(join(scratch, 'copyright'), join(own, 'usr/share/doc/lvsd/copyright'));

    const layout = join(scratch, 'layout');
    mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
    /**
     * @param {string} mediaType
     * @param {Uint8Array | string} bytes
     */
    const blob = (mediaType, bytes) => {
      const digest = sha256(bytes);
      writeFileSync(join(layout, 'blobs/sha256', digest), bytes);
      return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(bytes) };
    };
    const created = new Date(Number(epoch) * 1000).toISOString().replace('.000', '');
    const layers = [];
    const diffs = [];
    for (const tree of [base, own]) {
      const file = `${tree}.tar`;
      tar(tree, epoch, file);
      const bytes = readFileSync(file);
      diffs.push(`sha256:${sha256(bytes)}`);
      layers.push(blob('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(bytes)));
    }
    const config = {
      created,
      architecture: 'amd64',
      os: 'linux',
      config: {
        Env: ['PATH=/usr/sbin:/usr/bin'],
        Entrypoint: ['/usr/bin/tini', '-g', '--', '/usr/sbin/lvsd'],
        Cmd: ['run'],
        Volumes: { '/run/lvsd': {}, '/var/lib/lvsd': {} },
        Labels: {
          'org.opencontainers.image.title': 'lvsd',
          'org.opencontainers.image.version': version,
          'lvsd.debian-packages': packages.join(' '),
        },
      },
      rootfs: { type: 'layers', diff_ids: diffs },
      history: [
        { created, created_by: `Debian: ${packages.join(' ')}` },
        { created, created_by: `lvsd ${version}` },
      ],
    };
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = blob(
      mediaType,
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: blob('application/vnd.oci.image.config.v1+json', JSON.stringify(config)),
        layers,
      }),
    );
    const annotations = { 'org.opencontainers.image.ref.name': version.replaceAll('+', '-') };
    writeFileSync(
      join(layout, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
    );
    writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    tar(layout, epoch, join(out, `lvsd-${version}.oci.tar`));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
