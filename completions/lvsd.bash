# SPDX-License-Identifier: MIT
# Completion of lvsd for bash: source it, or put it into /usr/share/bash-completion/completions/lvsd. Commands and options
# are those of lvsd --help.

_lvsd() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} help words
  case $before in
    -f | --file | --socket | --state) compopt -o default 2>/dev/null; return ;;
  esac
  help=$(lvsd --help 2>/dev/null)
  case $word in
    -*) words=$(sed -n '/^Options:/,/^$/s/^ .*\(--[a-z-]*\).*  .*/\1/p' <<<"$help") ;;
    *) words=$(sed -n '/^Usage:/,/^$/s/^  lvsd \([a-z]*\) .*/\1/p' <<<"$help") ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _lvsd lvsd
