/* SPDX-License-Identifier: MIT */
/* Packets from the inside to an external endpoint, under every mapping and filtering. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/natbed.h"

static struct nat hairpin_nat(int pair, enum nat_hairpinning hairpinning)
{
	struct nat nat = nat_default();

	nat.mapping = (enum nat_dependence)(pair / 3);
	nat.filtering = (enum nat_dependence)(pair % 3);
	nat.hairpinning = hairpinning;
	return nat;
}

static const char *words(const struct nat *nat)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s mapping, %s filtering, %s source",
		 nat_dependence_name(nat->mapping), nat_dependence_name(nat->filtering),
		 nat->hairpinning == HAIRPINNING_INTERNAL_SOURCE ? "internal" : "external");
	return text;
}

/* One socket, as the world sees it towards @peer. */
static struct endpoint mapped(struct natbed *bed, int fd, const char *peer)
{
	int outside = bed_udp(bed, BED_OUTSIDE, peer);
	struct endpoint to = bed_endpoint(peer), seen = bed_pass(fd, &to, outside);

	close(outside);
	return seen;
}

/*
 * A has the mapping (made towards a server), B sends to it. With endpoint-independent
 * filtering B's packet arrives. Otherwise A must have sent to B's external endpoint, or
 * address, before: they share the address, so with address-dependent filtering A's
 * sending to any port of it is enough.
 */
static void one_way(struct nat nat)
{
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:6000");
	struct endpoint of_a = mapped(&bed, a, "9.9.9.9:1000"), source;
	struct endpoint of_b = bed_endpoint("1.2.3.4:6000"), of_a_to_b = of_a;
	struct endpoint nobody = bed_endpoint("1.2.3.4:7777");
	bool internal = nat.hairpinning == HAIRPINNING_INTERNAL_SOURCE;
	bool open = nat.filtering == ENDPOINT_INDEPENDENT;

	cr_assert(bed_passes(&bed, b, &of_a, a) == open, "%s: unasked", words(&nat));
	cr_assert(!bed_passes(&bed, a, &nobody, b), "%s: nobody's port", words(&nat));
	if (nat.mapping == ENDPOINT_INDEPENDENT) {
		/* Now A has sent to the address, but not to B's port. */
		cr_assert(bed_passes(&bed, b, &of_a, a) ==
				  (nat.filtering != ADDRESS_AND_PORT_DEPENDENT),
			  "%s: A knows the address", words(&nat));
		bed_passes(&bed, a, &of_b, b);
	}
	if (nat.mapping != ENDPOINT_INDEPENDENT && !open)
		return; /* A's mapping towards B is another, and nobody knows it */
	source = bed_pass(b, &of_a_to_b, a);
	if (internal)
		cr_assert(source.port == 6000 && strcmp(BED_TEXT(&source), "192.168.1.2:6000") == 0,
			  "%s: A sees %s", words(&nat), BED_TEXT(&source));
	else
		cr_assert(strcmp(BED_TEXT(&source), "1.2.3.4:6000") == 0, "%s: A sees %s",
			  words(&nat), BED_TEXT(&source));
	if (!internal) {
		/* A answers who it sees, and B sees whom it addressed. */
		source = bed_pass(a, &source, b);
		cr_assert(bed_same(&source, &of_a), "%s: B hears %s", words(&nat),
			  BED_TEXT(&source));
	}
	close(a);
	close(b);
}

Test(hairpin, passes_udp_as_if_each_host_were_outside_for_the_other)
{
	int pair;

	for (pair = 0; pair < 9; pair++) {
		one_way(hairpin_nat(pair, HAIRPINNING_EXTERNAL_SOURCE));
		one_way(hairpin_nat(pair, HAIRPINNING_INTERNAL_SOURCE));
	}
}

