# SPDX-License-Identifier: GPL-2.0-only
# Checks of every patch (builds by itself, no report of checkpatch) and of all together (no warning of sparse and W=1
# that the unpatched source does not have).
# shellcheck shell=bash

install_missing() {
  local tool missing=()
  for tool in "$@"; do command -v "$tool" >/dev/null || missing+=("$tool"); done
  ((${#missing[@]} > 0)) || return 0
  [[ $(id -u) == 0 ]] || die "missing: ${missing[*]}; install the Debian packages of these names"
  say "installing ${missing[*]}"
  quietly apt-get -q install -y --no-install-recommends "${missing[@]}" || die "cannot install ${missing[*]}"
}

# Checks that passed are recorded in the cache and not repeated: done_before KEY, remember KEY.
done_before() { [[ -f $cache/checked/$1 ]]; }

remember() {
  mkdir -p "$cache/checked"
  touch "$cache/checked/$1"
}

# commits TREE BASE: one id per patch, first to last.
commits() { plain_git -C "$1" rev-list --reverse "$2..HEAD"; }

title() { plain_git -C "$1" log -1 --format=%s "$2"; }

# build_each TREE BASE: builds every commit without a warning, in one folder, so that make compiles only what changed.
build_each() {
  local tree=$1 base=$2 work="$cache/work-${kver}_$headers_version-each" commit key log stage_from number=0
  lock "work-${kver}_$headers_version-each"
  stage_from=$(mktemp -d)
  log="$work.log"
  for commit in $(commits "$tree" "$base"); do
    number=$((number + 1))
    key=$( (echo "$kver $headers_version"; cat "$here"/lib/compile.sh; plain_git -C "$tree" rev-parse "$commit^{tree}") | hash_of)
    if done_before "$key"; then
      say "$number builds (seen before): $(title "$tree" "$commit")"
      continue
    fi
    find "$stage_from" -mindepth 1 -delete
    plain_git -C "$tree" archive "$commit" | tar -x -C "$stage_from"
    stage "$stage_from" "$work"
    # Without debug information, which takes time and causes no warnings.
    compile "$work" each "$log" KCFLAGS=-g0 || { show_errors "$log"; die "does not build: $(title "$tree" "$commit")"; }
    if grep -q 'warning:' "$log"; then
      show_errors "$log"
      die "builds with warnings: $(title "$tree" "$commit")"
    fi
    remember "$key"
    say "$number builds: $(title "$tree" "$commit")"
  done
  rm -rf "$stage_from"
  say "$number patches, each builds by itself for $kver"
}

# Lines that a patch may add and remove, so that it can be reviewed in one sitting.
longest_patch=400

run_lengths() {
  local tree=$1 base=$2 commit lines bad=0 number=0 longest=0
  for commit in $(commits "$tree" "$base"); do
    number=$((number + 1))
    lines=$(plain_git -C "$tree" diff --numstat --no-renames "$commit~" "$commit" | awk '{ n += $1 + $2 } END { print n + 0 }')
    ((lines <= longest)) || longest=$lines
    ((lines > longest_patch)) || continue
    say "$lines changed lines (limit: $longest_patch): $(title "$tree" "$commit")"
    bad=$((bad + 1))
  done
  ((bad == 0)) || return 1
  say "$number patches, the longest changes $longest lines"
}

# FILE_PATH_CHANGES concerns MAINTAINERS, which the series does not change; UNKNOWN_COMMIT_ID the commits that Fixes:
# tags name, as the tree has none of mainline's history; the other two concern ip_vs_compat.h, the only file that tests
# the kernel's version (checked by a unit test).
ignored=FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID,LINUX_VERSION_CODE,CONSTANT_COMPARISON

run_checkpatch() {
  local tree=$1 base=$2 commit bad=0 number=0 out
  for commit in $(commits "$tree" "$base"); do
    number=$((number + 1))
    out=$(plain_git -C "$tree" format-patch -1 --stdout --no-signature "$commit" |
      perl "$source_dir/scripts/checkpatch.pl" -q --strict --no-tree --no-summary --ignore "$ignored" --show-types - 2>&1) && continue
    printf 'checkpatch: %s\n%s\n' "$(title "$tree" "$commit")" "$out" >&2
    bad=$((bad + 1))
  done
  ((bad == 0)) || { say "checkpatch --strict: $bad of $number patches have reports"; return 1; }
  say "checkpatch --strict: $number patches, no report"
}

# Writes the warnings of sparse and W=1 on a tree, without line numbers, so that two trees can be compared.
analyse() {
  local work=$1 from=$2 log="$1.log"
  stage "$from" "$work"
  find "$work" -name '*.o' -delete
  compile "$work" check "$log" C=2 W=1 CHECK=sparse KCFLAGS=-g0 || { show_errors "$log"; die 'does not build under W=1'; }
  grep -E '(warning|error):' "$log" | sed -E "s|$work/||g; s/:[0-9]+:([0-9]+:)?/:/; s|^\.?/?net/netfilter/||" | sort >"$work.warnings" || true
}

run_sparse() {
  local tree=$1 base=$2 dir new key
  key=$( (echo "$kver $headers_version"; cat "$here"/lib/c{heck,ompile}.sh; plain_git -C "$tree" rev-parse "$base^{tree}" 'HEAD^{tree}') | hash_of)
  if done_before "$key"; then
    say 'sparse and W=1: no new warning (seen before)'
    return
  fi
  install_missing sparse
  lock "work-${kver}_$headers_version-check"
  dir=$(mktemp -d)
  plain_git -C "$tree" archive "$base" | tar -x -C "$dir"
  say 'sparse and W=1 on the unpatched source'
  analyse "$cache/work-${kver}_$headers_version-check-base" "$dir"
  find "$dir" -mindepth 1 -delete
  plain_git -C "$tree" archive HEAD | tar -x -C "$dir"
  say 'sparse and W=1 on the patched source'
  analyse "$cache/work-${kver}_$headers_version-check" "$dir"
  rm -rf "$dir"
  new=$(comm -13 "$cache/work-${kver}_$headers_version-check-base.warnings" "$cache/work-${kver}_$headers_version-check.warnings")
  if [[ -n $new ]]; then
    printf '%s\n' "$new" >&2
    die "sparse or W=1: $(wc -l <<<"$new") new warnings"
  fi
  remember "$key"
  say 'sparse and W=1: no new warning'
}
