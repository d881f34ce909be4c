/* SPDX-License-Identifier: MIT */
/*
 * Ports that a daemon on the router gives away, and what everybody else keeps.
 *
 * What the daemon would write is written here by hand, rule by rule as it does.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nft-rules/custom.h"
#include "nft-rules/ruleset.h"
#include "support/natbed.h"

static struct nat granting(const char *name)
{
	struct nat nat = bed_nat(name);

	nat.port_mapping = PORT_MAPPING_NAT_PMP | PORT_MAPPING_PCP | PORT_MAPPING_UPNP;
	return nat;
}

static const char *const names[] = {"full-cone", "restricted-cone", "port-restricted-cone",
				    "symmetric", "linux-masquerade"};
enum { NAMES = 5, SHUT_AT_ONCE = 4 }; /* masquerade, the last, lets known flows go on */

static void write_rules(struct natbed *bed, const char *rules)
{
	AUTO_DIAG struct diag d = {0};
	char path[] = "/tmp/nft-port-mapping-XXXXXX";
	struct mnl_socket *socket;
	int fd = mkstemp(path), r;

	cr_assert(fd >= 0 && dprintf(fd, "%s", rules) > 0);
	close(fd);
	r = netns_netfilter(bed->side[BED_ROUTER], &socket, &d);
	if (r == 0)
		r = custom_apply(path, socket, &d);
	unlink(path);
	if (r < 0)
		diag_print(&d, stderr, false);
	cr_assert_eq(r, 0);
}

/* External @port belongs to 192.168.1.@host : @inside from now on. */
static void grant(struct natbed *bed, const char *protocol, unsigned int port, unsigned int host,
		  unsigned int inside)
{
	AUTO_FREE char *rules = NULL;

	cr_assert(
		asprintf(&rules,
			 "add rule inet natsim mapped_to iif internet meta l4proto %s th dport %u "
			 "dnat ip to 192.168.1.%u:%u\n"
			 "add rule inet natsim mapped_pass iif internet ip daddr 192.168.1.%u "
			 "meta l4proto %s th dport %u accept\n",
			 protocol, port, host, inside, host, protocol, inside) > 0);
	write_rules(bed, rules);
}

static void revoke_all(struct natbed *bed)
{
	write_rules(bed, "flush chain inet natsim mapped_to\n"
			 "flush chain inet natsim mapped_pass\n");
}

Test(port_mapping, opens_a_port_to_anyone_until_it_ends)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = granting(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		const struct endpoint port = bed_endpoint("1.2.3.4:7777");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int caller = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		int second = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:2000");
		struct endpoint caller_at, seen;

		cr_assert(!bed_passes(&bed, caller, &port, host), "%s: before", nat.name);
		grant(&bed, "udp", 7777, 1, 5000);
		caller_at = bed_pass(caller, &port, host);
		cr_assert(bed_same(&caller_at, &(struct endpoint){caller_at.addr, 1000}));
		seen = bed_pass(host, &caller_at, caller);
		cr_assert(bed_same(&seen, &port), "%s: answered by %s", nat.name, BED_TEXT(&seen));
		bed_pass(second, &port, host);
		revoke_all(&bed);
		cr_assert(i >= SHUT_AT_ONCE || !bed_passes(&bed, caller, &port, host),
			  "%s: a flow outlives its mapping", nat.name);
		close(second);
		second = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:2001");
		cr_assert(!bed_passes(&bed, second, &port, host), "%s: after", nat.name);
		close(host);
		close(caller);
		close(second);
	}
}

Test(port_mapping, opens_a_tcp_port)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = granting(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		const struct endpoint port = bed_endpoint("1.2.3.4:8080");
		int host = bed_listen(&bed, BED_INSIDE, "192.168.1.1:80");
		int caller = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		struct endpoint seen;

		grant(&bed, "tcp", 8080, 1, 80);
		bed_connect(caller, &port);
		close(bed_accept(host, &seen));
		close(host);
		close(caller);
	}
}

Test(port_mapping, is_of_one_port_and_one_protocol)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = granting(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		const struct endpoint tcp = bed_endpoint("1.2.3.4:7777"),
				      next = bed_endpoint("1.2.3.4:7778");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int listener = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000");
		int caller = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		int client = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		struct endpoint seen;

		grant(&bed, "udp", 7777, 1, 5000);
		cr_assert(!bed_passes(&bed, caller, &next, host), "%s: the next port", nat.name);
		bed_connect(client, &tcp);
		natbed_settle(&bed);
		cr_assert(bed_try_accept(listener, &seen) < 0, "%s: by TCP", nat.name);
		close(host);
		close(listener);
		close(caller);
		close(client);
	}
}

