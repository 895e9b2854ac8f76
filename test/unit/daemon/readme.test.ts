// SPDX-License-Identifier: MIT
// The README's first configuration is valid.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../../src/config/index.ts';

test("the README's configuration is valid", () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
  const dir = mkdtempSync(join(tmpdir(), 'readme-'));
  try {
    writeFileSync(join(dir, 'lvsd.yaml'), yaml);
    const config = loadConfig(join(dir, 'lvsd.yaml'));
    assert.deepEqual([...config.services.keys()], ['shop']);
    assert.equal(config.services.get('shop')?.realServers.length, 2);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
