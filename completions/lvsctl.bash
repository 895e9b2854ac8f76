# SPDX-License-Identifier: MIT
# Completion of lvsctl for bash: source it, or put it into /usr/share/bash-completion/completions/lvsctl. Commands and
# options are those of lvsctl --help, names those of the running lvsd.

_lvsctl_names() {
  # Names at this depth of the JSON: 6 has services, 10 has real servers.
  lvsctl --json status 2>/dev/null | sed -n "s/^ \{$1\}\"name\": \"\(.*\)\",\{0,1\}\$/\1/p"
}

_lvsctl() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} help commands command= place=0 words= i
  # bash splits words at colons, which addresses contain.
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n : -c word -p before
  fi
  help=$(lvsctl --help 2>/dev/null)
  commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*  .*/\1/p' <<<"$help")
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *)
        if [ -n "$command" ]; then place=$((place + 1)); fi
        if [ -z "$command" ] && grep -qxF -- "${COMP_WORDS[i]}" <<<"$commands"; then command=${COMP_WORDS[i]}; fi
        ;;
    esac
  done
  case $before in
    -s | --socket) compopt -o default 2>/dev/null; return ;;
  esac
  case $word in
    -*) words=$(sed -n '/^Options:/,/^$/s/^ .*\(--[a-z-]*\).*  .*/\1/p' <<<"$help") ;;
    *)
      if [ -z "$command" ]; then
        words=$commands
      else
        case $(sed -n "/^Commands:/,/^\$/s/^  \($command .*\)  .*/\1/p" <<<"$help" | head -n 1),$place in
          *'[on|off]'*,0) words='on off' ;;
          *SERVICE*SERVER*,0) words="$(_lvsctl_names 6) $(_lvsctl_names 10)" ;;
          *SERVICE*SERVER*,1) words=$(_lvsctl_names 10) ;;
          *SERVICE*,0) words=$(_lvsctl_names 6) ;;
          *SERVER*,0) words=$(_lvsctl_names 10) ;;
        esac
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions "$word"
  fi
}

complete -F _lvsctl lvsctl
