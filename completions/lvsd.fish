# SPDX-License-Identifier: MIT
# Completion of lvsd for fish: put it into /usr/share/fish/vendor_completions.d. Commands and options are those of
# lvsd --help.

function __lvsd_help
    lvsd --help 2>/dev/null | sed -n "/^$argv[1]:/,/^\$/$argv[2]"
end

complete -c lvsd -f
complete -c lvsd -n __fish_use_subcommand -a '(__lvsd_help Usage "s/^  lvsd \([a-z]*\) .*  \([^ ].*\)/\1\t\2/p")'
complete -c lvsd -s f -l file -r -F -d 'the configuration'
complete -c lvsd -l socket -r -F -d 'the control socket'
complete -c lvsd -l state -r -F -d 'the state file'
complete -c lvsd -n 'string match -q -- "-*" (commandline -ct)' -a '(__lvsd_help Options "s/^ .*\(--[a-z-]*\).*  \([^ ].*\)/\1\t\2/p")'
