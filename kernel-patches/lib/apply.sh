# SPDX-License-Identifier: GPL-2.0-only
# Applies a series to a kernel source: exactly if the files that it changes are those that it was made for, else by
# three-way merge in a small git repository in the cache, which also has the files that it was made for.
# shellcheck shell=bash

series_file() { echo "$here/$1/series"; }

# Header lines of a series (see docs/kernel.md): "# base: linux-source-6.1 6.1.192-2", "# sha256 SUM  PATH",
# "# absent PATH".
series_base_version() {
  local file
  file=$(series_file "$1")
  [[ ! -f $file ]] || awk '$1 == "#" && $2 == "base:" { print $4; exit }' "$file"
}

series_patches() {
  local file name
  file=$(series_file "$1")
  [[ -f $file ]] || return 0
  while read -r name; do
    [[ -n $name && $name != \#* ]] || continue
    [[ -f $here/$1/$name ]] || die "$file names $name, which is missing"
    echo "$here/$1/$name"
  done <"$file"
}

# Lists the files of SOURCE that are not those the series was made for.
changed_files() {
  local mark sum path
  while read -r _ mark sum path; do
    case $mark in
      sha256) [[ -f $2/$path && $(sha256sum <"$2/$path") == "$sum "* ]] || echo "$path" ;;
      absent) [[ ! -e $2/$sum ]] || echo "$sum" ;;
    esac
  done < <(grep -E '^# (sha256|absent) ' "$(series_file "$1")")
}

# import_source REPO VERSION DIR: commits the patched parts of DIR, with the tag base/VERSION; the id is always the same.
import_source() {
  local repo=$1 tag="base/${2//\~/_}" index tree commit part there=()
  plain_git -C "$repo" rev-parse -q --verify "$tag" >/dev/null && return
  index=$(mktemp -u)
  for part in "${parts[@]}"; do [[ ! -e $3/$part ]] || there+=("$part"); done
  (cd "$3" && GIT_DIR="$repo/.git" GIT_WORK_TREE=. GIT_INDEX_FILE="$index" plain_git add -f "${there[@]}")
  tree=$(GIT_INDEX_FILE="$index" plain_git -C "$repo" write-tree)
  rm -f "$index"
  commit=$(GIT_AUTHOR_NAME='lvsd build' GIT_AUTHOR_EMAIL=lvsd@lists.example.org GIT_AUTHOR_DATE='1700000000 +0000' \
    GIT_COMMITTER_DATE='1700000000 +0000' plain_git -C "$repo" commit-tree -m "linux-source $2: the parts that lvsd patches" "$tree")
  plain_git -C "$repo" tag "$tag" "$commit"
}

# am_series REPO VERSION WORKTREE [-3] PATCH...: leaves the commits in WORKTREE (detached).
am_series() {
  local repo=$1 version=$2 tree=$3 three=()
  shift 3
  [[ ${1-} != -3 ]] || { three=(-3); shift; }
  plain_git -C "$repo" worktree prune
  plain_git -C "$repo" worktree add -q --detach "$tree" "base/${version//\~/_}"
  (($# > 0)) || return 0
  plain_git -C "$tree" -c merge.conflictStyle=diff3 am -q "${three[@]}" --keep-non-patch --whitespace=nowarn --committer-date-is-author-date "$@" \
    >"$tree.log" 2>&1
}

# Names the patch, file and hunk that did not fit, and both versions.
explain_failure() {
  local tree=$1 made_for=$2 version=$3 at patch file dir
  shift 3
  dir=$(plain_git -C "$tree" rev-parse --git-path rebase-apply)
  at=$(cat "$dir/next" 2>/dev/null || echo 1)
  patch=${!at}
  say "$(basename "$patch") does not fit linux-source $version; it was made for ${made_for:-an unnamed version}:"
  while read -r file; do
    plain_git -C "$tree" diff -- "$file" | awk -v f="$file" '/^@@@/ { print "  " f ": hunk " $0 }' >&2
  done < <(plain_git -C "$tree" diff --name-only --diff-filter=U)
  grep -E '^(error|CONFLICT|fatal)' "$tree.log" | sed 's/^/  /' >&2 || true
}

# apply_series LINE VERSION SOURCE OUT: OUT becomes a git worktree of SOURCE plus one commit per patch.
apply_series() {
  local line=$1 version=$2 source=$3 out=$4 repo="$cache/repo-$1" patches changed='' made_for
  mapfile -t patches < <(series_patches "$line")
  made_for=$(series_base_version "$line")
  [[ -d $repo/.git ]] || plain_git init -q "$repo"
  import_source "$repo" "$version" "$source"
  [[ ${#patches[@]} == 0 ]] || changed=$(changed_files "$line" "$source")
  if [[ -z $changed ]]; then
    am_series "$repo" "$version" "$out" "${patches[@]}" && return
    explain_failure "$out" "$made_for" "$version" "${patches[@]}"
    die "the series in $here/$line is damaged: it does not apply to its own base"
  fi
  say "linux-source $version differs from $made_for in files that the series touches:"
  sed 's/^/kernel:   /' <<<"$changed" >&2
  local mode=() source_dir
  if find_source "$line" "$made_for"; then
    import_source "$repo" "$made_for" "$source_dir"
    local first="$out.base"
    am_series "$repo" "$made_for" "$first" "${patches[@]}" || {
      explain_failure "$first" "$made_for" "$made_for" "${patches[@]}"
      die "the series in $here/$line is damaged: it does not apply to its own base"
    }
    plain_git -C "$repo" worktree remove --force "$first"
    rm -f "$first.log"
    mode=(-3) merged=1
  else
    say "linux-source $made_for is neither here nor in Debian's archive: no three-way merge, every hunk must find its context unchanged"
  fi
  am_series "$repo" "$version" "$out" "${mode[@]}" "${patches[@]}" && return
  explain_failure "$out" "$made_for" "$version" "${patches[@]}"
  die 'stopped; nothing was built'
}
