// SPDX-License-Identifier: MIT
// The configuration's documentation: reference, examples, schema, limits.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { formatDuration, parseDuration } from '../../../src/base/durations.ts';
import { ConfigError, loadConfig } from '../../../src/config/index.ts';
import { DEFAULTS } from '../../../src/config/limits.ts';
import { type JsonSchema, jsonSchema } from '../../../src/config/validator.ts';

const top = fileURLToPath(new URL('../../../', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'lvsd-documents-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const schema = jsonSchema();
const resolve = (given: JsonSchema): JsonSchema => {
  const name = given.$ref?.replace('#/definitions/', '');
  return name === undefined ? given : (schema.definitions?.[name] ?? assert.fail(name));
};

/** Calls back for every key of the schema, overlays of nodes left out. */
function eachKey(visit: (key: string, schema: JsonSchema, path: string) => void): void {
  const seen = new Set<JsonSchema>();
  const walk = (given: JsonSchema, path: string) => {
    const here = resolve(given);
    if (seen.has(here)) return;
    seen.add(here);
    for (const [key, child] of Object.entries(here.properties ?? {})) {
      visit(key, resolve(child), `${path}.${key}`);
      if (key !== 'nodes') walk(child, `${path}.${key}`);
    }
    const inner = [
      ...(here.anyOf ?? []),
      ...(here.items ? [here.items] : []),
      ...Object.values(here.patternProperties ?? {}),
    ];
    for (const one of inner) walk(one, path);
  };
  walk(schema, '');
}

test('the reference is what the schema says', async () => {
  // Through a variable, as there are no types for the tools.
  const tool = '../../../tools/lib/config-reference.mjs';
  const { page, withReference } = (await import(tool)) as { page: string; withReference(text: string): string };
  const text = readFileSync(page, 'utf8');
  assert.ok(text === withReference(text), 'npm run reference');
});

test('every key has a description, and an example that the schema takes', () => {
  const missing: string[] = [];
  eachKey((key, { description, examples, const: only }, path) => {
    // What tells kinds apart is told where the kinds are.
    if (only !== undefined && key !== 'version') return;
    if (!description || !examples?.length) missing.push(path);
  });
  assert.deepEqual(missing, []);
  const { default: Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
  const ajv = new Ajv({ strict: false });
  // One schema with all keys, so that the parts they share are compiled once.
  const children: [path: string, child: JsonSchema][] = [];
  eachKey((_key, child, path) => children.push([path, child]));
  const $id = 'https://lvsd.invalid/keys';
  ajv.addSchema({ $id, definitions: { ...schema.definitions, keys: { items: children.map(([, child]) => child) } } });
  for (const [index, [path, child]] of children.entries()) {
    const validate = ajv.getSchema(`${$id}#/definitions/keys/items/${index}`) ?? assert.fail(path);
    for (const example of [...(child.examples ?? []), ...(child.default === undefined ? [] : [child.default])])
      assert.ok(validate(example), `${path}: ${JSON.stringify(example)} ${JSON.stringify(validate.errors)}`);
  }
});

test('the schema is one that any validator takes: ajv in strict mode', () => {
  const { default: Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
  const ajv = new Ajv({ strict: true });
  ajv.addVocabulary(['x-later', 'x-name']);
  const validate = ajv.compile(schema);
  assert.ok(validate(load(readFileSync(join(top, 'examples/lvsd.yaml'), 'utf8'))));
  const manifest = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  assert.equal(manifest.exports['./schema.json'], './build/config/schema.json');
  assert.ok(manifest.files.includes('build/config/'));
});

test('defaults are what the schema says they are', () => {
  const { defaults, log, checks, resync, manage, on_stop: onStop } = schema.properties ?? {};
  const service = resolve(schema.definitions?.service ?? {}).properties ?? {};
  const said = (given: JsonSchema | undefined) => given && resolve(given).default;
  assert.equal(parseDuration(String(said(resync))), DEFAULTS.resync);
  assert.equal(said(manage), DEFAULTS.manage);
  assert.equal(said(onStop), DEFAULTS.onStop);
  assert.equal(said(log?.properties?.level), DEFAULTS.logLevel);
  assert.equal(said(log?.properties?.format), DEFAULTS.logFormat);
  assert.equal(said(checks?.properties?.concurrency), DEFAULTS.checkConcurrency);
  assert.equal(said(service.persistence?.properties?.timeout), formatDuration(DEFAULTS.persistenceTimeout));
  for (const properties of [service, defaults?.properties]) {
    assert.equal(said(properties?.protocol), DEFAULTS.protocol);
    assert.equal(said(properties?.scheduler), DEFAULTS.scheduler);
    assert.equal(said(properties?.forward), DEFAULTS.forward);
    assert.equal(said(properties?.quorum), DEFAULTS.quorum);
    assert.equal(said(properties?.hysteresis), DEFAULTS.hysteresis);
    assert.equal(said(properties?.on_failure), DEFAULTS.onFailure);
    assert.equal(parseDuration(String(said(properties?.drain))), DEFAULTS.drain);
  }
  // Of a check: what comes out where nothing is written is what the schema promises.
  const file = join(dir, 'check.yaml');
  writeFileSync(
    file,
    'version: 1\nservices: { a: { fwmark: 7, check: { type: http, port: 80 }, real_servers: [10.0.0.2] } }\n',
  );
  const check = loadConfig(file).services.get('a')?.realServers[0]?.check;
  assert.ok(check?.type === 'http');
  const kinds = (resolve(schema.definitions?.check ?? {}).anyOf ?? []).map(resolve);
  const http = kinds.find(({ properties }) => properties?.type?.const === 'http')?.properties;
  assert.equal(parseDuration(String(said(http?.interval))), check.interval);
  assert.equal(parseDuration(String(said(http?.timeout))), check.timeout);
  for (const key of ['rise', 'fall', 'start', 'fwmark', 'method', 'path'] as const)
    assert.equal(said(http?.[key]), check[key], key);
  assert.deepEqual(said(http?.status), ['200-299']);
  assert.deepEqual(check.status, [[200, 299]]);
});

test('every example is right, and one of them has every key', () => {
  const examples = join(top, 'examples');
  for (const name of ['lvsd.yaml', 'every-key.yaml', 'cluster/lvsd.yaml'])
    loadConfig(join(examples, name), { node: 'lb1', everyNode: true });
  const yaml = readdirSync(examples, { recursive: true }).filter((name) => String(name).endsWith('.yaml'));
  assert.equal(yaml.length, 5, 'a new example belongs into this test');
  const used = new Set<string>();
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (!Array.isArray(value)) used.add(key);
      walk(child);
    }
  };
  walk(load(readFileSync(join(examples, 'every-key.yaml'), 'utf8')));
  // `ca` names a file that would have to be there.
  const rest = new Set(['ca']);
  eachKey((key, _schema, path) => assert.ok(used.has(key) || rest.has(key), path));
});

test('what is no file that can be read', () => {
  const fails = (path: string, text: RegExp) =>
    assert.throws(
      () => loadConfig(path),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.exitCode, 2);
        assert.match(error.message, text);
        assert.equal(error.problems.length, 1);
        return true;
      },
    );
  fails(join(dir, 'nowhere.yaml'), /nowhere\.yaml: cannot be read: no such file or directory$/);
  fails(dir, /: is a folder; allowed: a file$/);
  fails('/dev/null', /: is not a regular file; allowed: a regular file$/);
  execFileSync('mkfifo', [join(dir, 'fifo')]);
  fails(join(dir, 'fifo'), /: is not a regular file; allowed: a regular file$/);
  writeFileSync(join(dir, 'large.yaml'), '');
  truncateSync(join(dir, 'large.yaml'), (64 << 20) + 1);
  fails(join(dir, 'large.yaml'), /: is too large \(67108865 bytes\); allowed: 64 MiB/);
});

test('a thousand problems are told, but not a million', () => {
  const file = join(dir, 'many.yaml');
  const lines = Array.from({ length: 5000 }, (_, i) => `  s${i}: { colour: blue, shape: round, size: 3 }`);
  writeFileSync(file, `version: 1\nservices:\n${lines.join('\n')}\n`);
  const started = performance.now();
  assert.throws(
    () => loadConfig(file),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      const all = error.message.split('\n');
      assert.equal(all.length, 501);
      assert.equal(all.at(-1), `... and ${error.problems.length - 500} more problems`);
      assert.ok(error.problems.length <= 10_000);
      assert.ok(performance.now() - started < 20_000, 'not one by one');
      return true;
    },
  );
});
