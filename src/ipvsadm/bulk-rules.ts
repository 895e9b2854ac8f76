// SPDX-License-Identifier: MIT
/**
 * Fast path of -R: parses the common rules, in the form that -S writes, from their bytes into a BulkWriter.
 *
 *     -A -t 192.0.2.1:80 -s rr
 *     -a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 1
 *
 * All other rules are left to the grammar, which creates the same requests from these: test/property/
 * lvsadm-fast-paths.test.ts compares the two.
 */
import {
  type BulkWriter,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from '../ipvs/index.ts';
import { SKIPPED_WORD } from './command-line/rule-words.ts';

const BLANK = 32;
const DASH = 45;
const DOT = 46;
const COLON = 58;
const INT_MAX = 0x7fffffff;
/** Names in the kernel's structures have 16 bytes, including their NUL. */
const NAME_MAX = 15;
const [LOWER_A = 0, UPPER_A, G, I, M, R, S, T, U, W, Z = 0] = Buffer.from('aAgimrstuwz');

export class BulkRules {
  readonly #writer: BulkWriter;
  #data: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  constructor(writer: BulkWriter) {
    this.#writer = writer;
  }

  /** Adds the request of a rule. Returns false, with nothing added, if it is not a common one. */
  take(data: Uint8Array, start: number, end: number): boolean {
    this.#data = data;
    this.#at = start;
    this.#end = end;
    if (data[start] !== DASH) return false;
    const command = data[start + 1];
    this.#at += 2;
    return command === LOWER_A ? this.#server() : command === UPPER_A && this.#service();
  }

  #service(): boolean {
    const protocol = this.#protocol();
    const address = this.#address();
    const port = this.#port();
    // Port 0 is only for persistent services.
    if (protocol < 0 || address < 0 || port <= 0 || !this.#option(S)) return false;
    const length = this.#end - this.#at;
    if (length < 1 || length > NAME_MAX) return false;
    let scheduler = '';
    for (; this.#at < this.#end; this.#at++) {
      const letter = this.#data[this.#at] as number;
      if (letter < LOWER_A || letter > Z) return false;
      scheduler += String.fromCharCode(letter);
    }
    if (scheduler === SKIPPED_WORD) return false;
    this.#writer.addIpv4Service(protocol, address, port, scheduler);
    return true;
  }

  #server(): boolean {
    const protocol = this.#protocol();
    const address = this.#address();
    const port = this.#port();
    if (protocol < 0 || address < 0 || port < 0 || !this.#option(R)) return false;
    const server = { address: this.#address(), port: this.#port(), method: this.#method(), weight: -1 };
    if (server.address < 0 || server.port < 0 || server.method < 0 || !this.#option(W)) return false;
    server.weight = this.#number(INT_MAX);
    if (server.weight < 0 || this.#at !== this.#end) return false;
    // Only NAT can change the port.
    if (server.method !== IP_VS_CONN_F_MASQ) server.port = port;
    this.#writer.addIpv4Destination(protocol, address, port, server);
    return true;
  }

  /** Parses ` -t ` or ` -u `. Like all of the following, -1 means: not a common rule. */
  #protocol(): number {
    if (this.#option(T)) return IPPROTO_TCP;
    return this.#option(U) ? IPPROTO_UDP : -1;
  }

  #option(letter: number | undefined): boolean {
    const data = this.#data;
    const at = this.#at;
    if (data[at] !== BLANK || data[at + 1] !== DASH || data[at + 2] !== letter || data[at + 3] !== BLANK) return false;
    this.#at = at + 4;
    return this.#at <= this.#end;
  }

  /** Parses ` -m`, ` -g` or ` -i`. */
  #method(): number {
    if (this.#data[this.#at] !== BLANK || this.#data[this.#at + 1] !== DASH) return -1;
    const letter = this.#data[this.#at + 2];
    this.#at += 3;
    if (letter === M) return IP_VS_CONN_F_MASQ;
    if (letter === G) return IP_VS_CONN_F_DROUTE;
    return letter === I ? IP_VS_CONN_F_TUNNEL : -1;
  }

  #address(): number {
    let address = 0;
    for (let part = 0; part < 4; part++) {
      if (part > 0 && this.#data[this.#at++] !== DOT) return -1;
      const value = this.#number(255);
      if (value < 0) return -1;
      address = 256 * address + value;
    }
    return address;
  }

  #port(): number {
    return this.#data[this.#at++] === COLON ? this.#number(65535) : -1;
  }

  /** Parses a decimal number. Leading zeros mean octal elsewhere, so they are left to the grammar. */
  #number(max: number): number {
    const start = this.#at;
    let value = 0;
    for (; this.#at < this.#end; this.#at++) {
      const digit = (this.#data[this.#at] as number) - 48;
      if (digit < 0 || digit > 9) break;
      if (this.#at > start && value === 0) return -1;
      value = 10 * value + digit;
      if (value > max) return -1;
    }
    return this.#at > start ? value : -1;
  }
}
