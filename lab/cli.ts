// SPDX-License-Identifier: MIT
// npm run lab -- [OPTIONS] -- COMMAND...: see docs/lab.md. Exits with the command's status; 2 for wrong usage, 1 if the
// kernel reported an error or the guest died, 124 after a time-out, 130 or 143 if interrupted.
import { mkdirSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Suite } from './bare-root.ts';
import { LabError, say } from './errors.ts';
import type { Spec } from './initrd.ts';
import { builtModules, fetchKernel, type Kernel, type KernelLine, moduleLayer, rootKernel } from './kernel.ts';
import { kvmWorks } from './kvm.ts';
import { takeTurn } from './lock.ts';
import { programLayer } from './programs.ts';
import { type UmlKind, umlKernel } from './uml.ts';
import { checkMemory, type Ending, type Machine, runMachine } from './vm.ts';

const top = resolve(fileURLToPath(import.meta.url), '../..');

const usage = `usage: npm run lab -- [OPTIONS] -- COMMAND...
  --kernel 6.1|6.12   which line of Debian's cloud kernels to boot (6.1), in Debian 12's build
  --kernel trixie     Debian 13's cloud kernel (6.12); only with --stock
  --uml               the debug kernel (KASAN, lockdep, PROVE_RCU) as User-mode Linux instead of a VM; one CPU
  --uml=plain         User-mode Linux without debugging aids, at the speed of the host's CPU; one CPU
  --stock             the distribution's own ip_vs modules, and no toa
  --smp N             CPUs (2)
  --mem M             memory: 512M, 2G (2G)
  --timeout SECONDS   end the run after this time (no limit)
  --icount            count instructions: one CPU, exactly repeatable, no KVM
  --append WORDS      appended to the kernel's command line
  --prepare           only fetch and build what such a run needs; there is no COMMAND`;

export interface Options {
  line: KernelLine;
  /** Boots the kernel of this release's bare root. */
  suite: Suite | undefined;
  uml: UmlKind | undefined;
  stock: boolean;
  cpus: number;
  memory: string;
  timeout: number;
  icount: boolean;
  append: string;
  prepare: boolean;
  command: string[];
}

function number(name: string, text: string): number {
  if (!/^[0-9]+$/.test(text) || Number(text) === 0) throw new LabError(`${name} takes a number from 1, not ${text}`, 2);
  return Number(text);
}

/** Parses the command line; throws a LabError with exit code 2 for wrong usage. */
export function parseOptions(argv: string[]): Options {
  const options: Options = {
    line: '6.1',
    suite: undefined,
    uml: undefined,
    stock: false,
    cpus: 2,
    memory: '2G',
    timeout: 0,
    icount: false,
    append: '',
    prepare: false,
    command: [],
  };
  for (let at = 0; at < argv.length; at += 1) {
    const name = argv[at] ?? '';
    const value = () => {
      at += 1;
      const text = argv[at];
      if (text === undefined) throw new LabError(`${name} needs a value`, 2);
      return text;
    };
    if (name === '--' || !name.startsWith('-')) {
      options.command = argv.slice(name === '--' ? at + 1 : at);
      break;
    }
    if (name === '--kernel') {
      const kernel = value();
      if (kernel !== '6.1' && kernel !== '6.12' && kernel !== 'trixie')
        throw new LabError(`--kernel takes 6.1, 6.12 or trixie, not ${kernel}`, 2);
      options.suite = kernel === 'trixie' ? kernel : undefined;
      options.line = kernel === 'trixie' ? '6.12' : kernel;
    } else if (name === '--uml') options.uml = 'debug';
    else if (name === '--uml=plain') options.uml = 'plain';
    else if (name === '--stock') options.stock = true;
    else if (name === '--smp') options.cpus = number(name, value());
    else if (name === '--mem') options.memory = checkMemory(value());
    else if (name === '--timeout') options.timeout = number(name, value());
    else if (name === '--icount') options.icount = true;
    else if (name === '--append') options.append = value();
    else if (name === '--prepare') options.prepare = true;
    else throw new LabError(`unknown option ${name}\n${usage}`, 2);
  }
  if (options.prepare && options.command.length > 0) throw new LabError(`--prepare takes no command\n${usage}`, 2);
  if (!options.prepare && options.command.length === 0) throw new LabError(`missing command\n${usage}`, 2);
  if (options.icount && options.uml) throw new LabError('--icount needs a VM: not with --uml', 2);
  if (options.suite && options.uml) throw new LabError('--kernel trixie needs a VM: not with --uml', 2);
  if (options.suite && !options.stock)
    throw new LabError('--kernel trixie needs --stock: the lab builds no modules for that kernel', 2);
  if (options.icount || options.uml) options.cpus = 1;
  return options;
}

