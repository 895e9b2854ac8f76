// SPDX-License-Identifier: MIT
/** The text of `lvsctl --help`, with the commands of verbs/. */
import { VERBS } from './verbs/index.ts';

const USAGE_WIDTH = 26;

function commandLines(): string {
  const entries = Object.entries(VERBS).map(([name, { words, help }]) => [`${name} ${words}`.trimEnd(), help] as const);
  return [...entries, ['help', 'print this help'] as const]
    .map(([usage, help]) => `  ${usage.padEnd(USAGE_WIDTH)}  ${help}\n`)
    .join('');
}

export const helpText = (): string => `lvsctl: command-line client of a running lvsd

Usage:
  lvsctl [OPTION...] COMMAND

Commands:
${commandLines()}
  SERVER is the name of a real server, its address:port, or its address if it has one port. Without SERVICE, the
  command applies to every service that contains it. Drains, disable, force-up and weights persist over reloads,
  restarts and reboots until they are ended; status shows who set them, when and why.

Options:
  -s, --socket PATH    the control socket; default /run/lvsd/control.sock
  -j, --json           print the daemon's answer as JSON; events: one object per line
  -f, --follow         events: keep printing new events until interrupted
  -a, --after CURSOR   events: only those after this one, EPOCH:NUMBER or its number
      --since TIME     events: only those of the last 1h, or since 2026-11-28T10:00:00Z
      --service NAME   events: only those of this service
      --kind KIND      events: only this kind, such as real_server.down; may be repeated
      --limit N        events: the last N (default: 1000)
  -b, --brief          status: one line for each service
  -d, --down           status: only real servers that are down, and services without quorum or with a rejected change
      --server SERVER  status, events: only this real server, by name, address or address:port
      --state STATE    status: only real servers that are up, down, draining or unchecked
  -w, --watch          status: again every 2 s until interrupted
  -r, --reason TEXT    drain, disable, force-up, weight: the reason, which status shows
  -n, --dry-run        drain, undrain, disable, enable, force-up, weight: only print what it would change
      --detail LEVEL   metrics: summary, services, real_servers (default) or full
      --collect GROUP  metrics: only this group, such as service; may be repeated
      --max-series N   metrics: less detail if there are more (default: 600000)
      --sort COLUMN    top: state (default), name, active, conn/s, in or out
      --interval TIME  top: time between two readings, 1s to 60s (default: 2s)
      --once           top: print one frame, without rates
      --batch N        top: print N frames
      --for DURATION   yield: time without preemption, such as 30m (default: 10m)
  -h, --help           print this help
  -V, --version        print the version

Colours are used only on a terminal, and not if NO_COLOR is set in the environment.

Exit status:
  0    success
  1    the daemon does not answer or failed; reload: the kernel rejected a change; accepted, but lvsd is paused; an
       override is in effect, but not saved; yield, announce: this node is not master
  2    wrong usage, no such service or real server, or an invalid configuration
  3    plan: there are differences
  4    not permitted: only the owner of the socket (root) may use it
  5    the kernel lacks a feature that the configuration needs

Examples:
  lvsctl status shop
  lvsctl status --brief --down --watch
  lvsctl drain shop 10.31.4.2:8443 && sleep 60 && systemctl --host 10.31.4.2 restart web
  lvsctl history shop web1
  lvsctl plan || echo 'the kernel differs from the configuration'
  lvsctl --json status | jq '.services[] | select(.quorum.up | not) | .name'
  lvsctl top --sort conn/s
  lvsctl events --follow
  lvsctl events --since 1h --kind real_server.down
  lvsctl metrics > /run/lvsd.prom.new && mv /run/lvsd.prom.new /var/lib/prometheus/node-exporter/lvsd.prom
`;
