# SPDX-License-Identifier: MIT
# Completion of lvsadm for fish: put it into /usr/share/fish/vendor_completions.d.

function __lvsadm_services
    lvsadm -Sn 2>/dev/null | string replace -rf "^-A $argv[1] (\S+).*" '$1'
end

complete -c lvsadm -f
complete -c lvsadm -n __fish_use_subcommand -a diff -d 'Print what a restore of a file would change'
complete -c lvsadm -n __fish_use_subcommand -a restore -d 'Make the table match a file, or change nothing'
complete -c lvsadm -n __fish_use_subcommand -a save -d 'Print everything as rules'
complete -c lvsadm -n '__fish_seen_subcommand_from diff restore' -F
complete -c lvsadm -n '__fish_seen_subcommand_from restore' -l atomic -d Required
complete -c lvsadm -n '__fish_seen_subcommand_from save' -l full -d 'Thresholds, timeouts and daemons too'

complete -c lvsadm -s A -l add-service -d 'Add a virtual service'
complete -c lvsadm -s E -l edit-service -d 'Change a virtual service'
complete -c lvsadm -s D -l delete-service -d 'Delete a virtual service'
complete -c lvsadm -s C -l clear -d 'Delete the whole table'
complete -c lvsadm -s a -l add-server -d 'Add a real server'
complete -c lvsadm -s e -l edit-server -d 'Change a real server'
complete -c lvsadm -s d -l delete-server -d 'Delete a real server'
complete -c lvsadm -s P -l add-laddr -d 'Add a local address'
complete -c lvsadm -s Q -l del-laddr -d 'Delete a local address'
complete -c lvsadm -s G -l get-laddr -d 'List local addresses'
complete -c lvsadm -l secret -rF -d 'Set the secret of sequence numbers of FULLNAT'
complete -c lvsadm -l cookie-secret -rF -d 'Set the secret of SYN cookies'
complete -c lvsadm -l stage -d 'Accept its cookies, but do not make them yet'
complete -c lvsadm -s L -s l -l list -d 'List'
complete -c lvsadm -s Z -l zero -d 'Set counters to zero'
complete -c lvsadm -s S -l save -d 'Print the table as rules'
complete -c lvsadm -s R -l restore -d 'Apply rules from standard input'
complete -c lvsadm -l set -x -d 'Set timeouts: TCP TCPFIN UDP'
complete -c lvsadm -l start-daemon -xa 'master backup' -d 'Start synchronisation'
complete -c lvsadm -l stop-daemon -xa 'master backup' -d 'Stop synchronisation'
complete -c lvsadm -s h -l help -d 'Print help'
complete -c lvsadm -s v -l version -d 'Print the version'

complete -c lvsadm -s t -l tcp-service -xa '(__lvsadm_services -t)' -d 'A TCP service'
complete -c lvsadm -s u -l udp-service -xa '(__lvsadm_services -u)' -d 'A UDP service'
complete -c lvsadm -l sctp-service -xa '(__lvsadm_services --sctp-service)' -d 'An SCTP service'
complete -c lvsadm -s f -l fwmark-service -xa '(__lvsadm_services -f)' -d 'A firewall mark'
complete -c lvsadm -s 6 -l ipv6 -d 'After -f: for IPv6'
complete -c lvsadm -s s -l scheduler -xa 'rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh' -d Scheduler
complete -c lvsadm -s p -l persistent -d 'Keep a client with its server'
complete -c lvsadm -s M -l netmask -x -d 'Clients that are treated as one'
complete -c lvsadm -l pe -xa sip -d 'Persistence engine'
complete -c lvsadm -s o -l ops -d 'Schedule every UDP packet separately'
complete -c lvsadm -l sched-flags -x -d 'Flags of the scheduler'
complete -c lvsadm -l local-ports -x -d 'Local ports of FULLNAT, MIN-MAX'
complete -c lvsadm -s j -l synproxy -xa 'enable disable' -d 'SYN proxy'
complete -c lvsadm -l synproxy-opts -x -d 'What SYN proxy offers'
complete -c lvsadm -l defence -xa 'none drop-strays drop-fragments' -d 'Defence against floods'
complete -c lvsadm -s r -l real-server -x -d 'Real server'
complete -c lvsadm -s g -l gatewaying -d 'Direct routing'
complete -c lvsadm -s i -l ipip -d Tunnelling
complete -c lvsadm -s m -l masquerading -d NAT
complete -c lvsadm -s b -l fullnat -d 'FULLNAT, after -a and -e'
complete -c lvsadm -s w -l weight -x -d Weight
complete -c lvsadm -s x -l u-threshold -x -d 'Maximum connections'
complete -c lvsadm -s y -l l-threshold -x -d 'Connections below which it is used again'
complete -c lvsadm -l tun-type -xa 'ipip gue gre' -d Encapsulation
complete -c lvsadm -l tun-port -x -d 'Port of GUE'
complete -c lvsadm -l tun-nocsum -d 'No checksum'
complete -c lvsadm -l tun-csum -d Checksum
complete -c lvsadm -l tun-remcsum -d 'Remote checksum'
complete -c lvsadm -s z -l laddr -x -d 'Local address'
complete -c lvsadm -l drain -d 'Accept no new connections'
complete -c lvsadm -s n -l numeric -d Numbers
complete -c lvsadm -s c -l connection -d Connections
complete -c lvsadm -l timeout -d Timeouts
complete -c lvsadm -l daemon -d 'Synchronisation daemons'
complete -c lvsadm -l stats -d Counters
complete -c lvsadm -l rate -d 'Counters per second'
complete -c lvsadm -l thresholds -d 'Connection limits'
complete -c lvsadm -l persistent-conn -d 'Persistent connections'
complete -c lvsadm -l tun-info -d Tunnels
complete -c lvsadm -l nosort -d "In the kernel's order"
complete -c lvsadm -s X -l exact -d 'Counters with all digits'
complete -c lvsadm -l json -d 'As JSON'
complete -c lvsadm -l where -xa 'service= dest= client= laddr= protocol= state=' -d 'Only matching entries'
complete -c lvsadm -l watch -d 'Repeat the listing'
complete -c lvsadm -l mcast-interface -xa '(__fish_print_interfaces)' -d Interface
complete -c lvsadm -l syncid -x -d 'Identity of the daemon'
complete -c lvsadm -l sync-maxlen -x -d 'Bytes of a message'
complete -c lvsadm -l mcast-group -x -d Group
complete -c lvsadm -l mcast-port -x -d Port
complete -c lvsadm -l mcast-ttl -x -d TTL
