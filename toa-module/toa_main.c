// SPDX-License-Identifier: GPL-2.0-only
/*
 * toa: on a real server behind FULLNAT, makes accept() and getpeername() report
 * the client's address, which the balancer sends in a TCP option, instead of
 * the balancer's local address.
 *
 * Works on unmodified kernels: it uses only the kernel's own hooks on function
 * entry and return, and replaces, exports or makes writable nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "toa.h"

static int __init toa_init(void)
{
	int err;

	err = toa_peers_init();
	if (err)
		return err;
	err = toa_stats_init(toa_getname_missed);
	if (err)
		goto out_peers;
	err = toa_learn_init();
	if (err)
		goto out_stats;
	err = toa_getname_init();
	if (err)
		goto out_learn;

	if (toa_trust_empty())
		pr_warn("trust= is empty: TOA is ignored from every sender\n");
	return 0;

out_learn:
	toa_learn_exit();
out_stats:
	toa_stats_exit();
out_peers:
	toa_peers_exit();
	return err;
}

static void __exit toa_exit(void)
{
	toa_getname_exit();
	toa_learn_exit();
	toa_stats_exit();
	toa_peers_exit();
}

module_init(toa_init);
module_exit(toa_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Client addresses from TCP options for servers behind LVS FULLNAT");
MODULE_VERSION("0.2.0");
