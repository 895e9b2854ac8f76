// SPDX-License-Identifier: MIT
// docs/keepalived.md names every keyword of the LVS part of keepalived.conf(5), and its YAML is a valid configuration.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../../src/config/index.ts';
import { type JsonSchema, jsonSchema } from '../../../src/config/validator.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/keepalived.md', import.meta.url)), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'lvsd-keepalived-'));
after(() => rmSync(dir, { recursive: true }));

/**
 * Keywords of keepalived 2.2.7 in Debian 12: section "LVS CONFIGURATION", and those of "Global definitions" for LVS.
 */
const KEYWORDS = `
virtual_server_group virtual_server fwmark lvs_sched flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback ops
lvs_method persistence_engine persistence_timeout persistence_granularity protocol ha_suspend smtp_alert virtualhost
snmp_name alpha omega quorum hysteresis quorum_up quorum_down ip_family sorry_server sorry_server_inhibit
sorry_server_lvs_method connect_timeout retry delay_before_retry warmup delay_loop inhibit_on_failure real_server weight
notify_up notify_down uthreshold lthreshold connect_ip connect_port bindto bind_if bind_port log_all_failures HTTP_GET
SSL_GET http_protocol fast_recovery url path digest status_code regex regex_no_match regex_options regex_stack
regex_min_offset regex_max_offset enable_sni TCP_CHECK SMTP_CHECK helo_name DNS_CHECK type name MISC_CHECK misc_path
misc_timeout misc_dynamic user BFD_CHECK PING_CHECK UDP_CHECK payload require_reply min_reply_length max_reply_length
FILE_CHECK track_file dynamic SSL password ca certificate key
net_namespace net_namespace_ipvs checker_process_name smtp_alert_checker checker_log_all_failures lvs_sync_daemon
lvs_timeouts lvs_flush lvs_flush_on_stop nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark
checker_priority checker_no_swap checker_cpu_affinity checker_rt_priority checker_rlimit_rttime enable_snmp_checker
notify_fifo lvs_notify_fifo lvs_netlink_cmd_rcv_bufs lvs_netlink_monitor_rcv_bufs no_checker_emails include`
  .trim()
  .split(/\s+/);

test('every keyword of keepalived is on the page, as code', () => {
  const code = [...page.replace(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
  const words = new Set(code.flatMap((text) => text.split(/[^A-Za-z0-9_-]+/)));
  assert.deepEqual(
    KEYWORDS.filter((keyword) => !words.has(keyword)),
    [],
  );
});

test('its configuration is valid and equivalent to the keepalived.conf above it', () => {
  const text = /^```yaml\n(.*?)^```/ms.exec(page)?.[1] ?? '';
  const file = join(dir, 'lvsd.yaml');
  writeFileSync(file, text);
  const { services, onStop } = loadConfig(file);
  const shop = services.get('shop');
  assert.deepEqual([onStop, shop?.scheduler, shop?.quorum, shop?.onFailure], ['remove', 'wrr', 2, 'inhibit']);
  const [first] = shop?.realServers ?? [];
  const checks = first?.check ? [first.check, ...first.moreChecks] : [];
  assert.deepEqual(
    checks.map((check) => check.type === 'https' && [check.path, check.status, check.host, check.fall, check.start]),
    [
      ['/healthz', [[200, 200]], 'shop.example', 3, 'down'],
      ['/login', [[200, 299]], 'shop.example', 3, 'down'],
    ],
  );
});

test('keys on the right are keys of the schema', () => {
  const keys = new Set<string>(['check', 'checks']);
  const walk = (schema: JsonSchema) => {
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      keys.add(key);
      walk(child);
    }
    for (const child of [...(schema.anyOf ?? []), ...Object.values(schema.definitions ?? {})]) walk(child);
    if (schema.items) walk(schema.items);
  };
  walk(jsonSchema());
  const cells = [...page.matchAll(/^\| .* \| ([^|]*) \|$/gm)].map(
    ([, cell = '']) => cell.split('not supported')[0] ?? '',
  );
  const used = cells.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text = '']) => [...text.matchAll(/(?:^|[{ ,])([a-z_]+):/g)]),
  );
  const unknown = used.map(([, key = '']) => key).filter((key) => !keys.has(key) && key !== 'lb1');
  assert.ok(used.length > 40);
  assert.deepEqual(unknown, []);
});
