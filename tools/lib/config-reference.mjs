// SPDX-License-Identifier: MIT
// Renders the reference part of docs/configuration.md from build/config/schema.json: each key with its allowed values,
// default, examples and meaning.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './say.mjs';

/**
 * The parts of JSON Schema that the configuration's schema uses.
 * @typedef {{
 *   $ref?: string, title?: string, description?: string, type?: string, const?: string, enum?: string[],
 *   minimum?: number, maximum?: number, default?: unknown, examples?: unknown[], anyOf?: Schema[],
 *   properties?: Record<string, Schema>, required?: string[], definitions?: Record<string, Schema>,
 * }} Schema
 */

export const page = join(top, 'docs/configuration.md');
const BEGIN = '<!-- the reference: made by `npm run reference` from src/config/schema.ts, not by hand -->';
const END = '<!-- end of the reference -->';

/**
 * Returns a value as it is written on one line of YAML.
 * @param {unknown} value
 * @param {boolean} [inside] true within a list or map
 * @returns {string}
 */
function yaml(value, inside = false) {
  if (Array.isArray(value)) return `[${value.map((item) => yaml(item, true)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, item]) => `${key}: ${yaml(item, true)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  const text = String(value);
  if (typeof value !== 'string') return text;
  const plain = /^[A-Za-z0-9/._^-][A-Za-z0-9 /._:=?^\\-]*$/.test(text) && !/: |:$|^[0-9]+([.][0-9]+)?$/.test(text);
  return plain && !(inside && /[,[\]{}]/.test(text)) ? text : `'${text}'`;
}

const cell = (/** @type {string} */ text) => text.replaceAll('|', '\\|');
const code = (/** @type {string} */ text) => `\`${text}\``;

class Reference {
  #root;

  /** @param {Schema} schema */
  constructor(schema) {
    this.#root = schema;
  }

  /**
   * @param {Schema | undefined} schema
   * @returns {Schema}
   */
  #resolve(schema = {}) {
    const name = schema.$ref?.replace('#/definitions/', '');
    return name === undefined ? schema : this.#resolve(this.#root.definitions?.[name]);
  }

  /** @param {Schema} given */
  #allowed(given) {
    const schema = this.#resolve(given);
    if (schema.title) return schema.title.replace(/^a duration with.*/, 'a duration');
    if (schema.const !== undefined) return code(schema.const);
    if (schema.enum) return schema.enum.map(code).join(', ');
    if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}`;
    if (schema.type === 'boolean') return '`true`, `false`';
    if (schema.type === 'array') return 'a list';
    if (schema.type === 'object') return 'a map';
    return 'text';
  }

  /**
   * Returns a table with one row for each key.
   * @param {Schema | undefined} given
   * @param {string[]} [skip]
   */
  table(given, skip = []) {
    const { properties = {}, required = [] } = this.#resolve(given);
    const rows = Object.entries(properties)
      .filter(([key]) => !skip.includes(key))
      .map(([key, child]) => this.#row(key, this.#resolve(child), required.includes(key)));
    return ['| key | allowed | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
  }

  /**
   * @param {string} key
   * @param {Schema} schema
   * @param {boolean} required
   */
  #row(key, schema, required) {
    const usual = required ? 'needed' : schema.default === undefined ? '' : code(yaml(schema.default));
    const examples = (schema.examples ?? []).map((example) => code(`${key}: ${yaml(example)}`)).join(' or ');
    const meaning = `${schema.description ?? ''}${examples ? ` ${examples}` : ''}`;
    return `| ${code(key)} | ${cell(this.#allowed(schema))} | ${cell(usual)} | ${cell(meaning)} |`;
  }

  /**
   * Returns the branches of a choice that are maps.
   * @param {Schema | undefined} given
   */
  #maps(given) {
    return (this.#resolve(given).anyOf ?? []).map((one) => this.#resolve(one)).filter((one) => one.type === 'object');
  }

  /**
   * Returns a section for each type of check that has keys besides `common`, and one for each map among them. A type
   * that has all keys of another one refers to it.
   * @param {Schema[]} kinds
   * @param {string[]} common
   * @returns {[string, string][]}
   */
  #checks(kinds, common) {
    const types = kinds.map(({ properties = {} }) => ({
      type: this.#resolve(properties.type).const,
      properties,
      own: Object.keys(properties).filter((key) => !common.includes(key)),
    }));
    return types.flatMap(({ type, properties, own }) => {
      const like = types.find(
        (one) => one.type !== type && one.own.length > 0 && one.own.every((key) => own.includes(key)),
      );
      const rest = own.filter((key) => !like?.own.includes(key));
      const table = this.table({ properties }, [...common, ...(like?.own ?? [])]);
      /** @type {[string, string][]} */
      const maps = rest
        .filter((key) => this.#resolve(properties[key]).properties)
        .map((key) => [`check: ${type}, ${key}`, this.table(properties[key])]);
      if (rest.length === 0) return [];
      return [[`check: ${type}`, like ? `The keys of \`${like.type}\`, and:\n\n${table}` : table], ...maps];
    });
  }

  render() {
    const { properties = {}, definitions = {} } = this.#root;
    const service = definitions.service?.properties ?? {};
    const kinds = this.#maps(definitions.check).filter(
      (kind) => this.#resolve(kind.properties?.type).const !== undefined,
    );
    const inEach = (/** @type {string} */ key) => kinds.every(({ properties = {} }) => key in properties);
    const common = Object.keys(kinds[0]?.properties ?? {}).filter(inEach);
    const alone = Object.keys(kinds[0]?.properties ?? {}).filter((key) => !inEach(key));
    const [tunnel] = this.#maps(definitions.forward);
    const [server] = this.#maps(definitions.realServer);
    /** @type {[string, string][]} */
    const sections = [
      ['The top level', this.table(this.#root)],
      ['defaults', this.table(properties.defaults)],
      ['local_addresses.NAME', this.table(definitions.pool)],
      ['services.NAME', this.table(definitions.service)],
      ['services.NAME.persistence', this.table(service.persistence)],
      ['forward, as a map', this.table(tunnel)],
      ['real_servers, as a map', this.table(server)],
      ['real_servers, thresholds', this.table(server?.properties?.thresholds)],
      ['timeouts', `${this.table(properties.timeouts)}\n\nOf a service:\n\n${this.table(service.timeouts)}`],
      ['check: every type', this.table(kinds[0], ['type', ...alone])],
      ...this.#checks(kinds, common),
      ['log', this.table(properties.log)],
      ['checks', this.table(properties.checks)],
    ];
    return sections.map(([title, body]) => `### ${title}\n\n${body}\n`).join('\n');
  }
}

/**
 * Returns docs/configuration.md with its reference rendered anew.
 * @param {string} text the page as it is
 * @returns {string}
 */
export function withReference(text) {
  const schema = JSON.parse(readFileSync(join(top, 'build/config/schema.json'), 'utf8'));
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the reference`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${new Reference(schema).render()}\n${text.slice(to)}`;
}
