/* SPDX-License-Identifier: MIT */
/* Ports that are given away by declaration, and the host that gets the rest. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

static struct nat forwarding(const char *name)
{
	struct nat nat = bed_nat(name);

	nat.forwards[0] = (struct nat_forward){NAT_UDP, 5353, bed_endpoint("192.168.1.1:53")};
	nat.forwards[1] = (struct nat_forward){NAT_TCP, 8080, bed_endpoint("192.168.1.1:80")};
	nat.forward_count = 2;
	return nat;
}

static const char *const names[] = {"full-cone", "restricted-cone", "port-restricted-cone",
				    "symmetric"};
enum { NAMES = 4 };

Test(forwards, are_open_to_anyone_and_answer_by_their_port)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = forwarding(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint dns = bed_endpoint("1.2.3.4:5353"),
				web = bed_endpoint("1.2.3.4:8080");
		struct endpoint caller_at, seen;
		int udp = bed_udp(&bed, BED_INSIDE, "192.168.1.1:53");
		int tcp = bed_listen(&bed, BED_INSIDE, "192.168.1.1:80");
		int caller = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		int client = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.11:1000");

		caller_at = bed_pass(caller, &dns, udp);
		cr_assert(caller_at.port == 1000, "%s: the caller is %s", nat.name,
			  BED_TEXT(&caller_at));
		seen = bed_pass(udp, &caller_at, caller);
		cr_assert(bed_same(&seen, &dns), "%s: answered by %s", nat.name, BED_TEXT(&seen));
		bed_connect(client, &web);
		close(bed_accept(tcp, &seen));
		close(udp);
		close(tcp);
		close(caller);
		close(client);
	}
}

Test(forwards, are_what_their_endpoint_leaves_by)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = forwarding(names[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
		int udp = bed_udp(&bed, BED_INSIDE, "192.168.1.1:53");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

		external = bed_pass(udp, &server, peer);
		cr_assert(external.port == 5353, "%s: it left by %u", nat.name, external.port);
		bed_pass(peer, &external, udp);
		close(udp);
		close(peer);
	}
}

Test(forwards, keep_their_ports_from_everybody_else)
{
	struct nat nat = forwarding("full-cone");
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	int peer, other, i;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);

	peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	other = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5353");
	external = bed_pass(other, &server, peer);
	cr_assert(external.port != 5353, "the forwarded port was preserved for another");
	close(other);
	close(peer);

	/* And from draws: of the eight ports of the range seven are left. */
	nat.ports = (struct nat_ports){
		.allocation = PORTS_SEQUENTIAL, .first = 5350, .last = 5357, .step = 1};

	AUTO_NATBED struct natbed small = natbed_open(&nat);
	bool seen[8] = {false};

	peer = bed_udp(&small, BED_OUTSIDE, "9.9.9.9:1000");
	for (i = 0; i < 7; i++) {
		char local[32];

		snprintf(local, sizeof(local), "192.168.1.2:%d", 7000 + i);
		other = bed_udp(&small, BED_INSIDE, local);
		external = bed_pass(other, &server, peer);
		cr_assert(external.port >= 5350 && external.port <= 5357 && external.port != 5353 &&
				  !seen[external.port - 5350],
			  "a mapping got %u", external.port);
		seen[external.port - 5350] = true;
		close(other);
	}
	close(peer);
}

Test(dmz, gets_what_nothing_else_claims_and_only_that)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		struct nat nat = bed_nat(names[i]);
		struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, seen;
		struct endpoint nobodys = bed_endpoint("1.2.3.4:4444");
		struct endpoint web = bed_endpoint("1.2.3.4:80");
		struct bed_echo echo;

		nat.dmz = bed_endpoint("192.168.1.9:0").addr;

		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int dmz = bed_udp(&bed, BED_INSIDE, "192.168.1.9:4444");
		int dmz_web = bed_listen(&bed, BED_INSIDE, "192.168.1.9:80");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		int client = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		int pinger = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.10"), at_mapping;

		seen = bed_pass(stranger, &nobodys, dmz);
		cr_assert(seen.port == 1000, "%s: the stranger is %s", nat.name, BED_TEXT(&seen));
		seen = bed_pass(dmz, &seen, stranger);
		cr_assert(bed_same(&seen, &nobodys), "%s: answered by %s", nat.name,
			  BED_TEXT(&seen));
		bed_connect(client, &web);
		close(bed_accept(dmz_web, &seen));
		bed_send_echo(pinger, BED_EXTERNAL, BED_ECHO_REQUEST, 77, 1);
		echo = bed_receive_echo(pinger, BED_ECHO_REPLY, 1);
		cr_assert(echo.id == 77);

		/* A mapping's port is its host's, also for whom it does not admit. */
		external = bed_pass(host, &server, peer);
		at_mapping = bed_udp(&bed, BED_INSIDE, "192.168.1.9:5000");
		if (external.port == 5000)
			cr_assert(!bed_passes(&bed, stranger, &external, at_mapping),
				  "%s: a mapping's packet went to the DMZ", nat.name);
		cr_assert_eq(bed_passes(&bed, stranger, &external, host),
			     nat.filtering == ENDPOINT_INDEPENDENT, "%s: a stranger", nat.name);
		bed_pass(peer, &external, host);
		close(at_mapping);
		close(host);
		close(dmz);
		close(dmz_web);
		close(peer);
		close(stranger);
		close(client);
		close(pinger);
	}
}
