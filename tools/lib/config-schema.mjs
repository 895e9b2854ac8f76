// SPDX-License-Identifier: MIT
// Compiles src/config/schema.ts into build/config/validate.cjs, a standalone validator (it loads in 1 ms, ajv with a
// schema in 50), and build/config/schema.json, the published JSON Schema.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { top } from './say.mjs';

/** @typedef {typeof import('esbuild')} Esbuild */

const source = join(top, 'src/config/schema.ts');
const dir = join(top, 'build/config');

export const configOutputs = [join(dir, 'schema.json'), join(dir, 'validate.cjs')];

/**
 * Moves each part marked with `x-part: NAME` to `definitions`, innermost first, so that it is compiled once.
 * @param {unknown} schema
 */
function withParts(schema) {
  /** @type {Record<string, unknown>} */
  const definitions = {};
  /** @type {(value: any) => any} */
  const place = (value) => {
    if (Array.isArray(value)) return value.map(place);
    if (typeof value !== 'object' || value === null) return value;
    const { 'x-part': part, ...rest } = value;
    const placed = Object.fromEntries(Object.entries(rest).map(([key, child]) => [key, place(child)]));
    if (part === undefined) return placed;
    definitions[part] ??= placed;
    return { $ref: `#/definitions/${part}` };
  };
  const placed = place(schema);
  return { ...placed, definitions };
}

/**
 * Returns the schema as plain JSON, from its TypeScript source.
 * @param {Esbuild} esbuild
 * @param {string} scratch
 */
async function readSchema(esbuild, scratch) {
  const module = join(scratch, 'schema.mjs');
  await esbuild.build({ entryPoints: [source], outfile: module, bundle: true, platform: 'node', format: 'esm' });
  const { configSchema } = await import(pathToFileURL(module).href);
  const { $id, ...schema } = withParts(JSON.parse(JSON.stringify(configSchema)));
  return { $schema: 'http://json-schema.org/draft-07/schema#', $id, ...schema };
}

/**
 * @param {Esbuild} esbuild
 * @param {object} schema
 * @param {string} scratch
 */
async function compile(esbuild, schema, scratch) {
  const { default: ajv } = await import('ajv');
  const { default: standalone } = await import('ajv/dist/standalone/index.js');
  const Ajv = ajv.default;
  const compiler = new Ajv({ code: { source: true }, messages: false, inlineRefs: false, allowUnionTypes: true });
  compiler.addVocabulary(['x-later', 'x-name']);
  const code = standalone.default(compiler, compiler.compile(schema));
  const entry = join(scratch, 'validate.cjs');
  writeFileSync(entry, code);
  // ajv's code imports small helpers, which are bundled.
  const { outputFiles } = await esbuild.build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    nodePaths: [join(top, 'node_modules')],
    write: false,
  });
  return `${outputFiles[0]?.text ?? ''}module.exports.checkKeys = ${JSON.stringify(checkKeys(schema))};\n`;
}

/**
 * The keys of each kind of check, for inheritance at run time.
 * @param {any} schema
 */
function checkKeys(schema) {
  /** @type {Record<string, string[]>} */
  const keys = {};
  for (const { properties } of schema.definitions.check.anyOf)
    if (properties?.type) keys[properties.type.const] = Object.keys(properties);
  return keys;
}

/** Writes both files, each by rename. */
export async function buildConfigSchema() {
  const esbuild = await import('esbuild');
  mkdirSync(dir, { recursive: true });
  const scratch = mkdtempSync(join(dir, 'scratch-'));
  try {
    const schema = await readSchema(esbuild, scratch);
    const texts = [`${JSON.stringify(schema, null, 2)}\n`, await compile(esbuild, schema, scratch)];
    for (const [index, output] of configOutputs.entries()) {
      const fresh = join(scratch, `output${index}`);
      writeFileSync(fresh, texts[index] ?? '');
      renameSync(fresh, output);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
