// SPDX-License-Identifier: MIT
export const HELP = `lvsd: keeps the kernel's IPVS table, and the addresses that it needs, as one file says.

Usage:
  lvsd run [-f FILE] [-n] [--once]   check real servers, keep the kernel as the file wants it, in the foreground
  lvsd check [-f FILE] [--json]      is the file right? needs neither root nor IPVS
  lvsd plan [-f FILE] [--json]       what would change; nothing is changed
  lvsd apply [-f FILE] [--json]      change it, once; nothing is checked
  lvsd doctor [--json]               look at this machine's IPVS, say what is there and what is wrong
  lvsd help | -h | --help
  lvsd version | -V | --version

Options:
  -f, --file FILE    the configuration; default /etc/lvsd/lvsd.yaml
  -t, --test         the same as check, as in keepalived
  -n, --foreground   for those who write it for keepalived: lvsd never leaves the foreground
      --once         run: bring the kernel to what the file wants, by what is known of the real servers, and end
      --node NAME    which of the file's nodes this is; default: the host name
      --socket PATH  the control socket; default /run/lvsd/control.sock
      --state PATH   what a restart remembers; default /run/lvsd/state.json
      --json         for programs

plan and apply ask a running daemon first (by its control socket): it knows which real servers are down, so these are
no difference. Without one every real server counts as up.

Signals (run): HUP reads the file again, TERM and INT end it. What stays in the kernel then is on_stop's business.

Exit status: 0 fine; 1 failed at run time (doctor: found a problem); 2 wrong usage or a wrong file; 3 the plan is not
empty; 4 not permitted; 5 the kernel lacks it.

Files: /etc/lvsd/lvsd.yaml, /run/lvsd/control.sock, /run/lvsd/state.json.
The file is described in docs/configuration.md; a running daemon is asked by lvsctl.
`;
