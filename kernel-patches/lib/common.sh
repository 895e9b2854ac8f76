# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the scripts of this folder: messages, cache, small helpers.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache="${LVSD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lvsd}/kernel"

# The parts of a kernel source that the series may change. Everything else that is unpacked is only read. The selftests
# are in one of the two folders, depending on the kernel line.
# shellcheck disable=SC2034 # used by the files that source this one
parts=(net/netfilter/ipvs net/netfilter/xt_ipvs.c include/net/ip_vs.h include/uapi/linux/ip_vs.h
  Documentation/networking/ipvs-sysctl.rst Documentation/networking/ipvs-fullnat.rst
  tools/testing/selftests/netfilter tools/testing/selftests/net/netfilter)

say() { printf 'kernel: %s\n' "$*" >&2; }

# die MESSAGE: exits with status 1; misuse, for usage errors, with 2.
die() {
  say "$*"
  exit 1
}

misuse() {
  say "$* (--help lists the options)"
  exit 2
}

hash_of() { sha256sum | cut -c1-16; }

# Unpacked folders appear by rename; removes an unfinished one.
trap 'rm -rf "$cache/fresh-$$"' EXIT

# lock NAME: waits until no other process holds the lock of that name; held until this process ends.
lock() {
  mkdir -p "$cache"
  exec {lock_fd}>"$cache/$1.lock"
  flock -n "$lock_fd" && return
  say "waiting for another build that uses $1"
  flock "$lock_fd"
}

# quietly COMMAND...: shows the end of its output only if it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

need() {
  local tool missing=()
  for tool in "$@"; do command -v "$tool" >/dev/null || missing+=("$tool"); done
  ((${#missing[@]} == 0)) || die "these programs are missing: ${missing[*]}"
}

# Git without the caller's configuration, so that the commits are always the same.
plain_git() {
  GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_COMMITTER_NAME='lvsd build' \
    GIT_COMMITTER_EMAIL='lvsd@lists.example.org' git -c core.autocrlf=false -c gc.auto=0 -c advice.detachedHead=false "$@"
}

# keep_newest NAME...: keeps the twelve last used folders of each name in the cache.
keep_newest() {
  local name old
  for name in "$@"; do
    find "$cache" -maxdepth 1 -type d -name "$name-*" -printf '%T@ %p\n' | sort -rn | tail -n +13 | cut -d' ' -f2- |
      while read -r old; do rm -rf "$old" "$old".*; done
  done
}
