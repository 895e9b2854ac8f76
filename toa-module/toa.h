/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the toa module know of each other. */
#ifndef _TOA_H
#define _TOA_H

#include <linux/types.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "toa_option.h"

/* ---- toa_stats.c: counters of each network namespace ---- */

/*
 * One handshake adds to exactly one of the first four; TOA_NOT_KEPT says how
 * many of TOA_SYN_TOA had to go without for lack of memory or of max_entries.
 */
enum toa_stat {
	TOA_SYN_TOA,
	TOA_SYN_NO_TOA,
	TOA_SYN_UNTRUSTED,
	TOA_SYN_MALFORMED,
	TOA_NOT_KEPT,
	TOA_GETNAME_OK,
	TOA_GETNAME_MISMATCH,
	TOA_GETNAME_BYPASS,
	TOA_GETNAME_EMPTY,
	TOA_STAT_MAX,
};

int toa_stats_init(void);
void toa_stats_exit(void);
void toa_stat_inc(struct net *net, enum toa_stat stat);
void toa_stat_entries(struct net *net, int by);

/* ---- toa_trust.c: whose option is believed ---- */

bool toa_trust_empty(void);
bool toa_trusts(__be32 saddr);

/* ---- toa_peers.c: which socket has which client ---- */

int toa_peers_init(void);
void toa_peers_exit(void);
/* 0, or -errno: the connection then goes on without its client's address */
int toa_peers_add(struct sock *sk, const struct toa_end *client,
		  const struct toa_end *known);
void toa_peers_del(struct sock *sk);
/* copies out, so that nothing is held on return; false: not in the table */
bool toa_peers_get(const struct sock *sk, struct toa_end *client,
		   struct toa_end *known);

/* ---- toa_learn.c: TCP's hooks, the handshake and the socket's end ---- */

int toa_learn_init(void);
void toa_learn_exit(void);

/* ---- toa_getname.c: accept() and getpeername() ---- */

int toa_getname_init(void);
void toa_getname_exit(void);
unsigned long toa_getname_missed(void);

#endif /* _TOA_H */
