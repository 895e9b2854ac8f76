// SPDX-License-Identifier: MIT
/**
 * The rows of /proc/net/ip_vs_ext_stats that FULLNAT, SYN proxy and the defence of services count, with the names of
 * their metrics. Rows that this series of patches never counts have none. Pure.
 */

/** By row: the metric without `lvsd_`, and its help. */
export const KERNEL_COUNTERS: Readonly<Record<string, readonly [name: string, help: string]>> = {
  fullnat_add_toa_ok: ['fullnat_toa_added_total', 'Segments to real servers that carry the address of the client.'],
  fullnat_add_toa_fail_len: ['fullnat_toa_no_room_total', 'Segments without room for the address of the client.'],
  fullnat_add_toa_fail_mem: ['fullnat_toa_no_memory_total', 'Segments dropped for lack of memory.'],
  fullnat_toa_made_room: ['fullnat_toa_made_room_total', 'Segments that lost another option to carry the address.'],
  fullnat_toa_bare_ack: [
    'fullnat_toa_bare_acks_total',
    'Addresses of clients that were sent by a segment of their own.',
  ],
  fullnat_toa_lost: ['fullnat_toa_lost_total', 'Connections whose real server did not get the address of the client.'],
  fullnat_toa_forged: ['fullnat_toa_forged_total', 'Addresses that clients had sent themselves, removed.'],
  fullnat_opt_removed: ['fullnat_options_removed_total', 'Segments with an option that was removed.'],
  fullnat_conn_reused: [
    'fullnat_connections_replaced_total',
    'Connections that a new one of the same client port replaced.',
  ],
  fullnat_conn_reused_close: ['fullnat_connections_replaced_closed_total', 'Of these, closed ones.'],
  fullnat_conn_reused_timewait: ['fullnat_connections_replaced_time_wait_total', 'Of these, ones in TIME_WAIT.'],
  fullnat_conn_reused_finwait: ['fullnat_connections_replaced_fin_wait_total', 'Of these, ones in FIN_WAIT.'],
  fullnat_conn_reused_closewait: ['fullnat_connections_replaced_close_wait_total', 'Of these, ones in CLOSE_WAIT.'],
  fullnat_conn_reused_estab: ['fullnat_connections_replaced_established_total', 'Of these, established ones.'],
  fullnat_port_conflict: ['fullnat_port_conflicts_total', 'Local ports that were chosen and in use.'],
  fullnat_exhausted: ['fullnat_ports_exhausted_total', 'Connections for which no local port was free.'],
  fullnat_takeover: ['fullnat_ports_taken_over_total', 'Local ports taken from connections that close.'],
  fullnat_laddr_nonlocal: [
    'fullnat_local_address_missing_total',
    'Local addresses passed over, as they are not on this machine.',
  ],
  fullnat_stale_reset: [
    'fullnat_stale_resets_total',
    'Resets to sockets of real servers that an earlier connection left.',
  ],
  fullnat_signed_refused: [
    'fullnat_signed_refused_total',
    'Connections with signed segments (TCP-MD5, TCP-AO), refused.',
  ],
  fullnat_malformed: ['fullnat_malformed_total', 'Segments with malformed TCP options, dropped.'],
  fullnat_gso_split: ['fullnat_gso_split_total', 'Packets of several segments that were split.'],
  fullnat_conn_refused: ['fullnat_connections_refused_total', 'Connections that were refused with a reset.'],
  fullnat_seg_ignored: [
    'fullnat_segments_ignored_total',
    'Segments that changed no state, as their sequence numbers are not plausible.',
  ],
  synproxy_syn_cnt: ['synproxy_syn_total', 'SYNs answered with a cookie.'],
  synproxy_ok_ack: ['synproxy_ok_ack_total', 'ACKs with a valid cookie.'],
  synproxy_bad_ack: ['synproxy_bad_ack_total', 'ACKs without a valid cookie.'],
  synproxy_no_dest: ['synproxy_no_real_server_total', 'Valid cookies for which there was no real server.'],
  synproxy_rs_error: ['synproxy_real_server_errors_total', 'Real servers that refused or did not answer.'],
  synproxy_rs_mismatch: ['synproxy_real_server_mismatches_total', 'Real servers without timestamps that were offered.'],
  synproxy_synsend_qlen: ['synproxy_not_held_total', 'Segments of clients that were not held for lack of room.'],
  synproxy_conn_reused: [
    'synproxy_connections_replaced_total',
    'Connections that a new one of the same client port replaced.',
  ],
  synproxy_conn_reused_close: ['synproxy_connections_replaced_closed_total', 'Of these, closed ones.'],
  synproxy_conn_reused_timewait: ['synproxy_connections_replaced_time_wait_total', 'Of these, ones in TIME_WAIT.'],
  synproxy_conn_reused_lastack: ['synproxy_connections_replaced_last_ack_total', 'Of these, ones in LAST_ACK.'],
  defence_tcp_drop: ['defence_tcp_dropped_total', 'Segments without a connection and SYNs beyond the rate, dropped.'],
  defence_ip_frag_drop: ['defence_fragments_dropped_total', 'Fragments, dropped.'],
  rst_in_established: ['rst_in_established_total', 'Resets to real servers of established connections.'],
  rst_out_established: ['rst_out_established_total', 'Resets to clients of established connections.'],
  lro_reject: ['lro_rejected_total', 'Packets that a device had merged (LRO), dropped.'],
  xmit_unexpected_mtu: ['xmit_unexpected_mtu_total', 'Packets larger than the path to their target takes.'],
  conn_exceeded: ['conn_exceeded_total', 'Connections beyond the limit of one client.'],
};

/** Rows of the old format that this series never counts. */
const NEVER =
  /^(fast_xmit_|rst_(in|out)_syn_sent$|gro_pass$|conn_sched_unreach$|defence_udp_drop$|synproxy_(null_ack|ackstorm|conn_reused_(finwait|closewait))$|fullnat_(add_toa_(fail_proto|head_full)|conn_reused_lastack)$)/;

/** The sums over all CPUs by row, from the text of the file. */
export function parseKernelCounters(text: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, row = '', numbers = ''] = /^([a-z_]+) *:((?: *\d+)+) *$/.exec(line) ?? [];
    if (row === '' || NEVER.test(row)) continue;
    found[row] = numbers
      .trim()
      .split(/\s+/)
      .reduce((sum, one) => sum + Number(one), 0);
  }
  return found;
}
