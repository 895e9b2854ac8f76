// SPDX-License-Identifier: MIT
// Debian's Chromium: the installed one, or unpacked into the cache of the lab with all that it needs and this machine lacks.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium as driver } from 'playwright-core';
import { cached, hashOf } from '../../lab/cache.ts';
import { unpackDebs, wouldInstall } from '../../lab/debs.ts';

const INSTALLED = '/usr/bin/chromium';
/** The file that an unpacked package has. */
const PROGRAM = 'usr/lib/chromium/chromium';
/** Folders of libraries, of which PulseAudio's finds its own by a path of its own. */
const LIBRARIES = ['', 'pulseaudio'];
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts Chromium without a window. */
export async function chromium(): Promise<Browser> {
  if (existsSync(INSTALLED)) return await driver.launch({ executablePath: INSTALLED, args: ARGUMENTS });
  const packages = wouldInstall(['chromium', 'fonts-dejavu-core']);
  const dir = await cached('chromium', hashOf(packages.join(' ')), (into) => unpackDebs(packages, into), 2);
  return await driver.launch({
    executablePath: join(dir, PROGRAM),
    args: ARGUMENTS,
    env: {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: LIBRARIES.map((one) => join(dir, 'usr/lib/x86_64-linux-gnu', one)).join(':'),
      // Where fontconfig looks for fonts besides those of the machine.
      XDG_DATA_HOME: join(dir, 'usr/share'),
    },
  });
}
