// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/net/toa_stats, in the format of the toa module of the 2.6.32 fork, so
 * that its readers keep working. New rows are appended.
 */
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/netns/generic.h>

#include "toa.h"

struct toa_counters {
	unsigned long val[TOA_STAT_MAX];
};

struct toa_net {
	struct toa_counters __percpu *counters;
	atomic_t entries;
};

static unsigned int toa_net_id __read_mostly;
static unsigned long (*toa_missed)(void);

static const struct {
	const char *name;
	enum toa_stat stat;
} toa_rows[] = {
	{ "syn_recv_sock_toa",		TOA_SYN_TOA },
	{ "syn_recv_sock_no_toa",	TOA_SYN_NO_TOA },
	{ "getname_toa_ok",		TOA_GETNAME_OK },
	{ "getname_toa_mismatch",	TOA_GETNAME_MISMATCH },
	{ "getname_toa_bypass",		TOA_GETNAME_BYPASS },
	{ "getname_toa_empty",		TOA_GETNAME_EMPTY },
	{ "syn_recv_sock_untrusted",	TOA_SYN_UNTRUSTED },
	{ "toa_malformed",		TOA_SYN_MALFORMED },
	{ "toa_not_kept",		TOA_NOT_KEPT },
};

void toa_stat_inc(struct net *net, enum toa_stat stat)
{
	struct toa_net *tn = net_generic(net, toa_net_id);

	this_cpu_inc(tn->counters->val[stat]);
}

void toa_stat_entries(struct net *net, int by)
{
	struct toa_net *tn = net_generic(net, toa_net_id);

	atomic_add(by, &tn->entries);
}

/* A value that is not per CPU is shown in the first column. */
static void toa_stats_total(struct seq_file *seq, const char *name,
			    unsigned long total)
{
	int cpu;

	seq_printf(seq, "%-25s:", name);
	for_each_online_cpu(cpu) {
		seq_printf(seq, "%10lu ", total);
		total = 0;
	}
	seq_putc(seq, '\n');
}

static int toa_stats_show(struct seq_file *seq, void *v)
{
	struct toa_net *tn = net_generic(seq_file_single_net(seq), toa_net_id);
	unsigned int row;
	int cpu;

	seq_printf(seq, "%34s", "");
	for_each_online_cpu(cpu)
		seq_printf(seq, "CPU%d       ", cpu);
	seq_putc(seq, '\n');

	for (row = 0; row < ARRAY_SIZE(toa_rows); row++) {
		seq_printf(seq, "%-25s:", toa_rows[row].name);
		for_each_online_cpu(cpu) {
			struct toa_counters *c;

			c = per_cpu_ptr(tn->counters, cpu);
			seq_printf(seq, "%10lu ", c->val[toa_rows[row].stat]);
		}
		seq_putc(seq, '\n');
	}
	toa_stats_total(seq, "probe_missed", toa_missed());
	toa_stats_total(seq, "entries", atomic_read(&tn->entries));
	return 0;
}

static int __net_init toa_net_init(struct net *net)
{
	struct toa_net *tn = net_generic(net, toa_net_id);

	atomic_set(&tn->entries, 0);
	tn->counters = alloc_percpu(struct toa_counters);
	if (!tn->counters)
		return -ENOMEM;
	if (!proc_create_net_single("toa_stats", 0444, net->proc_net,
				    toa_stats_show, NULL)) {
		free_percpu(tn->counters);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit toa_net_exit(struct net *net)
{
	struct toa_net *tn = net_generic(net, toa_net_id);

	remove_proc_entry("toa_stats", net->proc_net);
	free_percpu(tn->counters);
}

static struct pernet_operations toa_net_ops = {
	.init = toa_net_init,
	.exit = toa_net_exit,
	.id = &toa_net_id,
	.size = sizeof(struct toa_net),
};

int toa_stats_init(unsigned long (*missed)(void))
{
	toa_missed = missed;
	return register_pernet_subsys(&toa_net_ops);
}

void toa_stats_exit(void)
{
	unregister_pernet_subsys(&toa_net_ops);
}
