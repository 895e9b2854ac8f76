// SPDX-License-Identifier: MIT
export const HELP = `lvsd: keeps the kernel's IPVS table and its addresses as one configuration file describes them.

Usage:
  lvsd run [-f FILE] [-n] [--once]   check real servers and reconcile the kernel with the file, in the foreground
  lvsd check [-f FILE] [--json]      validate the file; needs neither root nor IPVS
  lvsd plan [-f FILE] [--json]       show what would change; changes nothing
  lvsd apply [-f FILE] [--json]      change it once, without health checks
  lvsd doctor [--json]               examine this machine's IPVS and report problems
  lvsd withdraw                      give away what VRRP left when lvsd and its VRRP process were killed
  lvsd web [--listen ADDRESS:PORT]   metrics, events and a page of a running lvsd over HTTP, without any right
  lvsd password NAME                 read a password, and print the line of a user for web.users
  lvsd help | -h | --help
  lvsd version | -V | --version

Options:
  -f, --file FILE    the configuration; default /etc/lvsd/lvsd.yaml
  -t, --test         the same as check, as in keepalived
  -n, --foreground   accepted for compatibility with keepalived: lvsd always stays in the foreground
      --once         run: reconcile once, with the saved health of the real servers, and exit
      --node NAME    which entry of the file's nodes to use; default: the host name
      --socket PATH  the control socket; default /run/lvsd/control.sock
      --state PATH   the state file, read after a restart; default /run/lvsd/state.json
      --overrides PATH  drains and other overrides, which survive a reboot; default /var/lib/lvsd/overrides.json, or
                        none if there is a --state: then they are in that file only
      --listen ADDRESS:PORT  web: a loopback address, unix:PATH, or systemd for a socket of the service manager; default
                        as web.listen in the file. Its --socket is /run/lvsd/read.sock by default
      --host NAME    web: another name by which it may be asked; may be repeated
      --json         output for programs

plan and apply use the control socket of a running daemon, which has the health states: a real server that is down is
not reported as a difference. Without a daemon every real server counts as up.

Signals (run): HUP reloads the file, TERM and INT stop lvsd. on_stop decides whether the kernel keeps the services.

Exit status:
  0  success
  1  failed at run time; doctor: found a problem
  2  wrong usage or an invalid file
  3  plan: there is a difference
  4  not permitted: lvsd needs CAP_NET_ADMIN
  5  the kernel lacks a feature: see docs/kernel.md

Files: /etc/lvsd/lvsd.yaml, /run/lvsd/control.sock, /run/lvsd/state.json, /var/lib/lvsd/overrides.json.
See docs/configuration.md for the file, and lvsctl --help for commands to a running daemon.
`;
