// SPDX-License-Identifier: MIT
// Runs one guest: starts QEMU or User-mode Linux, copies the command's output and returns how it ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { ConsoleWatch, umlFaults } from './console.ts';
import { LabError } from './errors.ts';
import { makeInitrd, type Spec } from './initrd.ts';
import type { Kernel } from './kernel.ts';
import { type Share, startShare } from './share.ts';
import { startUml, umlSpec } from './uml.ts';

export interface Machine {
  kernel: Kernel;
  /** The kernel is User-mode Linux: a process instead of a VM. */
  uml: boolean;
  /** Layers over the host's root, the uppermost first: a name of one word and a folder of the host. */
  layers: [string, string][];
  /** Folder of the host that the guest may write to, under the same path. */
  out: string;
  kvm: boolean;
  cpus: number;
  /** In QEMU's notation: 2G, 512M. */
  memory: string;
  /** Counts instructions instead of time (-icount shift=0,sleep=off); one CPU, no KVM. */
  icount: boolean;
  /** Appended to the kernel's command line. */
  append: string;
  /** Seconds from start to end; 0 for no limit. */
  timeout: number;
  spec: Spec;
  /** Called with the guest's uptime in seconds when the command starts. */
  onReady?: (uptime: number) => void;
}

export interface Ending {
  /** The command's exit status; undefined if the guest died first. */
  status: number | undefined;
  /** The reason for a missing status. */
  trouble: string | undefined;
  /** Kernel reports that make the run fail; empty if none. */
  alarms: string;
  consoleTail: string;
}

const quietKernel = [
  'console=ttyS0',
  'loglevel=5',
  'panic=-1',
  'oops=panic',
  'random.trust_cpu=on',
  'mitigations=off',
  'apparmor=0',
  'audit=0',
  'net.ifnames=0',
  // An emulated CPU on a busy host may stall for a long time without a fault.
  'rcupdate.rcu_cpu_stall_timeout=120',
  'tsc=reliable',
];

function qemuArgs(machine: Machine, dir: string, share: Share): string[] {
  const { kernel, memory } = machine;
  const port = (name: string) => [
    ...['-chardev', `socket,id=${name},path=${join(dir, `${name}.sock`)}`],
    ...['-device', `virtserialport,bus=ports.0,chardev=${name},name=lab.${name}`],
  ];
  const cpu = machine.kvm ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,tb-size=512', '-cpu', 'max'];
  return [
    ...['-M', 'pc', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...(machine.icount ? ['-accel', 'tcg', '-cpu', 'max', '-icount', 'shift=0,sleep=off'] : cpu),
    ...['-smp', String(machine.cpus), '-m', memory],
    ...['-object', `memory-backend-memfd,id=mem,size=${memory},share=on`, '-numa', 'node,memdev=mem'],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,id=ports,max_ports=8'],
    ...['ctl', 'out', 'err'].flatMap(port),
    ...['-chardev', `socket,id=share,path=${share.socket}`, '-device', 'vhost-user-fs-pci,chardev=share,tag=lab'],
    ...['-kernel', kernel.image, '-initrd', join(dir, 'initrd')],
    ...['-append', [...quietKernel, machine.append].join(' ').trim()],
  ];
}

/** Listens on a Unix socket for QEMU's connection. */
function awaitPort(dir: string, name: string, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((done, fail) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      onSocket(socket);
    });
    server.on('error', fail);
    server.listen(join(dir, `${name}.sock`), () => done(server));
  });
}