/* The guard's reason for being: what a stranger sends must not take the host's place. */
Test(port_mapping, leaves_no_trace_of_a_stranger_in_conntrack)
{
	static const enum nat_unsolicited answers[] = {UNSOLICITED_DROP, UNSOLICITED_REJECT};
	size_t i, j;

	for (i = 0; i < 3 * 2; i++) {
		struct nat nat = granting(names[i / 2]);
		struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"),
				guess = bed_endpoint("1.2.3.4:5000"), external;

		nat.unsolicited = answers[i % 2];
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

		for (j = 0; j < 3; j++)
			cr_assert(!bed_passes(&bed, peer, &guess, host), "%s", nat.name);
		external = bed_pass(host, &peer_at, peer);
		cr_assert(external.port == 5000, "%s: the host was moved to %u", nat.name,
			  external.port);
		bed_pass(peer, &external, host);
		close(host);
		close(peer);
	}
}

Test(port_mapping, lets_a_stranger_hear_what_is_declared)
{
	struct nat nat = granting("port-restricted-cone");
	const struct endpoint closed = bed_endpoint("1.2.3.4:5000");
	int error = 0, udp, tcp;
	socklen_t size = sizeof(error);
	char byte;

	nat.unsolicited = UNSOLICITED_REJECT;
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	udp = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	tcp = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	bed_connect(udp, &closed);
	bed_send(udp, &closed, "anybody there?");
	bed_connect(tcp, &closed);
	natbed_settle(&bed);
	cr_expect(recv(udp, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED, "no ICMP error");
	cr_assert(getsockopt(tcp, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	cr_expect_eq(error, ECONNREFUSED, "no reset");
	close(udp);
	close(tcp);
}

/* conntrack counts the reset to the flow it answers: that must not claim a port for the stranger.
 */
Test(port_mapping, resets_a_stranger_without_taking_the_port)
{
	struct nat nat = granting("port-restricted-cone");
	const struct endpoint server_at = bed_endpoint("9.9.9.9:2000"),
			      guess = bed_endpoint("1.2.3.4:5000");
	int host, server, stranger, accepted;
	struct endpoint seen;

	nat.unsolicited = UNSOLICITED_REJECT;
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	server = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:2000");
	stranger = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.11:1000");
	bed_connect(stranger, &guess);
	natbed_settle(&bed);
	cr_expect(!bed_unanswered(stranger), "no reset");
	bed_connect(host, &server_at);
	accepted = bed_accept(server, &seen);
	cr_expect_eq(seen.port, 5000, "the host was moved to %u", seen.port);
	close(accepted);
	close(host);
	close(server);
	close(stranger);
}

/* Also at a port that a host inside has: the router's own stack answers, the host hears nothing. */
Test(port_mapping, leaves_strangers_to_the_router_where_it_accepts_them)
{
	struct nat nat = granting("port-restricted-cone");
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), external;
	int host, peer, stranger;
	char byte;

	nat.unsolicited = UNSOLICITED_ACCEPT;
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:1000");
	external = bed_pass(host, &peer_at, peer);
	bed_connect(stranger, &external);
	bed_send(stranger, &external, "anybody there?");
	natbed_settle(&bed);
	cr_expect(recv(stranger, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED,
		  "the router's stack did not answer");
	cr_expect(!bed_arrived(host, "anybody there?"));
	close(host);
	close(peer);
	close(stranger);
}

/* A port can be given away that a mapping has: the flows it has stay, new ones are the other's. */
Test(port_mapping, takes_no_flow_away)
{
	size_t i;

	for (i = 0; i < 3; i++) { /* the cones: they keep ports */
		const struct nat nat = granting(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), external;
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int other = bed_udp(&bed, BED_INSIDE, "192.168.1.2:6000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:1000");

		external = bed_pass(host, &peer_at, peer);
		cr_assert(external.port == 5000);
		grant(&bed, "udp", 5000, 2, 6000);
		bed_pass(peer, &external, host);
		bed_pass(stranger, &external, other);
		bed_pass(peer, &external, host);
		close(host);
		close(other);
		close(peer);
		close(stranger);
	}
}

/* Without a grant everything is as without port mapping: who may come in, and until when. */
Test(port_mapping, changes_nothing_for_mappings_of_our_own)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = granting(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"), external;
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int same_address = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:2000");
		int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.11:1000");

		external = bed_pass(host, &peer_at, peer);
		bed_pass(peer, &external, host);
		cr_expect_eq(bed_passes(&bed, stranger, &external, host),
			     nat.filtering == ENDPOINT_INDEPENDENT, "%s: a stranger", nat.name);
		cr_expect_eq(bed_passes(&bed, same_address, &external, host),
			     nat.filtering != ADDRESS_AND_PORT_DEPENDENT, "%s: another port",
			     nat.name);
		close(host);
		close(peer);
		close(same_address);
		close(stranger);
	}
}

Test(port_mapping, does_not_let_in_what_only_conntrack_remembers)
{
	struct nat nat = granting("port-restricted-cone");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	uint64_t deadline;
	bool open;

	nat.timers.mapping[NAT_UDP] = 300;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

	external = bed_pass(host, &server, peer);
	deadline = bed_now() + 600; /* conntrack, which is told 1 s, would hold on for longer */
	do {
		bed_wait_until(bed_now() + 20);
		open = bed_passes(&bed, peer, &external, host);
	} while (open && bed_now() < deadline);
	cr_assert(!open, "it still came in after two lives");
	close(host);
	close(peer);
}