/* Both send to the other's endpoint at once, as after a rendezvous: the second packet passes. */
Test(hairpin, lets_two_hosts_behind_one_nat_punch_through_it)
{
	int filtering;

	for (filtering = 0; filtering < 3; filtering++) {
		const struct nat nat = hairpin_nat(filtering, HAIRPINNING_EXTERNAL_SOURCE);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
		struct endpoint of_a = mapped(&bed, a, "9.9.9.9:1000");
		struct endpoint of_b = mapped(&bed, b, "9.9.9.9:1000"), seen;
		int i;

		cr_assert(!bed_same(&of_a, &of_b), "they share %s", BED_TEXT(&of_a));
		bed_passes(&bed, a, &of_b, b);
		seen = bed_pass(b, &of_a, a);
		cr_assert(bed_same(&seen, &of_b), "%s: A sees %s", words(&nat), BED_TEXT(&seen));
		for (i = 0; i < 3; i++) {
			seen = bed_pass(a, &of_b, b);
			cr_assert(bed_same(&seen, &of_a), "%s: B sees %s", words(&nat),
				  BED_TEXT(&seen));
			bed_pass(b, &of_a, a);
		}
		seen = mapped(&bed, a, "9.9.9.10:1000");
		cr_assert(bed_same(&seen, &of_a), "A moved to %s", BED_TEXT(&seen));
		close(a);
		close(b);
	}
}

Test(hairpin, lets_a_host_reach_itself)
{
	int filtering, round;

	for (filtering = 0; filtering < 3; filtering++) {
		const struct nat nat = hairpin_nat(filtering, HAIRPINNING_EXTERNAL_SOURCE);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int b = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5001");
		struct endpoint of_a = mapped(&bed, a, "9.9.9.9:1000");
		struct endpoint of_b = mapped(&bed, b, "9.9.9.9:1000"), seen;

		for (round = 0; round < 3; round++) {
			/* Its own socket: sending gives the permission. */
			seen = bed_pass(a, &of_a, a);
			cr_assert(bed_same(&seen, &of_a), "%s: it sees %s", words(&nat),
				  BED_TEXT(&seen));
		}
		bed_passes(&bed, a, &of_b, b);
		seen = bed_pass(b, &of_a, a);
		cr_assert(bed_same(&seen, &of_b), "%s: another socket is %s", words(&nat),
			  BED_TEXT(&seen));
		close(a);
		close(b);
	}
}

static void tcp_way(struct nat nat)
{
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int web = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:80"), fd, served;
	int a = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int listener = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000");
	int b = bed_tcp(&bed, BED_INSIDE, "192.168.1.2:6000");
	struct endpoint server = bed_endpoint("9.9.9.9:80"), of_a, peer;
	bool passes = nat.filtering != ADDRESS_AND_PORT_DEPENDENT;

	bed_connect(a, &server);
	fd = bed_accept(web, &of_a);
	if (nat.filtering == ADDRESS_DEPENDENT) {
		/* A opens its filter for the external address. */
		int other = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
		struct endpoint nobody = bed_endpoint("1.2.3.4:7777");

		bed_connect(other, &nobody);
		natbed_settle(&bed);
		close(other);
		passes = nat.mapping == ENDPOINT_INDEPENDENT;
	}
	bed_connect(b, &of_a);
	natbed_settle(&bed);
	if (passes) {
		served = bed_accept(listener, &peer);
		cr_assert(strcmp(BED_TEXT(&peer), "1.2.3.4:6000") == 0, "%s: A sees %s",
			  words(&nat), BED_TEXT(&peer));
		cr_assert(!bed_unanswered(b), "%s: no answer", words(&nat));
		close(served);
	} else {
		cr_assert(bed_try_accept(listener, &peer) < 0, "%s: it got in", words(&nat));
		cr_assert(bed_unanswered(b), "%s: somebody answered", words(&nat));
	}
	close(fd);
	close(web);
	close(a);
	close(b);
	close(listener);
}

Test(hairpin, passes_tcp_alike)
{
	int pair;

	for (pair = 0; pair < 9; pair++)
		tcp_way(hairpin_nat(pair, HAIRPINNING_EXTERNAL_SOURCE));
}