/** Runs the machine until its command ends, it dies, its time is up or `signal` fires. */
export async function runMachine(machine: Machine, signal: AbortSignal): Promise<Ending> {
  sweep();
  const dir = mkdtempSync(join(tmpdir(), `lvsd-lab-${process.pid}-`));
  const servers: Server[] = [];
  let share: Share | undefined;
  try {
    if (machine.uml) {
      writeFileSync(join(dir, 'initrd'), await makeInitrd(undefined, [...umlSpec, ...machine.spec]));
      return await new Run(machine, dir, undefined, servers, signal).ending();
    }
    writeFileSync(join(dir, 'initrd'), await makeInitrd(machine.kernel, machine.spec));
    share = await startShare(dir, [...machine.layers, ['host', '/']], machine.out);
    return await new Run(machine, dir, share, servers, signal).ending();
  } finally {
    share?.process.kill('SIGKILL');
    for (const server of servers) server.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Removes the folders of labs that were killed; each is named by its lab's process id. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^lvsd-lab-([0-9]+)-[A-Za-z0-9]{6}$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

class Run {
  private readonly console: ConsoleWatch;
  private readonly moved = { out: 0, err: 0 };
  private control = '';
  private wanted: { status: number; out: number; err: number } | undefined;
  private end: (ending: { status?: number; trouble?: string }) => void = () => {};
  private readonly machine: Machine;
  private readonly dir: string;
  private readonly share: Share | undefined;
  private readonly servers: Server[];
  private readonly signal: AbortSignal;

  /** `share`: the VM's; User-mode Linux makes its own. */
  constructor(machine: Machine, dir: string, share: Share | undefined, servers: Server[], signal: AbortSignal) {
    this.console = new ConsoleWatch(machine.uml ? umlFaults : []);
    this.machine = machine;
    this.dir = dir;
    this.share = share;
    this.servers = servers;
    this.signal = signal;
  }

  async ending(): Promise<Ending> {
    const ended = new Promise<{ status?: number; trouble?: string }>((done) => {
      this.end = done;
    });
    const guest = this.share ? await this.startVm(this.share) : this.startUml();
    const timers = this.timers();
    const onAbort = () => this.end({ trouble: 'interrupted' });
    this.signal.addEventListener('abort', onAbort);
    if (this.signal.aborted) onAbort();
    const { status, trouble } = await ended;
    for (const timer of timers) clearTimeout(timer);
    this.signal.removeEventListener('abort', onAbort);
    await stop(guest);
    return { status, trouble, alarms: this.console.alarms, consoleTail: this.console.tail };
  }

  private async startVm(share: Share): Promise<ChildProcess> {
    for (const name of ['ctl', 'out', 'err'] as const) {
      this.servers.push(await awaitPort(this.dir, name, (socket) => this.attach(name, socket)));
    }
    const args = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...qemuArgs(this.machine, this.dir, share)];
    // Its own process group: Ctrl-C goes to the lab, which then ends QEMU.
    const qemu = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    return this.watch(qemu, 'qemu-system-x86_64');
  }

  private startUml(): ChildProcess {
    const guest = startUml(this.machine, this.dir);
    for (const [index, name] of (['ctl', 'out', 'err'] as const).entries()) {
      this.attach(name, guest.stdio[3 + index] as Socket);
    }
    return this.watch(guest, this.machine.kernel.image);
  }

  /** Connects one of the guest's ports. */
  private attach(name: 'ctl' | 'out' | 'err', socket: Socket): void {
    if (name === 'ctl') socket.on('data', (data) => this.onControl(String(data)));
    else this.carry(socket, name, name === 'out' ? process.stdout : process.stderr);
  }

  private watch(guest: ChildProcess, program: string): ChildProcess {
    let stderr = '';
    guest.stdout?.setEncoding('latin1').on('data', (text: string) => this.console.feed(text));
    guest.stderr?.on('data', (data) => {
      stderr += data;
    });
    guest.on('error', (error) => this.end({ trouble: `cannot run ${program}: ${error.message}` }));
    guest.on('close', (code) => {
      this.end({ trouble: `the guest ended before its command did (${program}: ${stderr.trim() || `exit ${code}`})` });
    });
    return guest;
  }

  private timers(): NodeJS.Timeout[] {
    const { timeout } = this.machine;
    if (timeout === 0) return [];
    return [setTimeout(() => this.end({ trouble: `time-out after ${timeout} s` }), timeout * 1000)];
  }

  /** Copies one stream, with backpressure. */
  private carry(socket: Socket, name: 'out' | 'err', to: Writable): void {
    socket.on('data', (data: Buffer) => {
      this.moved[name] += data.length;
      if (!to.write(data)) {
        socket.pause();
        to.once('drain', () => socket.resume());
      }
      this.check();
    });
  }

  private onControl(text: string): void {
    const lines = (this.control + text).split('\n');
    this.control = lines.pop() ?? '';
    for (const line of lines) {
      const [word, ...rest] = line.split(' ');
      if (word === 'ready') this.machine.onReady?.(Number(rest[0]));
      if (word === 'fail') this.end({ trouble: `the guest could not start: ${rest.join(' ')}` });
      if (word === 'exit') {
        const [status = 1, out = 0, err = 0] = rest.map(Number);
        this.wanted = { status, out, err };
        this.check();
      }
    }
  }

  /** Ends the run once the command has ended and every byte of its output has arrived. */
  private check(): void {
    const { wanted, moved } = this;
    if (wanted && moved.out >= wanted.out && moved.err >= wanted.err) this.end({ status: wanted.status });
  }
}

/** Ends the guest and waits for its exit, so that its whole console has been read. */
function stop(guest: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (guest.exitCode !== null || guest.signalCode !== null || guest.pid === undefined) return done();
    guest.on('close', () => done());
    guest.kill('SIGKILL');
  });
}

/** Throws unless the value is an amount of memory in QEMU's notation. */
export function checkMemory(text: string): string {
  if (!/^[1-9][0-9]*[MG]$/.test(text)) throw new LabError(`--mem takes an amount such as 512M or 2G, not ${text}`, 2);
  return text;
}
