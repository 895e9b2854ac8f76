// SPDX-License-Identifier: MIT
// Command lines for both programs, in an order that builds a table and removes it.

/** Changes, each of which must have the same output and leave the same table. */
export const CHANGES = `
-A -t 192.0.2.1:80
-A -t 192.0.2.1:80
-A -t 192.0.2.1:443 -s sh -p 360 -M 255.255.255.0 -b sh-port
-A -u 192.0.2.1:53 -s rr -o
-A -u 192.0.2.1:5060 -s wlc -p 60
--add-service --sctp-service 192.0.2.100:36412 --scheduler=wlc
-A -t [2001:db8::80]:80 -s mh -p 300 -M 64 -b mh-fallback,mh-port
-A -t 192.0.2.1:0 -p
-A -f 7 -s rr
-A -f 8 -6
-A -f 2147483647
-A -t 192.0.2.1:81 -s rr -b flag-1,flag-3
-A -t 192.0.2.9:http -s wrr
-A -t 10.1:80
-A -t 0xc0.9.1:010
-A -t 192.0.2.1:82 -s nosuch
-A -t 192.0.2.1:83 --pe nosuch -p
-a -t 192.0.2.1:443 -r 10.0.0.2:443 -g -w 0
-a -t 192.0.2.1:443 -r 10.0.0.2:443
-a -t 192.0.2.1:443 -r 10.0.0.3:8080 -m -w 5 -x 100 -y 50
-a -t 192.0.2.1:443 -r 10.0.0.4 -i -w 5
-a -t 192.0.2.1:443 -r 10.0.0.5 -i -w 5 --tun-type gre --tun-csum
-a -t 192.0.2.1:443 -r 10.0.0.12:1 -i -w 65535 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 192.0.2.1:443 -r 10.0.0.13 -i --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 192.0.2.1:443 -r 127.0.0.1 -w 5
-a -t 192.0.2.1:443 -r 10.0.0.3:8081 -m -w 5 -x 10 -y 50
-a -t 192.0.2.1:444 -r 10.0.0.3
-a -t 192.0.2.1:443 -r 224.0.0.1 -m
-a -t [2001:db8::80]:80 -r [2001:db8::2]:80 -g -w 100
-a -t [2001:db8::80]:80 -r [2001:db8:1:2:3:4:5:a0a0]:8080 -m
-a -t [2001:db8::80]:80 -r 10.0.0.9 -i
-a -f 7 -r 10.0.0.2 -w 0
-a -f 7 -r 10.0.0.2:8080 -m
-a -f 8 -6 -r [2001:db8::5]:0
-a -r 10.0.0.77 -t 192.0.2.1:80 -m
-a -t 192.0.2.1:80 -r 10.0.0.78 -m -w2147483647
-e -t 192.0.2.1:443 -r 10.0.0.3:8080 -m -w 9
-e -t 192.0.2.1:443 -r 10.0.0.99 -m
-e -t 192.0.2.1:444 -r 10.0.0.99 -m
-d -t 192.0.2.1:443 -r 10.0.0.99
-d -t 192.0.2.1:443 -r 10.0.0.2:443
-d -t 192.0.2.1:444 -r 10.0.0.2
-E -t 192.0.2.1:443 -s wrr
-E -t 192.0.2.1:444 -s wrr
-E -t 192.0.2.1:443 -s nosuch
-D -t 192.0.2.1:444
-D -f 2147483647
-Z
-Z -t 192.0.2.1:443
-Z -t 192.0.2.1:444
--set 100 200 300
--set 0 0 0
--set 900 0 0300
--stop-daemon master
--start-daemon master --mcast-interface lo --syncid 5
--start-daemon master --mcast-interface lo --syncid 5
--start-daemon backup --mcast-interface lo --mcast-group 224.0.0.85 --mcast-port 8850 --mcast-ttl 2 --sync-maxlen 1000
--start-daemon backup --mcast-interface nosuch
--stop-daemon backup
`;

/** Listings of the table that CHANGES leaves. */
export const LISTINGS = `
-Ln
-L -n --stats
-L -n --rate
-L -n --stats --exact
-L -n --thresholds
-L -n --persistent-conn
-L -n --tun-info
-L -n --stats --rate --thresholds
-Ln --nosort
-Ln --sort
-L -n -t 192.0.2.1:443
-L -n -t 192.0.2.1:443 --stats
-L -n -t 192.0.2.1:444
-L -n -f 7
-L -n -f 8 -6
-L --timeout
-L --daemon
-Lnc
-L -n -c --persistent-conn
-L --connection --stats
-Sn
--save --numeric
-ln
`;

