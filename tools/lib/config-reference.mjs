// SPDX-License-Identifier: MIT
// The reference of the configuration, from build/config/schema.json: each key with its allowed values, default, examples
// and meaning. Rendered as the reference part of docs/configuration.md here, and as lvsd.yaml(5) in manual.mjs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './say.mjs';

/**
 * The parts of JSON Schema that the configuration's schema uses.
 * @typedef {{
 *   $ref?: string, title?: string, description?: string, type?: string, const?: string, enum?: string[],
 *   minimum?: number, maximum?: number, default?: unknown, examples?: unknown[], anyOf?: Schema[],
 *   items?: Schema, properties?: Record<string, Schema>, required?: string[], definitions?: Record<string, Schema>,
 * }} Schema
 */

export const page = join(top, 'docs/configuration.md');
const BEGIN = '<!-- the reference: made by `npm run reference` from src/config/schema.ts, not by hand -->';
const END = '<!-- end of the reference -->';

/**
 * One key. Texts are Markdown, with \`code\`; `usual` is its default, or "needed".
 * @typedef {{ key: string, allowed: string, usual: string, meaning: string }} Row
 */

/**
 * One map of the file: texts, and tables of keys.
 * @typedef {{ title: string, parts: (string | Row[])[] }} Section
 */

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

export class Reference {
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
   * Returns a row for each key.
   * @param {Schema | undefined} given
   * @param {string[]} [skip]
   * @returns {Row[]}
   */
  #table(given, skip = []) {
    const { properties = {}, required = [] } = this.#resolve(given);
    return Object.entries(properties)
      .filter(([key]) => !skip.includes(key))
      .map(([key, child]) => this.#row(key, this.#resolve(child), required.includes(key)));
  }

  /**
   * @param {string} key
   * @param {Schema} schema
   * @param {boolean} required
   * @returns {Row}
   */
  #row(key, schema, required) {
    const usual = required ? 'needed' : schema.default === undefined ? '' : code(yaml(schema.default));
    const examples = (schema.examples ?? []).map((example) => code(`${key}: ${yaml(example)}`)).join(' or ');
    const meaning = `${schema.description ?? ''}${examples ? ` ${examples}` : ''}`;
    return { key, allowed: this.#allowed(schema), usual, meaning };
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
   * @returns {Section[]}
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
      const table = this.#table({ properties }, [...common, ...(like?.own ?? [])]);
      const maps = rest.flatMap((key) => {
        const branches = this.#resolve(properties[key]).properties ? [properties[key]] : this.#maps(properties[key]);
        const rows = branches.flatMap((branch) => this.#table(branch));
        return rows.length > 0 ? [{ title: `check: ${type}, ${key}`, parts: [rows] }] : [];
      });
      if (rest.length === 0) return [];
      const parts = like ? [`The keys of \`${like.type}\`, and:`, table] : [table];
      return [{ title: `check: ${type}`, parts }, ...maps];
    });
  }

  /**
   * Returns the schema of a list's items.
   * @param {Schema | undefined} given
   */
  #items(given) {
    return this.#resolve(given).items;
  }

  /** @returns {Section[]} */
  sections() {
    const { properties = {}, definitions = {} } = this.#root;
    const service = definitions.service?.properties ?? {};
    const vrrp = definitions.vrrp?.properties ?? {};
    const kinds = this.#maps(definitions.check).filter(
      (kind) => this.#resolve(kind.properties?.type).const !== undefined,
    );
    const inEach = (/** @type {string} */ key) => kinds.every(({ properties = {} }) => key in properties);
    const common = Object.keys(kinds[0]?.properties ?? {}).filter(inEach);
    const alone = Object.keys(kinds[0]?.properties ?? {}).filter((key) => !inEach(key));
    const [tunnel] = this.#maps(definitions.forward);
    const [server] = this.#maps(definitions.realServer);
    /** @type {(title: string, ...parts: Section['parts']) => Section} */
    const section = (title, ...parts) => ({ title, parts });
    return [
      section('The top level', this.#table(this.#root)),
      section('defaults', this.#table(properties.defaults)),
      section('local_addresses.NAME', this.#table(definitions.pool)),
      section('services.NAME', this.#table(definitions.service)),
      section('services.NAME.persistence', this.#table(service.persistence)),
      section('services.NAME.syn_proxy, as a map', ...this.#maps(service.syn_proxy).map((map) => this.#table(map))),
      section('services.NAME.defence', this.#table(service.defence)),
      section('forward, as a map', this.#table(tunnel)),
      section('real_servers, as a map', this.#table(server)),
      section('real_servers, thresholds', this.#table(server?.properties?.thresholds)),
      section('hooks', this.#table(service.hooks)),
      section('timeouts', this.#table(properties.timeouts), 'Of a service:', this.#table(service.timeouts)),
      section('check: every type', this.#table(kinds[0], ['type', ...alone])),
      ...this.#checks(kinds, common),
      section('vrrp.NAME', this.#table(definitions.vrrp)),
      section(
        'vrrp.NAME.addresses, as a map',
        ...this.#maps(this.#items(vrrp.addresses)).map((map) => this.#table(map)),
      ),
      section('vrrp.NAME.unicast', this.#table(vrrp.unicast)),
      section('vrrp.NAME.preempt, as a map', ...this.#maps(vrrp.preempt).map((map) => this.#table(map))),
      section('vrrp.NAME.track', this.#table(vrrp.track)),
      ...Object.entries(this.#resolve(vrrp.track).properties ?? {}).map(([key, list]) =>
        section(`vrrp.NAME.track.${key}, as a map`, ...this.#maps(this.#items(list)).map((map) => this.#table(map))),
      ),
      section('vrrp.NAME.announce', this.#table(vrrp.announce)),
      section('vrrp_groups.NAME', this.#table(definitions.vrrpGroup)),
      section('connection_sync', this.#table(properties.connection_sync)),
      section('web', this.#table(properties.web)),
      section('web.tls', this.#table(this.#resolve(properties.web).properties?.tls)),
      section('metrics', this.#table(properties.metrics)),
      section('events', this.#table(properties.events)),
      section('log', this.#table(properties.log)),
      section('log.levels', this.#table(this.#resolve(properties.log).properties?.levels)),
      section('checks', this.#table(properties.checks)),
    ];
  }
}

/** @param {Row[]} rows */
function markdownTable(rows) {
  const lines = rows.map(
    ({ key, allowed, usual, meaning }) => `| ${[code(key), allowed, usual, meaning].map(cell).join(' | ')} |`,
  );
  return ['| key | allowed | default | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

/** @param {Section} section */
function markdown({ title, parts }) {
  const texts = parts.map((part) => (typeof part === 'string' ? part : markdownTable(part)));
  return `### ${title}\n\n${texts.join('\n\n')}\n`;
}

/** @returns {Schema} */
export const readSchema = () => JSON.parse(readFileSync(join(top, 'build/config/schema.json'), 'utf8'));

/**
 * Returns docs/configuration.md with its reference rendered anew.
 * @param {string} text the page as it is
 * @returns {string}
 */
export function withReference(text) {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the reference`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${new Reference(readSchema()).sections().map(markdown).join('\n')}\n${text.slice(to)}`;
}
