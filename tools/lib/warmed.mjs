// SPDX-License-Identifier: MIT
// node warmed.mjs FILE PATH LINE...: runs FILE, the program of a pack that will be at PATH, on these command lines, and
// writes V8's code cache of the functions that ran to standard output. Runs in a process of its own, in which a fake addon
// takes the place of the kernel and answers with a small table. The fake exists only to make the program call its
// functions. Running -h and -v instead, without a fake, leaves the start at 1.29 times that of Node, instead of 1.2.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { basename, dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const little = endianness() === 'LE';
const be = (/** @type {number} */ bytes, /** @type {number} */ value) =>
  Array.from({ length: bytes }, (_, i) => (value >>> (8 * (bytes - 1 - i))) & 255);
/** In this machine's byte order. */
const own = (/** @type {number} */ bytes, /** @type {number} */ value) =>
  little ? be(bytes, value).reverse() : be(bytes, value);
const read = (/** @type {Buffer} */ data, /** @type {number} */ at, /** @type {number} */ bytes) =>
  little ? data.readUIntLE(at, bytes) : data.readUIntBE(at, bytes);
const padded = (/** @type {number[]} */ bytes) => [...bytes, ...new Array(-bytes.length & 3).fill(0)];
const text = (/** @type {string} */ value) => [...Buffer.from(`${value}\0`)];
const inet = (/** @type {number[]} */ ...address) => [...address, ...new Array(16 - address.length).fill(0)];
const attribute = (/** @type {number} */ type, /** @type {number[]} */ bytes) =>
  padded([...own(2, bytes.length + 4), ...own(2, type), ...bytes]);
const attributes = (/** @type {Record<number, number[]>} */ payloads) =>
  Object.entries(payloads).flatMap(([type, bytes]) => attribute(Number(type), bytes));
const nest = (/** @type {number} */ type, /** @type {Record<number, number[]>} */ payloads) =>
  attribute(type | 0x8000, attributes(payloads));

// Numbers are those of linux/netlink.h, linux/genetlink.h and linux/ip_vs.h.
const [NLMSG_ERROR, NLMSG_DONE, GENL_ID_CTRL, FAMILY] = [2, 3, 16, 30];
const [GET_SERVICE, GET_DEST, GET_INFO] = [4, 8, 15];
const NLM_F_DUMP = 0x300;
const ok = own(4, 0);
const service = (/** @type {number} */ port) =>
  nest(1, {
    1: own(2, 2),
    2: own(2, 6),
    3: inet(192, 0, 2, 1),
    4: be(2, port),
    6: text('wrr'),
    7: [...own(4, 2), ...own(4, 0xffffffff)],
    8: own(4, 0),
    9: own(4, 0xffffffff),
  });
const server = (/** @type {number} */ host) =>
  nest(2, {
    1: inet(10, 0, 0, host),
    2: be(2, 80),
    3: own(4, 0),
    4: own(4, 1),
    5: own(4, 0),
    6: own(4, 0),
    7: own(4, 0),
    8: own(4, 0),
    9: own(4, 0),
    11: own(2, 2),
    13: [0],
    14: be(2, 0),
    15: own(2, 0),
  });
const family = attributes({ 1: own(2, FAMILY), 2: text('IPVS'), 3: own(4, 1) });
const info = attributes({ 1: own(4, 0x10201), 2: own(4, 4096) });
/** @type {Record<number, number[][]>} */
const tables = { [GET_SERVICE]: [service(80), service(443)], [GET_DEST]: [server(2), server(1)] };

/**
 * Returns the kernel's answers to one message.
 * @param {number} type
 * @param {number} flags
 * @param {Uint8Array} sequence
 * @param {number} command
 * @returns {number[][]}
 */
function answers(type, flags, sequence, command) {
  const message = (/** @type {number} */ kind, /** @type {number[]} */ body, multi = 0) => [
    ...own(4, 16 + body.length),
    ...own(2, kind),
    ...own(2, multi),
    ...sequence,
    ...ok,
    ...body,
  ];
  const generic = (/** @type {number} */ kind, /** @type {number[]} */ body, multi = 0) =>
    message(kind, [command, 1, 0, 0, ...body], multi);
  const entries = tables[command] ?? [];
  if (flags & NLM_F_DUMP) return [...entries.map((one) => generic(FAMILY, one, 2)), message(NLMSG_DONE, ok, 2)];
  const ack = message(NLMSG_ERROR, [...ok, ...new Array(16).fill(0)]);
  if (type === GENL_ID_CTRL) return [generic(GENL_ID_CTRL, family), ack];
  if (command === GET_INFO) return [generic(FAMILY, info), ack];
  const [first] = entries;
  return first ? [generic(FAMILY, first), ack] : [ack];
}

class Socket {
  fd = 0;
  /** @type {number[][]} */
  #answers = [];

  /** @param {Buffer} data */
  send(data) {
    for (let at = 0; at < data.length; at += (read(data, at, 4) + 3) & ~3) {
      const [type, flags] = [read(data, at + 4, 2), read(data, at + 6, 2)];
      this.#answers.push(...answers(type, flags, data.subarray(at + 8, at + 12), data[at + 16] ?? 0));
    }
    return data.length;
  }

  /**
   * @param {Buffer} data
   * @param {number[]} lengths
   */
  receive(data, lengths) {
    const answer = this.#answers.shift();
    if (!answer) return 0;
    data.set(answer);
    lengths[0] = answer.length;
    lengths[1] = 0;
    return 1;
  }

  close() {
    this.fd = -1;
  }

  bind() {}
  connect() {}
  setsockopt() {}
  watch() {}
  ref() {}
  unref() {}
}

// Otherwise V8 would discard code that has not run for a while.
setFlagsFromString('--no-flush-bytecode');
process.dlopen = (/** @type {any} */ module) => {
  module.exports = { Socket };
};
const { writeSync } = fs;
fs.writeSync = (/** @type {number} */ _fd, /** @type {any} */ bytes, /** @type {any} */ at = 0) => bytes.length - at;

const [, , file = '', path = '', ...lines] = process.argv;
const require = createRequire(path);
// The cache keeps the path that the program sees, and is published: it must not be a path of this machine.
const seen = `/usr/local/lib/node_modules/lvsd/dist/bin/${basename(path)}`;
const script = new Script(fs.readFileSync(file, 'latin1'), { filename: seen });
for (const line of lines) {
  const words = line.split(' ');
  process.argv = ['node', seen, ...words];
  process.exitCode = undefined;
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, seen, dirname(seen));
  while (process.exitCode === undefined) await turn();
  if (process.exitCode !== 0) throw new Error(`${line}: exit status ${process.exitCode}`);
}
// V8 rejects a cache that was created with other flags than those in use. 0: the default, a seed by chance.
for (const flag of ['--flush-bytecode', '--hash-seed=0']) setFlagsFromString(flag);
const compiled = script.createCachedData();
for (let at = 0; at < compiled.length; ) at += writeSync(1, compiled, at);