/** Command lines that are rejected before the kernel is accessed. */
export const MISUSE = `
-A
-A -t
-A -t 1
-A -t 192.0.2.1
-A -t 192.0.2.1:99999
-A -t 192.0.2.1:-1
-A -t [2001:db8::80]
-A -t [192.0.2.7]:80
-A -t 192.0.2.1:80 -t 192.0.2.1:81
-A -t 192.0.2.1:80 -u 192.0.2.1:81
-A -t 192.0.2.1:80 -o
-A -t 192.0.2.1:80 -p 0
-A -t 192.0.2.1:80 -p 2678401
-A -t 192.0.2.1:80 -p=300x
-A -t 192.0.2.1:80 -M 255.255.0
-A -t 192.0.2.1:80 -M nomask
-A -t [2001:db8::80]:80 -M 129
-A -t 192.0.2.1:80 -s sh -b mh-port
-A -t 192.0.2.1:80 -b foo
-A -t 192.0.2.1:80 -b
-A -t 192.0.2.1:80 -r 10.0.0.1
-A -f 0
-A -f 4294967296
-A -6 -f 7
-A -D
-AD -t 192.0.2.1:80
-A -t 192.0.2.1:80 x y
-a -t 192.0.2.1:80
-a -t 192.0.2.1:80 -r 10.0.0.1 -g -m
-a -t 192.0.2.1:80 -r 10.0.0.1 -w -1
-a -t 192.0.2.1:80 -r 10.0.0.1 -w x
-a -t 192.0.2.1:80 -r 10.0.0.1 -x 2147483648
-a -t 192.0.2.1:80 -r 10.0.0.1 -y foo
-a -t 192.0.2.1:80 -r [2001:db8::1]:80
-a -t 192.0.2.1:80 -r [2001:db8::1]:80 -m
-a -t 192.0.2.1:80 -r 10
-a -t 192.0.2.1:80 -r 10.0.0.1 -m --tun-type gue
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gue
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type foo
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-port 70000
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-csum
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gre --tun-remcsum
-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gue --tun-port 1 --tun-csum --tun-nocsum
-C -n
-C -t 192.0.2.1:80
-L -nZ
-L -c --timeout
-L -t 192.0.2.1:80 -c
-L --daemon --stats
-L --timeout --persistent-conn
-L -s rr
-n -L
foo
-
--
--lis
--list=x
-L -k
--set
--set 1 2
--set 1 2 3 4
--set 1 x 3
--set -1 2 3
--set 900 0 0x12c
--start-daemon foo
--start-daemon
--stop-daemon foo
--start-daemon master --syncid 256
--start-daemon master --mcast-port 0
--start-daemon master --mcast-ttl 256
--start-daemon master --mcast-group 10.0.0.1
--start-daemon master --mcast-group 2001:db8::1
--start-daemon master --sync-maxlen 0
-S -t 192.0.2.1:80
-Z -n
-D -t 192.0.2.1:80 -s rr
-L --no-such
-A -t 192.0.2.1:80 --scheduler
`;

/** Inputs of -R, after which the outputs, the exit status and the tables must be equal. */
export const RESTORES: readonly string[] = [
  '-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n',
  'ipvsadm -A -t 192.0.2.1:80 -s rr\n\n   \n-a   -t 192.0.2.1:80\t-r 10.0.0.1:80 -m -w 1',
  // A line that the kernel refuses: the next line follows, and the exit status is the last line's.
  '-A -t 192.0.2.1:80\n-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1\n',
  '-A -t 192.0.2.1:80\n-D -t 192.0.2.1:81\n',
  // A line with a usage error ends the restore; the lines before it are applied.
  '-A -t 192.0.2.1:80\n-A -t 192.0.2.1:81 -w 1\n-A -t 192.0.2.1:82\n',
  '-A -t 192.0.2.1:80\n-A -t 192.0.2.1:81 --nonsense\n-A -t 192.0.2.1:82\n',
  '-A -t 192.0.2.1:80\n# a remark\n-A -t 192.0.2.1:82\n',
  '-A -t 192.0.2.1:80\n-R\n-A -t 192.0.2.1:82\n',
  // A listing among the lines shows the effect of the lines before it.
  '-A -t 192.0.2.1:80\n-L -n\n-a -t 192.0.2.1:80 -r 10.0.0.1\n-Sn\n-C\n-A -f 3 -s rr\n',
  '-A -t [2001:db8::80]:80 -s mh -p 300 -M 64 -b mh-port\n-a -t [2001:db8::80]:80 -r [2001:db8::2]:80 -m -w 3\n',
  '',
];
