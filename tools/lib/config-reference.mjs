// SPDX-License-Identifier: MIT
// The reference part of docs/configuration.md, rendered from build/config/schema.json: each key with what it may be, its
// default, an example and what it means.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './say.mjs';

export const page = join(top, 'docs/configuration.md');
const BEGIN = '<!-- the reference: made by `npm run reference` from src/config/schema.ts, not by hand -->';
const END = '<!-- end of the reference -->';

/** A value as one would write it on one line of YAML. */
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

const cell = (text) => text.replaceAll('|', '\\|');
const code = (text) => `\`${text}\``;

class Reference {
  #root;

  constructor(schema) {
    this.#root = schema;
  }

  #resolve(schema) {
    const name = schema.$ref?.replace('#/definitions/', '');
    return name === undefined ? schema : this.#root.definitions[name];
  }

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

  /** One table: a line a key. */
  table(given, skip = []) {
    const { properties, required = [] } = this.#resolve(given);
    const rows = Object.entries(properties)
      .filter(([key]) => !skip.includes(key))
      .map(([key, child]) => this.#row(key, this.#resolve(child), required.includes(key)));
    return ['| key | allowed | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
  }

  #row(key, schema, needed) {
    const usual = needed ? 'needed' : schema.default === undefined ? '' : code(yaml(schema.default));
    const examples = (schema.examples ?? []).map((example) => code(`${key}: ${yaml(example)}`)).join(' or ');
    const meaning = `${schema.description ?? ''}${examples ? ` ${examples}` : ''}`;
    return `| ${code(key)} | ${cell(this.#allowed(schema))} | ${cell(usual)} | ${cell(meaning)} |`;
  }

  /** The branches of a choice that are maps. */
  #maps(given) {
    return (this.#resolve(given).anyOf ?? []).map((one) => this.#resolve(one)).filter((one) => one.type === 'object');
  }

  render() {
    const { properties } = this.#root;
    const { definitions } = this.#root;
    const service = definitions.service;
    const [tcp, http, https, exec] = this.#maps(definitions.check);
    const [tunnel] = this.#maps(definitions.forward);
    const [server] = this.#maps(definitions.realServer);
    const common = Object.keys(tcp.properties);
    const sections = [
      ['The top level', this.table(this.#root)],
      ['defaults', this.table(properties.defaults)],
      ['local_addresses.NAME', this.table(definitions.pool)],
      ['services.NAME', this.table(service)],
      ['services.NAME.persistence', this.table(service.properties.persistence)],
      ['forward, as a map', this.table(tunnel)],
      ['real_servers, as a map', this.table(server)],
      ['real_servers, thresholds', this.table(server.properties.thresholds)],
      ['timeouts', `${this.table(properties.timeouts)}\n\nOf a service:\n\n${this.table(service.properties.timeouts)}`],
      ['check: every type', this.table(tcp, ['type'])],
      ['check: http and https', this.table(http, common)],
      ['check: https, tls', this.table(https.properties.tls)],
      ['check: exec', this.table(exec, common)],
      ['log', this.table(properties.log)],
      ['checks', this.table(properties.checks)],
    ];
    return sections.map(([title, body]) => `### ${title}\n\n${body}\n`).join('\n');
  }
}

/** docs/configuration.md as it should be, given what it is. */
export function withReference(text) {
  const schema = JSON.parse(readFileSync(join(top, 'build/config/schema.json'), 'utf8'));
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the reference`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${new Reference(schema).render()}\n${text.slice(to)}`;
}
