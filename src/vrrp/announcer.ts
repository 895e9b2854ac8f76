// SPDX-License-Identifier: MIT
/**
 * Sends gratuitous ARP and neighbor advertisements: rounds over all addresses of an instance, spaced, repeated after a
 * delay, and never more than 500 frames a second on an interface, so that switches and this process keep up.
 */
import { AF_INET, type Family } from '../base/addresses.ts';
import { type NativeSocket, native } from '../base/native.ts';
import { host } from '../netlink/endian.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, gratuitousArp, neighborAdvertisement } from './frames.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCKADDR_LL_LENGTH = 20;
/** Milliseconds between two turns, and frames of one turn. */
const TURN = 20;
const FRAMES_PER_TURN = 10;

/** One address on the interface that has it. Frames need its MAC address. */
export interface Announcement {
  family: Family;
  address: Uint8Array;
  index: number;
  hardwareAddress: Uint8Array;
  /** IPv6: the interface forwards. */
  router: boolean;
}

export interface Rounds {
  /** Rounds of one burst. */
  repeat: number;
  /** Milliseconds between two rounds. */
  interval: number;
  /** Milliseconds until a second burst; 0: none. */
  delay: number;
}

interface Job {
  list: readonly Announcement[];
  rounds: Rounds;
  round: number;
  next: number;
  second: boolean;
  /** Runs between two rounds. */
  pause: NodeJS.Timeout | undefined;
}

export class Announcer {
  readonly #socket: Pick<NativeSocket, 'send' | 'close'>;
  readonly #failed: (error: Error) => void;
  /** By instance; the one that sent last is the last. */
  readonly #jobs = new Map<string, Job>();
  /** Frames of this turn, by interface. */
  readonly #used = new Map<number, number>();
  #turn: NodeJS.Timeout | undefined;

  /**
   * Needs CAP_NET_RAW, unless the caller has a packet socket. `failed` gets the error of a frame that could not be sent;
   * the rest is sent.
   */
  constructor(failed: (error: Error) => void, socket: Pick<NativeSocket, 'send' | 'close'> = packetSocket()) {
    this.#socket = socket;
    this.#failed = failed;
  }

  /** Announces the addresses of an instance; replaces what is left of its previous announcement. */
  announce(instance: string, list: readonly Announcement[], rounds: Rounds): void {
    this.cancel(instance);
    if (list.length === 0) return;
    this.#jobs.set(instance, { list, rounds, round: 0, next: 0, second: false, pause: undefined });
    this.#work();
  }

  /** Ends the announcement of an instance: its addresses are somewhere else. */
  cancel(instance: string): void {
    clearTimeout(this.#jobs.get(instance)?.pause);
    this.#jobs.delete(instance);
  }

  close(): void {
    for (const instance of [...this.#jobs.keys()]) this.cancel(instance);
    clearTimeout(this.#turn);
    this.#socket.close();
  }

  /** Sends a frame of each instance in turn, as long as its interface may get more in this turn. */
  #work(): void {
    for (;;) {
      const [found] = [...this.#jobs].filter(([, job]) => job.pause === undefined && this.#mayGet(job.list[job.next]));
      if (found === undefined) break;
      this.#step(...found);
    }
    if (this.#used.size === 0) return;
    this.#turn ??= setTimeout(() => {
      this.#turn = undefined;
      this.#used.clear();
      this.#work();
    }, TURN);
  }

  #mayGet(next: Announcement | undefined): boolean {
    return next !== undefined && (this.#used.get(next.index) ?? 0) < FRAMES_PER_TURN;
  }

  /** Sends the next frame of an instance, which then is behind the others. */
  #step(instance: string, job: Job): void {
    const next = job.list[job.next];
    if (next === undefined) return;
    this.#used.set(next.index, (this.#used.get(next.index) ?? 0) + 1);
    this.#send(next);
    job.next += 1;
    this.#jobs.delete(instance);
    const pause = nextPause(job);
    if (pause === undefined) return;
    this.#jobs.set(instance, job);
    if (pause === 0) return;
    job.pause = setTimeout(() => {
      job.pause = undefined;
      this.#work();
    }, pause);
  }

  #send({ family, address, index, hardwareAddress, router }: Announcement): void {
    const ipv4 = family === AF_INET;
    const frame = ipv4
      ? gratuitousArp(hardwareAddress, address)
      : neighborAdvertisement(hardwareAddress, address, router);
    try {
      this.#socket.send(frame, linkAddress(index, ipv4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6));
    } catch (error) {
      this.#failed(error as Error);
    }
  }
}

/** A socket that sends whole frames. Protocol 0: it receives nothing. */
function packetSocket(): NativeSocket {
  return new (native().Socket)(AF_PACKET, SOCK_RAW, 0);
}

/** Moves a job on to its next round; milliseconds until its next frame, or undefined after the last one. */
function nextPause(job: Job): number | undefined {
  const { list, rounds } = job;
  if (job.next < list.length) return 0;
  job.next = 0;
  job.round += 1;
  if (job.round < rounds.repeat) return Math.max(rounds.interval, TURN);
  if (job.second || rounds.delay === 0) return undefined;
  job.second = true;
  job.round = 0;
  return rounds.delay;
}

/** struct sockaddr_ll (packet(7)); the frame itself has the destination. */
function linkAddress(index: number, protocol: number): Buffer {
  const address = Buffer.alloc(SOCKADDR_LL_LENGTH);
  host.writeU16(address, AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  host.writeU32(address, index, 4);
  return address;
}
