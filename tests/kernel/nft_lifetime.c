/* SPDX-License-Identifier: MIT */
/* A mapping lives as long as declared after the last packet that left through it. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "support/natbed.h"

enum {
	LIFE_MS = 400,
	/* A refresh may be 5 % late; the rest is what the test's own pace and a busy machine add.
	 */
	LATE_MS = LIFE_MS / 20 + 60,
};

static struct nat short_lived(const char *name, unsigned int ms)
{
	struct nat nat = bed_nat(name);
	int protocol;

	for (protocol = 0; protocol < NAT_PROTOCOLS; protocol++)
		nat.timers.mapping[protocol] = ms;
	return nat;
}

/* The end of a mapping as @prober sees it, who never stops sending; NULL: the peer itself. */
static void check_life(const char *name, const char *prober)
{
	const struct nat nat = short_lived(name, LIFE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int outside = prober ? bed_udp(&bed, BED_OUTSIDE, prober) : peer;
	uint64_t before, after;

	before = bed_now();
	external = bed_pass(host, &server, peer);
	after = bed_now();
	bed_check_end(name, bed_when_closed(&bed, outside, &external, host), before, after, LIFE_MS,
		      LATE_MS);
	close(host);
	close(peer);
	if (prober)
		close(outside);
}

Test(lifetime, a_mapping_ends_as_declared_whatever_comes_in)
{
	check_life("full-cone", "9.9.9.10:1000");
}

Test(lifetime, a_permission_ends_as_declared_whatever_comes_in)
{
	check_life("restricted-cone", "9.9.9.9:2000");
}

Test(lifetime, a_flow_ends_as_declared_though_conntrack_still_has_it)
{
	/* The peer's own packets keep conntrack's entry alive: it must not count. */
	check_life("port-restricted-cone", NULL);
}

Test(lifetime, packets_that_leave_keep_a_mapping_open_all_the_time)
{
	const struct nat nat = short_lived("full-cone", LIFE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, again;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	uint64_t end = bed_now() + 5 * LIFE_MS / 2, last, after; /* between two whole lives */

	external = bed_pass(host, &server, peer);
	do {
		bed_wait_until(bed_now() + LIFE_MS / 4);
		cr_assert(bed_passes(&bed, stranger, &external, host), "the mapping ended");
		last = bed_now();
		again = bed_pass(host, &server, peer);
		cr_assert(bed_same(&again, &external), "the mapping changed");
		after = bed_now();
	} while (last < end);
	bed_check_end("kept alive", bed_when_closed(&bed, stranger, &external, host), last, after,
		      LIFE_MS, LATE_MS);
	close(host);
	close(peer);
	close(stranger);
}

/*
 * To conntrack these packets are replies; they leave through the mapping all the same. (Where the
 * mapping depends on the peer they have one of their own: nft_beside.c.)
 */
Test(lifetime, answers_to_a_flow_that_the_outside_opened_keep_the_mapping)
{
	struct nat nat = short_lived("full-cone", LIFE_MS);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, caller, again;

	nat.ports.allocation = PORTS_SEQUENTIAL; /* a new mapping would show */

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int calling = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	uint64_t end = bed_now() + 3 * LIFE_MS;

	external = bed_pass(host, &server, peer);
	caller = bed_pass(calling, &external, host);
	while (bed_now() < end) {
		again = bed_pass(host, &caller, calling);
		cr_assert(bed_same(&again, &external), "the answer came from %s", BED_TEXT(&again));
		bed_wait_until(bed_now() + LIFE_MS / 4);
	}
	again = bed_pass(host, &server, peer);
	cr_assert(bed_same(&again, &external), "the mapping had ended: %s", BED_TEXT(&again));
	close(host);
	close(peer);
	close(calling);
}

Test(lifetime, after_its_end_a_socket_gets_a_new_mapping_and_the_old_port_rests)
{
	enum { SECOND = 1000 }; /* conntrack counts in seconds, and its flow must have ended too */
	struct nat nat = short_lived("full-cone", SECOND);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), first, second, third;

	nat.ports.allocation = PORTS_SEQUENTIAL;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int other = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

	first = bed_pass(host, &server, peer);
	bed_wait_until(bed_now() + SECOND + SECOND / 10 + 100);
	cr_assert(!bed_passes(&bed, peer, &first, host), "the mapping did not end");
	second = bed_pass(host, &server, peer);
	third = bed_pass(other, &server, peer);
	cr_assert(second.port == first.port + 1, "after %u comes %u", first.port, second.port);
	cr_assert(third.port == first.port + 2, "after %u comes %u", second.port, third.port);
	close(host);
	close(other);
	close(peer);
}

Test(lifetime, a_preserved_port_comes_back_to_its_socket)
{
	const struct nat nat = short_lived("port-restricted-cone", LIFE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), other_server, first, again, stolen;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int other = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other_peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");

	other_server = bed_endpoint("9.9.9.10:1000");
	first = bed_pass(host, &server, peer);
	bed_when_closed(&bed, peer, &first, host);
	/* Expired, but conntrack may still know the flow: the port must not be another's yet. */
	stolen = bed_pass(other, &other_server, other_peer);
	cr_assert(stolen.port != 5000, "another host got the port while the flow could go on");
	again = bed_pass(host, &server, peer);
	cr_assert(bed_same(&again, &first), "%s became %s", BED_TEXT(&first), BED_TEXT(&again));
	bed_pass(peer, &first, host);
	close(host);
	close(other);
	close(peer);
	close(other_peer);
}

Test(lifetime, tcp_and_ping_mappings_end_too)
{
	const struct nat nat = short_lived("full-cone", LIFE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:80"), external, peer;
	int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80");
	int client = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int early = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	int late = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.11:1000");
	int pinger = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	int outside = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.10"), served;
	struct bed_echo echo;

	bed_connect(client, &server);
	close(bed_accept(listener, &external));
	served = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000");
	bed_connect(early, &external);
	close(bed_accept(served, &peer));
	bed_send_echo(pinger, "9.9.9.9", BED_ECHO_REQUEST, 77, 1);
	bed_receive_echo(pinger, BED_ECHO_REPLY, 1);
	bed_send_echo(outside, BED_EXTERNAL, BED_ECHO_REQUEST, 77, 2);
	bed_receive_echo(outside, BED_ECHO_REPLY, 2);

	close(early); /* its goodbye was answered and refreshed the mapping: count from here */
	natbed_settle(&bed);
	bed_wait_until(bed_now() + LIFE_MS + LATE_MS);
	bed_connect(late, &external);
	bed_send_echo(outside, BED_EXTERNAL, BED_ECHO_REQUEST, 77, 3);
	natbed_settle(&bed);
	cr_assert(bed_try_accept(served, &peer) < 0, "the TCP mapping did not end");
	cr_assert(bed_unanswered(late), "the late SYN was answered");
	cr_assert(!bed_find_echo(outside, BED_ECHO_REPLY, 3, &echo),
		  "the ping mapping did not end");
	close(late);
	close(client);
	close(served);
	close(listener);
	close(pinger);
	close(outside);
}
