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

/** Calls back for every key of the schema, except for the overlays of nodes. */
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

test('the reference in docs/configuration.md is up to date with the schema', async () => {
  // Through a variable, as there are no types for the tools.
  const tool = '../../../tools/lib/config-reference.mjs';
  const { page, withReference } = (await import(tool)) as { page: string; withReference(text: string): string };
  const text = readFileSync(page, 'utf8');
  assert.ok(text === withReference(text), 'npm run reference');
});

test('every key has a description, and an example that the schema accepts', () => {
  const missing: string[] = [];
  eachKey((key, { description, examples, const: only }, path) => {
    // `type` of a check is described with the kinds.
    if (only !== undefined && key !== 'version') return;
    if (!description || !examples?.length) missing.push(path);
  });
  assert.deepEqual(missing, []);
  const { default: Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
  const ajv = new Ajv({ strict: false });
  // One schema with all keys, so that shared parts are compiled once.
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

test('keys of the top level that begin with x- hold anchors and are ignored', () => {
  const file = join(dir, 'own.yaml');
  const included = join(dir, 'own-part.yaml');
  writeFileSync(included, 'x-part: [1]\nservices: { b: { fwmark: 8, real_servers: [] } }\n');
  const service = '{ fwmark: 7, scheduler: wrr, real_servers: [10.0.0.2] }';
  const text = `version: 1\nx-web: &web ${service}\nx-: 5\ninclude: [own-part.yaml]\nservices: { a: *web }\n`;
  writeFileSync(file, text);
  const { services } = loadConfig(file);
  assert.deepEqual([...services.keys()], ['a', 'b']);
  assert.equal(services.get('a')?.scheduler, 'wrr');
  const { default: Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
  assert.ok(new Ajv({ strict: false }).validate(schema, load(text)), 'also for editors');
  for (const [wrong, message] of [
    [text.replace('x-web', 'xweb'), /2:1: found the unknown key "?xweb/],
    [text.replace('*web }', '{ fwmark: 7, x-y: 1, real_servers: [] } }'), /found the unknown key "?x-y/],
  ] as const) {
    writeFileSync(file, wrong);
    assert.throws(() => loadConfig(file), message);
  }
});

test('the schema is valid for ajv in strict mode', () => {
  const { default: Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
  const ajv = new Ajv({ strict: true });
  ajv.addVocabulary(['x-later', 'x-name']);
  const validate = ajv.compile(schema);
  assert.ok(validate(load(readFileSync(join(top, 'examples/lvsd.yaml'), 'utf8'))));
  const manifest = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  assert.equal(manifest.exports['./schema.json'], './build/config/schema.json');
  assert.ok(manifest.files.includes('build/config/'));
});

test('defaults equal those in the schema', () => {
  const { defaults, log, checks, resync, manage, on_stop: onStop } = schema.properties ?? {};
  const service = resolve(schema.definitions?.service ?? {}).properties ?? {};
  const defaultOf = (given: JsonSchema | undefined) => given && resolve(given).default;
  assert.equal(parseDuration(String(defaultOf(resync))), DEFAULTS.resync);
  assert.equal(defaultOf(manage), DEFAULTS.manage);
  assert.equal(defaultOf(onStop), DEFAULTS.onStop);
  assert.equal(defaultOf(log?.properties?.level), DEFAULTS.logLevel);
  assert.equal(defaultOf(log?.properties?.format), DEFAULTS.logFormat);
  assert.equal(defaultOf(checks?.properties?.concurrency), DEFAULTS.checkConcurrency);
  assert.equal(defaultOf(service.persistence?.properties?.timeout), formatDuration(DEFAULTS.persistenceTimeout));
  for (const properties of [service, defaults?.properties]) {
    assert.equal(defaultOf(properties?.protocol), DEFAULTS.protocol);
    assert.equal(defaultOf(properties?.scheduler), DEFAULTS.scheduler);
    assert.equal(defaultOf(properties?.forward), DEFAULTS.forward);
    assert.equal(defaultOf(properties?.quorum), DEFAULTS.quorum);
    assert.equal(defaultOf(properties?.hysteresis), DEFAULTS.hysteresis);
    assert.equal(defaultOf(properties?.on_failure), DEFAULTS.onFailure);
    assert.equal(parseDuration(String(defaultOf(properties?.drain))), DEFAULTS.drain);
  }
  // Defaults of a check.
  const file = join(dir, 'check.yaml');
  writeFileSync(
    file,
    'version: 1\nservices: { a: { fwmark: 7, check: { type: http, port: 80 }, real_servers: [10.0.0.2] } }\n',
  );
  const check = loadConfig(file).services.get('a')?.realServers[0]?.check;
  assert.ok(check?.type === 'http');
  const kinds = (resolve(schema.definitions?.check ?? {}).anyOf ?? []).map(resolve);
  const http = kinds.find(({ properties }) => properties?.type?.const === 'http')?.properties;
  assert.equal(parseDuration(String(defaultOf(http?.interval))), check.interval);
  assert.equal(parseDuration(String(defaultOf(http?.timeout))), check.timeout);
  for (const key of ['rise', 'fall', 'start', 'fwmark', 'method', 'path'] as const)
    assert.equal(defaultOf(http?.[key]), check[key], key);
  assert.deepEqual(defaultOf(http?.status), ['200-299']);
  assert.deepEqual(check.status, [[200, 299]]);
});

test('every example is valid, and one of them has every key', () => {
  const examples = join(top, 'examples');
  for (const name of ['lvsd.yaml', 'every-key.yaml', 'cluster/lvsd.yaml', 'pair/lvsd.yaml'])
    loadConfig(join(examples, name), { node: 'lb1', everyNode: true });
  const yaml = readdirSync(examples, { recursive: true }).filter((name) => String(name).endsWith('.yaml'));
  assert.equal(yaml.length, 6, 'a new example has to be added to this test');
  const used = new Set<string>();
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (!Array.isArray(value)) used.add(key);
      walk(child);
    }
  };
  walk(load(readFileSync(join(examples, 'every-key.yaml'), 'utf8')));
  // These name files that would have to exist.
  const rest = new Set(['ca', 'syn_proxy_secret', 'tls', 'certificate', 'key', 'client_ca', 'users']);
  eachKey((key, _schema, path) => assert.ok(used.has(key) || rest.has(key), path));
});

test('missing, special and too large files are rejected', () => {
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

test('500 of many problems are reported', () => {
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
