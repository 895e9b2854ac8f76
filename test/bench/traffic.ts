// SPDX-License-Identifier: MIT
// Runs in the lab: throughput and connections per second through NAT and FULLNAT, turn by turn, beside plain
// forwarding. Client, balancer and real server share the VM's CPUs. Writes $LAB_OUT/traffic.json.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lvsTopology, startNginx } from '../../lab/topology.ts';
import { spread } from './figures.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const megabytes = 64;
const seconds = 3;
const methods = ['plain', 'nat', 'fullnat'] as const;
type Method = (typeof methods)[number];

const lvs = lvsTopology();
try {
  // Plain forwarding needs a route to the real server, and like NAT the return route through the balancer.
  lvs.router.ip('route add 10.31.0.0/16 via 10.2.0.2');
  lvs.rs1.ip('route add default via 10.31.4.1');
  lvs.inside.ip('route add default via 10.31.3.2');
  const nginx = startNginx(lvs.rs1);
  spawnSync('truncate', ['-s', `${megabytes}M`, join(nginx.root, 'large')]);
  const { vip, rs1Address: server } = lvs;
  const target: Record<Method, string> = { plain: `${server}:80`, nat: `${vip}:80`, fullnat: `${vip}:81` };
  const setUp: Record<Method, string[]> = {
    plain: [],
    nat: [`-A -t ${target.nat} -s rr`, `-a -t ${target.nat} -r ${server}:80 -m`],
    fullnat: [
      `-A -t ${target.fullnat} -s rr`,
      ...lvs.laddrs.map((laddr) => `-P -t ${target.fullnat} -z ${laddr}`),
      `-a -t ${target.fullnat} -r ${server}:80 -b`,
    ],
  };

  /** Megabits of payload per second of one download. */
  const download = (method: Method) => {
    const url = `http://${target[method]}/large`;
    const { stdout } = lvs.client.run(['curl', '-sS', '-o', '/dev/null', '-w', '%{size_download} %{time_total}', url]);
    const [bytes = 0, time = 0] = stdout.split(' ').map(Number);
    if (bytes !== megabytes << 20) throw new Error(`${method}: ${bytes} bytes came through`);
    return (bytes * 8) / 1e6 / time;
  };
  /** Connections per second, one after the other, each with a small request. */
  const connect = (method: Method) => {
    const { stdout } = lvs.client.run([process.execPath, '-e', connector, target[method], String(seconds)]);
    return Number(stdout);
  };
  const connector = `
    const net = require('node:net');
    const [host, port] = process.argv[1].split(':');
    const start = process.hrtime.bigint();
    const elapsed = () => Number(process.hrtime.bigint() - start) / 1e9;
    let done = 0, open = 0;
    const one = () => {
      if (elapsed() > process.argv[2]) { if (--open === 0) console.log(done / elapsed()); return; }
      const socket = net.connect(port, host, () => socket.write('GET / HTTP/1.0\\r\\n\\r\\n'));
      let got = 0;
      socket.on('data', (data) => { got += data.length; });
      socket.on('error', (error) => { console.error(String(error)); process.exit(1); });
      socket.on('close', () => { if (got === 0) process.exit(1); done += 1; one(); });
    };
    for (; open < 8; open += 1) one();`;

  const found = { throughput: {} as Record<Method, number[]>, connections: {} as Record<Method, number[]> };
  for (const method of methods) {
    found.throughput[method] = [];
    found.connections[method] = [];
  }
  for (let i = 0; i < rounds; i += 1) {
    for (const method of methods) {
      lvs.balancer.run(['ipvsadm', '-C']);
      if (setUp[method].length > 0) lvs.balancer.run(['lvsadm', '-R'], { input: `${setUp[method].join('\n')}\n` });
      found.throughput[method].push(download(method));
      found.connections[method].push(connect(method));
    }
    process.stderr.write(`bench: traffic: round ${i + 1} of ${rounds}\n`);
  }
  const results = Object.entries(found).map(([what, values]) => ({
    what,
    unit: what === 'throughput' ? 'Mbit/s' : 'per second',
    rounds,
    ...Object.fromEntries(methods.map((method) => [method, spread(values[method])])),
    ratio: spread(values.fullnat.map((value, i) => value / (values.nat[i] ?? Number.NaN))),
  }));
  writeFileSync(join(process.env.LAB_OUT ?? '.', 'traffic.json'), `${JSON.stringify(results, null, 2)}\n`);
} finally {
  await lvs.destroy();
}
