/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Declarations shared by the parts of the toa module. Layers, each calling
 * only those below it (test/unit/c-layers.test.ts):
 *
 *	toa_main
 *	toa_learn, toa_getname
 *	toa_peers, toa_trust
 *	toa_stats
 */
#ifndef _TOA_H
#define _TOA_H

#include <linux/types.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "toa_option.h"

/* ---- toa_stats.c: counters of each network namespace ---- */

/*
 * Each handshake increments exactly one of the first four. TOA_NOT_KEPT counts
 * those of TOA_SYN_TOA whose client was not stored, for lack of memory or
 * because of max_entries.
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

/* @missed is read for each listing */
int toa_stats_init(unsigned long (*missed)(void));
void toa_stats_exit(void);
void toa_stat_inc(struct net *net, enum toa_stat stat);
void toa_stat_entries(struct net *net, int by);

/* ---- toa_trust.c: the senders whose option is accepted ---- */

bool toa_trust_empty(void);
bool toa_trusts(__be32 saddr);

/* ---- toa_peers.c: the client of each socket ---- */

int toa_peers_init(void);
void toa_peers_exit(void);
/* 0, or -errno: the connection then continues without its client's address */
int toa_peers_add(struct sock *sk, const struct toa_end *client,
		  const struct toa_end *known);
void toa_peers_del(struct sock *sk);
/* copies the entry, so that no reference is held; false: not in the table */
bool toa_peers_get(const struct sock *sk, struct toa_end *client,
		   struct toa_end *known);

/* ---- toa_learn.c: hooks on TCP's handshake and on socket destruction ---- */

int toa_learn_init(void);
void toa_learn_exit(void);

/* ---- toa_getname.c: accept() and getpeername() ---- */

int toa_getname_init(void);
void toa_getname_exit(void);
unsigned long toa_getname_missed(void);

#endif /* _TOA_H */
