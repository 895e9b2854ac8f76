// SPDX-License-Identifier: MIT
// FULLNAT on a restricted host: no forwarding, strict reverse paths, a firewall that drops unknown packets. The rules
// are those of the documentation.
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Namespace, type Nginx, startNginx } from '../../../lab/topology.ts';
import { fullnatRig, type Rig, within } from './rig.ts';
import { dial } from './tcp.ts';

const port = 80;
const bytes = 3 << 20;
let rig: Rig;
let nginx: Nginx;

before(async () => {
  rig = await fullnatRig({ port, forward: false });
  nginx = startNginx(rig.rs1);
  writeFileSync(`${nginx.root}/big`, Buffer.alloc(bytes, 'b'));
});

after(() => rig.destroy());

function fetch(): void {
  const wanted = ['-s', '-m', '20', '-o', '/dev/null', '-w', '%{http_code} %{size_download} %{local_ip}:%{local_port}'];
  const { stdout } = rig.client.run(['curl', ...wanted, `http://${rig.vip}/big`]);
  const [code, size, me] = stdout.split(' ');
  assert.deepEqual([code, Number(size)], ['200', bytes]);
  const last = nginx.log().at(-1);
  assert.equal(`${last?.address}:${last?.port}`, me);
}

function firewall(where: Namespace, rules: string): void {
  where.run(['nft', '-f', '-'], {
    input: `flush ruleset\ntable inet guard {\nchain in {\ntype filter hook input priority 0; policy drop;\n${rules}\n}
chain forward {\ntype filter hook forward priority 0; policy drop;\n}\n}\n`,
  });
}

test('it works with ip_forward 0', () => {
  assert.equal(
    within(rig.balancer, () => rig.balancer.readSysctl('net.ipv4.ip_forward')),
    '0',
  );
  fetch();
});

test('it works with rp_filter 1 on every device', () => {
  within(rig.balancer, () => {
    for (const name of readdirSync('/proc/sys/net/ipv4/conf')) {
      writeFileSync(`/proc/sys/net/ipv4/conf/${name}/rp_filter`, '1');
    }
  });
  fetch();
});

test('an INPUT chain that drops needs two rules: clients to the virtual address, real servers to the local ones', async () => {
  const clients = `ip daddr ${rig.vip} tcp dport ${port} accept`;
  const servers = `ip saddr 10.31.0.0/16 ip daddr { ${rig.laddrs.join(', ')} } tcp sport ${port} accept`;
  firewall(rig.balancer, `${clients}\n${servers}`);
  fetch();
  // Each of them is needed.
  for (const rules of [clients, servers]) {
    firewall(rig.balancer, rules);
    await assert.rejects(dial(rig.client, rig.vip, port, { timeout: 1500 }), { code: 'ETIMEDOUT' });
  }
  rig.balancer.run(['nft', 'flush', 'ruleset']);
  fetch();
});