/* Both are addressed to the external address, and leave for somewhere else than outside. */
Test(hairpin, leaves_strangers_and_the_router_itself_their_source)
{
	const struct nat nat = hairpin_nat(0, HAIRPINNING_EXTERNAL_SOURCE);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int inside = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:2000");
	int own = bed_udp(&bed, BED_ROUTER, "1.2.3.4:4000");
	int to_itself = bed_udp(&bed, BED_ROUTER, "1.2.3.4:4001");
	struct endpoint mapping = mapped(&bed, inside, "9.9.9.9:1000");
	struct endpoint outside = bed_endpoint("9.9.9.10:2000"), seen;
	struct endpoint first = bed_endpoint("1.2.3.4:4000");
	struct endpoint second = bed_endpoint("1.2.3.4:4001");

	cr_assert(bed_passes(&bed, stranger, &mapping, inside), "a stranger does not get in");
	seen = bed_pass(stranger, &mapping, inside);
	cr_assert(bed_same(&seen, &outside), "a stranger became %s", BED_TEXT(&seen));
	cr_assert(bed_passes(&bed, own, &second, to_itself), "the router cannot talk to itself");
	seen = bed_pass(own, &second, to_itself);
	cr_assert(bed_same(&seen, &first), "the router's own port became %s", BED_TEXT(&seen));
	close(inside);
	close(stranger);
	close(own);
	close(to_itself);
}

Test(hairpin, is_dropped_where_it_is_off)
{
	int pair;

	for (pair = 0; pair < 9; pair++) {
		const struct nat nat = hairpin_nat(pair, HAIRPINNING_OFF);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:6000");
		struct endpoint of_a = mapped(&bed, a, "9.9.9.9:1000");

		cr_assert(!bed_passes(&bed, b, &of_a, a), "%s", words(&nat));
		close(a);
		close(b);
	}
}

Test(hairpin, reaches_a_forwarded_port)
{
	struct nat nat = hairpin_nat(8, HAIRPINNING_EXTERNAL_SOURCE);

	nat.forwards[0] = (struct nat_forward){NAT_UDP, 8080, bed_endpoint("192.168.1.1:5000")};
	nat.forward_count = 1;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:6000");
	struct endpoint port = bed_endpoint("1.2.3.4:8080"), of_b, seen;
	int i;

	for (i = 0; i < 3; i++) {
		of_b = bed_pass(b, &port, a);
		cr_assert(strcmp(BED_TEXT(&of_b), "1.2.3.4:6000") == 0, "it sees %s",
			  BED_TEXT(&of_b));
		seen = bed_pass(a, &of_b, b);
		cr_assert(bed_same(&seen, &port), "its answer comes from %s", BED_TEXT(&seen));
	}
	close(a);
	close(b);
}

Test(hairpin, works_between_the_addresses_of_a_pool_and_with_overloading)
{
	struct nat nat = hairpin_nat(0, HAIRPINNING_EXTERNAL_SOURCE);
	int i;

	for (i = 0; i < 6; i++) {
		nat.filtering = (enum nat_dependence)(i % 3);
		nat.pooling = i < 3 ? POOLING_PAIRED : POOLING_ARBITRARY;

		AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, 4);
		int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:5000");
		struct endpoint of_a = mapped(&bed, a, "9.9.9.9:1000");
		struct endpoint of_b = mapped(&bed, b, "9.9.9.9:1000"), seen;

		bed_passes(&bed, a, &of_b, b);
		seen = bed_pass(b, &of_a, a);
		cr_assert(bed_same(&seen, &of_b), "A sees %s", BED_TEXT(&seen));
		seen = bed_pass(a, &of_b, b);
		cr_assert(bed_same(&seen, &of_a), "B sees %s", BED_TEXT(&seen));
		close(a);
		close(b);
	}
	nat = hairpin_nat(8, HAIRPINNING_EXTERNAL_SOURCE);
	nat.ports.overloading = true;

	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int a = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int b = bed_udp(&bed, BED_INSIDE, "192.168.1.2:6000");
	struct endpoint of_a = bed_endpoint("1.2.3.4:5000"), of_b = bed_endpoint("1.2.3.4:6000");
	struct endpoint seen;

	cr_assert(!bed_passes(&bed, a, &of_b, b), "B has not sent yet");
	seen = bed_pass(b, &of_a, a);
	cr_assert(bed_same(&seen, &of_b), "A sees %s", BED_TEXT(&seen));
	seen = bed_pass(a, &of_b, b);
	cr_assert(bed_same(&seen, &of_a), "B sees %s", BED_TEXT(&seen));
	close(a);
	close(b);
}
