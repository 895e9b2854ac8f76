# SPDX-License-Identifier: MIT
# Completion of lvsadm for bash: source it, or put it into /usr/share/bash-completion/completions/lvsadm.

_lvsadm_services() {
  # Existing services of the option $1: -t, -u, --sctp-service or -f.
  lvsadm -Sn 2>/dev/null | sed -n "s/^-A $1 \([^ ]*\).*/\1/p"
}

_lvsadm() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} line=" ${COMP_WORDS[*]:1} "
  # bash splits words at colons, which addresses contain.
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n : -c word -p before
  fi
  local service='-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service'
  local words=
  case $before in
    -s | --scheduler) words='rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh' ;;
    --pe) words=sip ;;
    --tun-type) words='ipip gue gre' ;;
    --start-daemon | --stop-daemon) words='master backup' ;;
    --mcast-interface) words=$(ls /sys/class/net 2>/dev/null) ;;
    --where) words='service= dest= client= laddr= protocol= state='; compopt -o nospace ;;
    -t | --tcp-service) words=$(_lvsadm_services -t) ;;
    -u | --udp-service) words=$(_lvsadm_services -u) ;;
    --sctp-service) words=$(_lvsadm_services --sctp-service) ;;
    -f | --fwmark-service) words=$(_lvsadm_services -f) ;;
    --secret | --cookie-secret) compopt -o default; return ;;
    *)
      case $line in
        ' diff '*) words=--json; compopt -o default ;;
        ' restore '*) words=--atomic; compopt -o default ;;
        ' save '*) words=--full ;;
        *' -A '* | *' --add-service '* | *' -E '* | *' --edit-service '*)
          words="$service -6 --ipv6 -s --scheduler -p --persistent -M --netmask --pe -o --ops -b --sched-flags --local-ports"
          words+=' -j --synproxy --synproxy-opts --defence'
          ;;
        *' -D '* | *' --delete-service '* | *' -Z '* | *' --zero '*) words=$service ;;
        *' -a '* | *' --add-server '* | *' -e '* | *' --edit-server '*)
          words="$service -r --real-server -g --gatewaying -i --ipip -m --masquerading -b --fullnat -w --weight"
          words+=' -x --u-threshold -y --l-threshold --tun-type --tun-port --tun-nocsum --tun-csum --tun-remcsum'
          ;;
        *' -d '* | *' --delete-server '*) words="$service -r --real-server" ;;
        *' -P '* | *' --add-laddr '*) words="$service -z --laddr" ;;
        *' -Q '* | *' --del-laddr '*) words="$service -z --laddr --drain" ;;
        *' -G '* | *' --get-laddr '*) words="$service --json --where --watch" ;;
        *' -L'* | *' -l'* | *' --list '*)
          words="$service -n --numeric -c --connection --timeout --daemon --stats --rate --thresholds --persistent-conn"
          words+=' --tun-info --nosort -X --exact --json --where --watch'
          ;;
        *' --cookie-secret '*) words=--stage ;;
        *' -S '* | *' --save '*) words='-n --numeric' ;;
        *' --start-daemon '* | *' --stop-daemon '*)
          words='--mcast-interface --syncid --sync-maxlen --mcast-group --mcast-port --mcast-ttl'
          ;;
        *)
          words='diff restore save -A --add-service -E --edit-service -D --delete-service -C --clear -a --add-server'
          words+=' -e --edit-server -d --delete-server -P --add-laddr -Q --del-laddr -G --get-laddr --secret -L --list'
          words+=' --cookie-secret -Z --zero -S --save -R --restore --set --start-daemon --stop-daemon -h --help -v --version'
          ;;
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$word"; fi
}

complete -F _lvsadm lvsadm