/** Returns the command's environment: the caller's, without variables that are wrong in the guest. */
function guestEnvironment(out: string): [string, string][] {
  const foreign = /^(npm_|LD_|DBUS_|SSH_|XDG_RUNTIME|XDG_SESSION|SYSTEMD|INVOCATION_ID|JOURNAL_STREAM)/;
  const names = new Set([
    'NODE_EXTRA_CA_CERTS',
    'INIT_CWD',
    'TMPDIR',
    'PWD',
    'OLDPWD',
    'SHLVL',
    '_',
    'DISPLAY',
    'COLOR',
  ]);
  const kept = Object.entries(process.env).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && !foreign.test(pair[0]) && !names.has(pair[0]),
  );
  const paths = (process.env.PATH ?? '').split(':').filter((path) => !path.includes('/node_modules/'));
  const path = [
    bin,
    ...new Set([...paths, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']),
  ];
  return [
    ...kept.filter(([name]) => name !== 'PATH' && name !== 'LAB_OUT'),
    ['PATH', path.join(':')],
    ['LAB_OUT', out],
  ];
}

/** Folder of this checkout's commands in the guest. */
const bin = '/opt/lvsd-lab/bin';

function makeSpec(options: Options, out: string, cwd: string, layers: [string, string][]): Spec {
  const built = join(top, 'dist/bin');
  const commands = statSync(built, { throwIfNoEntry: false }) ? readdirSync(built) : [];
  const lab: [string, string][] = [
    ['LVSD_LAB', options.line],
    ['LVSD_LAB_STOCK', options.stock ? '1' : ''],
    ['LVSD_LAB_UML', options.uml ?? ''],
  ];
  return [
    ...[...layers.map(([name]) => name), 'host'].map((name): [string, string] => ['layer', name]),
    ['out', out],
    ['write', '/proc/sys/kernel/panic_on_oops 1'],
    ...(options.uml ? [] : ([['write', '/proc/sys/kernel/watchdog_thresh 60']] satisfies Spec)),
    ...commands
      .filter((name) => name.endsWith('.cjs'))
      .map((name): [string, string] => ['link', `${bin}/${basename(name, '.cjs')} ${join(built, name)}`]),
    ['cwd', cwd],
    ...[...guestEnvironment(out), ...lab].map(([name, value]): [string, string] => ['env', `${name}=${value}`]),
    ...options.command.map((word): [string, string] => ['arg', word]),
  ];
}

function chosenKernel({ line, suite, uml }: Options): Promise<Kernel> {
  if (uml) return umlKernel(line, uml);
  return suite ? rootKernel(line, suite) : fetchKernel(line);
}

/** Fetches and builds what the run needs. */
async function prepare(options: Options): Promise<Machine> {
  const kernel = await chosenKernel(options);
  // The module toa hooks functions by ftrace, which User-mode Linux does not have.
  const folders = options.stock ? [] : options.uml ? ['kernel-patches'] : ['kernel-patches', 'toa-module'];
  const modules = (await Promise.all(folders.map((dir) => builtModules(join(top, dir), kernel)))).flat();
  const layers: [string, string][] = [
    ['modules', await moduleLayer(kernel, modules)],
    ['programs', await programLayer()],
  ];
  const out = resolve(process.env.INIT_CWD ?? '.', process.env.LAB_OUT ?? join(top, 'build/lab-out'));
  mkdirSync(out, { recursive: true });
  const cwd = process.env.npm_lifecycle_event === 'lab' ? (process.env.INIT_CWD ?? process.cwd()) : process.cwd();
  return {
    kernel,
    uml: options.uml !== undefined,
    layers,
    out: realpathSync(out),
    kvm: !options.icount && !options.uml && (await kvmWorks(kernel.image)),
    cpus: options.cpus,
    memory: options.memory,
    icount: options.icount,
    append: options.append,
    timeout: options.timeout,
    spec: makeSpec(options, realpathSync(out), realpathSync(cwd), layers),
  };
}

/** Reports how a run ended on stderr and returns the exit code. */
function exitCodeOf(ending: Ending, interrupted: number | undefined): number {
  if (ending.alarms) say(`the guest's kernel reported an error:\n${ending.alarms}`);
  if (interrupted !== undefined) return interrupted;
  if (ending.trouble !== undefined) {
    if (!ending.alarms && ending.consoleTail) say(`the end of the guest's console:\n${ending.consoleTail}`);
    say(ending.trouble);
    return ending.trouble.startsWith('time-out') ? 124 : 1;
  }
  const status = ending.status ?? 1;
  return ending.alarms && status === 0 ? 1 : status;
}

/** Runs the lab with these arguments; resolves with the exit code. */
export async function lab(argv: string[]): Promise<number> {
  const options = parseOptions(argv);
  const abort = new AbortController();
  let interrupted: number | undefined;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      interrupted ??= code;
      abort.abort();
    });
  }
  const machine = await prepare(options);
  if (options.prepare) return 0;
  // User-mode Linux is an ordinary process, which does not wait for its turn.
  const turn = options.uml ? { release: () => {} } : await takeTurn(abort.signal);
  if (turn === undefined) return interrupted ?? 1;
  try {
    for (let tries = BOOTS; ; tries--) {
      const boot = new AbortController();
      const started = Date.now();
      machine.onReady = (uptime) => {
        const how = machineKind(machine);
        const seconds = (Date.now() - started) / 1000;
        const start = `command starts after ${seconds.toFixed(1)} s (guest uptime ${uptime} s)`;
        say(`${machine.kernel.release}, ${how}: ${start}`);
        if (!machine.icount && !machine.uml && uptime > 1.5 * seconds + 2) boot.abort();
      };
      const ending = await runMachine(machine, AbortSignal.any([abort.signal, boot.signal]));
      if (!boot.signal.aborted || interrupted !== undefined) return exitCodeOf(ending, interrupted);
      // The guest's kernel calibrated its clock while this machine was too busy to run it.
      say(`the guest's clock runs much too fast${tries > 1 ? '; booting again' : ''}`);
      if (tries <= 1) return 1;
    }
  } finally {
    turn.release();
  }
}

function machineKind({ uml, kvm, icount }: Machine): string {
  if (uml) return 'a process';
  if (kvm) return 'KVM';
  return icount ? 'counted instructions' : 'emulated CPU';
}

/** How often a guest with a wrong clock is booted in all. */
const BOOTS = 3;
