#!/bin/sh
# SPDX-License-Identifier: MIT
# On real servers: /proc/net/toa_stats for the textfile collector of node_exporter, from a timer or cron:
#   toa-textfile.sh /var/lib/prometheus/node-exporter
set -eu
# node_exporter is another user.
umask 022
out="${1:?the directory of the textfile collector}/toa.prom"
stats="${TOA_STATS:-/proc/net/toa_stats}"
[ -f "$stats" ] && [ -r "$stats" ] || { echo "toa-textfile.sh: cannot read $stats: is the module toa loaded?" >&2; exit 1; }
trap 'rm -f "$out.$$"' EXIT
awk -F: '
function wrong() { bad = FNR; exit 1 }
function total(text, n, i, sum, part) {
  n = split(text, part, " ")
  if (n == 0) wrong()
  for (i = 1; i <= n; i++) {
    if (part[i] !~ /^[0-9]+$/ || length(part[i]) > 20) wrong()
    sum += part[i]
  }
  return sum
}
function count(key) {
  if (!(key in value)) {
    printf "toa-textfile.sh: %s has no row %s; nothing is written\n", FILENAME, key > "/dev/stderr"
    exit 1
  }
  return value[key]
}
function head(name, type, help) { printf "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type }
function by(name, label, list, n, i, words, pair) {
  n = split(list, words, " ")
  for (i = 1; i <= n; i++) {
    split(words[i], pair, "=")
    printf "%s{%s=\"%s\"} %.0f\n", name, label, pair[1], count(pair[2])
  }
}
/^[ \t]*(CPU[0-9]+[ \t]*)*$/ { next }
{
  key = $1
  gsub(/[ \t]/, "", key)
  if (NF != 2 || key !~ /^[a-z_]+$/ || key in value) wrong()
  value[key] = total($2)
}
END {
  if (!bad && !("entries" in value)) bad = FNR + 1
  if (bad) {
    printf "toa-textfile.sh: line %d of %s is not one of toa_stats; nothing is written\n", bad, FILENAME > "/dev/stderr"
    exit 1
  }
  head("toa_handshakes_total", "counter", "Handshakes, by what they say of the client.")
  by("toa_handshakes_total", "result", "toa=syn_recv_sock_toa no_toa=syn_recv_sock_no_toa untrusted=syn_recv_sock_untrusted malformed=toa_malformed")
  head("toa_answers_total", "counter", "Answers of accept() and getpeername().")
  by("toa_answers_total", "result", "ok=getname_toa_ok mismatch=getname_toa_mismatch bypass=getname_toa_bypass empty=getname_toa_empty")
  head("toa_not_kept_total", "counter", "Addresses of clients that were not kept, for lack of room or memory.")
  printf "toa_not_kept_total %.0f\n", count("toa_not_kept")
  head("toa_probe_missed_total", "counter", "Answers that showed the address of the balancer, for lack of probes.")
  printf "toa_probe_missed_total %.0f\n", count("probe_missed")
  head("toa_entries", "gauge", "Connections whose client is known.")
  printf "toa_entries %.0f\n", count("entries")
}' "$stats" > "$out.$$"
mv "$out.$$" "$out"
