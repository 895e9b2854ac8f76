# SPDX-License-Identifier: MIT
# Completion of lvsctl for fish: put it into /usr/share/fish/vendor_completions.d. Commands and options are those of
# lvsctl --help.

function __lvsctl_help
    lvsctl --help 2>/dev/null | sed -n "/^$argv[1]:/,/^\$/$argv[2]"
end

function __lvsctl_names
    # Names at this depth of the JSON: 6 has services, 10 has real servers.
    lvsctl --json status 2>/dev/null | sed -n "s/^ \{$argv[1]\}\"name\": \"\(.*\)\",\{0,1\}\$/\1/p"
end

function __lvsctl_takes
    set -l words (commandline -opc | string match -v -- '-*')
    set -q words[2]; and __lvsctl_help Commands "s/^  \($words[2] .*\)  .*/\1/p" | string match -q "*$argv[1]*"
end

complete -c lvsctl -f
complete -c lvsctl -n __fish_use_subcommand -a '(__lvsctl_help Commands "s/^  \([a-z][a-z-]*\) .*  \([^ ].*\)/\1\t\2/p")'
complete -c lvsctl -n '__lvsctl_takes SERVICE' -a '(__lvsctl_names 6)'
complete -c lvsctl -n '__lvsctl_takes SERVER' -a '(__lvsctl_names 10)'
complete -c lvsctl -n '__lvsctl_takes "[on|off]"' -a 'on off'
complete -c lvsctl -n 'string match -q -- "-*" (commandline -ct)' -a '(__lvsctl_help Options "s/^ .*\(--[a-z-]*\).*  \([^ ].*\)/\1\t\2/p")'
