// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps sockets to clients. A separate table, because every field of struct
 * sock that looks unused (sk_user_data above all) has another user.
 *
 * The key is the socket's address in memory, so an entry must never outlive
 * its socket. Each of these three rules ensures that by itself:
 *  - inet_sock_destruct() runs once for each TCP socket before its memory is
 *    freed, and the hook on it removes the entry. That hook cannot be skipped
 *    (see toa_learn.c).
 *  - the entry of a child socket that TCP has just created is removed first,
 *    whether or not its handshake carried TOA.
 *  - an entry records the peer that the kernel saw at that time, and is used
 *    only while the socket still has that peer, so not after a disconnect and
 *    a new connection.
 */
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "toa.h"

struct toa_peer {
	struct rhash_head node;
	const struct sock *sk;
	struct toa_end client;
	struct toa_end known;
	struct rcu_head rcu;
};

static const struct rhashtable_params toa_peers_params = {
	.head_offset = offsetof(struct toa_peer, node),
	.key_offset = offsetof(struct toa_peer, sk),
	.key_len = sizeof(const struct sock *),
	.automatic_shrinking = true,
};

static struct rhashtable toa_peers;

static unsigned int max_entries = 1 << 20;
module_param(max_entries, uint, 0644);
MODULE_PARM_DESC(max_entries,
		 "most connections to remember, about 96 bytes each (default 1048576)");

int toa_peers_add(struct sock *sk, const struct toa_end *client,
		  const struct toa_end *known)
{
	struct toa_peer *peer;
	int err;

	if (atomic_read(&toa_peers.nelems) >= READ_ONCE(max_entries))
		return -ENOSPC;
	peer = kmalloc(sizeof(*peer), GFP_ATOMIC | __GFP_NOWARN);
	if (!peer)
		return -ENOMEM;
	peer->sk = sk;
	peer->client = *client;
	peer->known = *known;
	err = rhashtable_insert_fast(&toa_peers, &peer->node,
				     toa_peers_params);
	if (err) {
		kfree(peer);
		return err;
	}
	toa_stat_entries(sock_net(sk), 1);
	return 0;
}

void toa_peers_del(struct sock *sk)
{
	struct toa_peer *peer;

	if (!atomic_read(&toa_peers.nelems))
		return;
	rcu_read_lock();
	peer = rhashtable_lookup(&toa_peers, &sk, toa_peers_params);
	if (peer && !rhashtable_remove_fast(&toa_peers, &peer->node,
					    toa_peers_params)) {
		toa_stat_entries(sock_net(sk), -1);
		kfree_rcu(peer, rcu);
	}
	rcu_read_unlock();
}

bool toa_peers_get(const struct sock *sk, struct toa_end *client,
		   struct toa_end *known)
{
	const struct toa_peer *peer;

	rcu_read_lock();
	peer = rhashtable_lookup(&toa_peers, &sk, toa_peers_params);
	if (peer) {
		*client = peer->client;
		*known = peer->known;
	}
	rcu_read_unlock();
	return peer;
}

int toa_peers_init(void)
{
	return rhashtable_init(&toa_peers, &toa_peers_params);
}

static void toa_peer_free(void *peer, void *arg)
{
	kfree(peer);
}

/* All hooks are removed, so there are no readers or writers left. */
void toa_peers_exit(void)
{
	rhashtable_free_and_destroy(&toa_peers, toa_peer_free, NULL);
}
