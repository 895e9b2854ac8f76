// SPDX-License-Identifier: MIT
export const HELP = `lvsctl: asks a running lvsd, and tells it what to do.

Usage:
  lvsctl [OPTION...] COMMAND

Commands:
  status [SERVICE]            services, their real servers, what checks say and how many connections there are
  plan                        what lvsd would change in the kernel if it read its file now; changes nothing
  reload                      read the file again; a wrong one is refused as a whole and nothing changes
  drain [SERVICE] SERVER      no new connections for this real server; those there are go on
  undrain [SERVICE] SERVER    end that
  pause [on|off]              on: nothing more is written to the kernel, checks go on; off: catch up with all of it
  resume                      the same as pause off
  events                      what happened lately
  help                        this

  SERVER is a real server's name, or its address:port, as status shows it. Without SERVICE it is drained in every
  service that has it. A drain survives a reload and a restart of lvsd; only undrain ends it.

Options:
  -s, --socket PATH    the control socket; default /run/lvsd/control.sock
  -j, --json           for programs: the daemon's answer as JSON; events: an object a line
  -f, --follow         events: go on with those that come, until interrupted
  -a, --after NUMBER   events: only those after the one with this number
  -h, --help
  -V, --version

Colours appear on a terminal only, and not with NO_COLOR in the environment.

Exit status:
  0    fine
  1    no daemon answers, or it failed; reload: the kernel refused something
  2    wrong usage, no such service or real server, or a file that lvsd refuses
  3    plan: there is a difference
  4    not permitted: the socket is its owner's alone (root's)
  5    the kernel lacks a feature that the file needs

Examples:
  lvsctl status shop
  lvsctl drain shop 10.31.4.2:8443 && sleep 60 && systemctl --host 10.31.4.2 restart web
  lvsctl plan || echo 'the kernel is not as the file says'
  lvsctl --json status | jq '.services[] | select(.quorum.up | not) | .name'
  lvsctl events --follow
`;
