# SPDX-License-Identifier: GPL-2.0-only
# Check that every function which the series shares between files has a kernel-doc comment without warnings.
# shellcheck shell=bash

# undescribed TREE BASE NAMES: functions that added lines of headers declare or define and that the file NAMES lacks. A
# reader of one sysctl is described with the sysctl, in ipvs-sysctl.rst.
undescribed() {
  local tree=$1 base=$2 names=$3 name
  plain_git -C "$tree" diff -U0 --no-renames "$base" HEAD -- '*.h' | perl "$here/lib/shared.pl" | while read -r name; do
    ! grep -qxF "$name" "$names" || continue
    [[ $name != sysctl_* ]] ||
      ! plain_git -C "$tree" grep -qE "^${name#sysctl_} - " HEAD -- Documentation/networking/ipvs-sysctl.rst || continue
    echo "$name"
  done
}

# describe TREE COMMIT FILE DIR: adds the output of the headers' kernel-doc for FILE to DIR/text, and its warnings
# without line numbers to DIR/warnings. Since 6.5 it can require descriptions of return values.
describe() {
  local script="$headers/scripts/kernel-doc" strict=() copy="$4/${3##*/}"
  ! grep -q -- '-Wall' "$script" || strict=(-Wall)
  plain_git -C "$1" cat-file blob "$2:$3" >"$copy"
  perl "$script" "${strict[@]}" -rst -sphinx-version 3.0 "$copy" >>"$4/text" 2>"$4/said"
  sed -E "s|$4/||; s/:[0-9]+:/:/" "$4/said" >>"$4/warnings"
}

run_kernel_doc() {
  local tree=$1 base=$2 dir file missing new
  dir=$(mktemp -d)
  mkdir "$dir/old" "$dir/new"
  while read -r file; do
    describe "$tree" HEAD "$file" "$dir/new"
    ! plain_git -C "$tree" cat-file -e "$base:$file" 2>/dev/null || describe "$tree" "$base" "$file" "$dir/old"
  done < <(plain_git -C "$tree" diff --name-only --no-renames "$base" HEAD -- 'include/net/*.h' 'net/*.[ch]')
  touch "$dir"/{old,new}/{text,warnings}
  sed -nE 's/^\.\. c:function:: .*[ *](\w+) \(.*/\1/p' "$dir/new/text" | sort -u >"$dir/names"
  missing=$(undescribed "$tree" "$base" "$dir/names")
  new=$(comm -13 <(sort -u "$dir/old/warnings") <(sort -u "$dir/new/warnings") | grep -vE '^[0-9]+ warnings|no structured comments found' || true)
  rm -rf "$dir"
  [[ -z $new ]] || sed 's/^/kernel-doc: /' <<<"$new" >&2
  [[ -z $missing ]] || sed 's/$/: shared between files, without a kernel-doc comment/' <<<"$missing" >&2
  [[ -z $new && -z $missing ]] || { say 'kernel-doc: comments are missing or have warnings'; return 1; }
  say 'kernel-doc: every shared function has a comment, no new warning'
}
