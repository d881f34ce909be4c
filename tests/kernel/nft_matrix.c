/* SPDX-License-Identifier: MIT */
/* All 27 NATs of mapping, filtering and ports: each does what it declares, over UDP, TCP and ICMP.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <unistd.h>

#include "support/natbed.h"

enum { PAIRS = 9, PORTS = 3, PEERS = 4 };

struct combination {
	enum nat_dependence mapping, filtering;
	enum nat_allocation ports;
};

static struct nat nat_of(const struct combination *c)
{
	struct nat nat = nat_default();

	nat.mapping = c->mapping;
	nat.filtering = c->filtering;
	nat.ports.allocation = c->ports;
	return nat;
}

static const char *describe(const struct combination *c, char text[128])
{
	snprintf(text, 128, "%s mapping, %s filtering, %s ports", nat_dependence_name(c->mapping),
		 nat_dependence_name(c->filtering), nat_allocation_name(c->ports));
	return text;
}

static struct criterion_test_params all_combinations(struct combination list[PAIRS * PORTS])
{
	int i;

	for (i = 0; i < PAIRS * PORTS; i++)
		list[i] = (struct combination){(enum nat_dependence)(i / 9),
					       (enum nat_dependence)(i / 3 % 3),
					       (enum nat_allocation)(i % 3)};
	return cr_make_param_array(struct combination, list, PAIRS * PORTS);
}

/* Two hosts with two ports each, in this order: same host, same port of another host. */
static const char *const peers[PEERS] = {"9.9.9.9:1000", "9.9.9.9:1001", "9.9.9.10:1000",
					 "9.9.9.10:1001"};

/* Must the mapping towards peer @b be the one towards peer @a? */
static bool shares_mapping(enum nat_dependence mapping, int a, int b)
{
	switch (mapping) {
	case ENDPOINT_INDEPENDENT:
		return true;
	case ADDRESS_DEPENDENT:
		return a / 2 == b / 2;
	case ADDRESS_AND_PORT_DEPENDENT:
		return a == b;
	}
	return false;
}

/* May peer @b come in where only peer 0 was sent to? */
static bool is_admitted(enum nat_dependence filtering, int b)
{
	return shares_mapping(filtering, 0, b);
}

static void check_mappings(const struct combination *c, const char *protocol,
			   const struct endpoint seen[PEERS], uint16_t own)
{
	char text[128];
	int a, b;

	for (a = 0; a < PEERS; a++) {
		for (b = 0; b < a; b++)
			cr_assert(bed_same(&seen[a], &seen[b]) == shares_mapping(c->mapping, a, b),
				  "%s, %s: %s saw %s and %s saw %s", describe(c, text), protocol,
				  peers[b], BED_TEXT(&seen[b]), peers[a], BED_TEXT(&seen[a]));
		cr_assert(seen[a].port >= 1024, "%s: port %u is a well-known one",
			  describe(c, text), seen[a].port);
	}
	if (c->ports == PORTS_PRESERVING)
		cr_assert(seen[0].port == own, "%s, %s: %u became %u", describe(c, text), protocol,
			  own, seen[0].port);
	if (c->ports == PORTS_SEQUENTIAL)
		for (a = 1; a < PEERS; a++)
			cr_assert(seen[a].port ==
					  seen[a - 1].port + !bed_same(&seen[a], &seen[a - 1]),
				  "%s, %s: after %u comes %u", describe(c, text), protocol,
				  seen[a - 1].port, seen[a].port);
	if (c->ports == PORTS_RANDOM)
		cr_assert(seen[0].port != own, "%s, %s: %u was kept (1 in 64512 times it may be)",
			  describe(c, text), protocol, own);
}

static struct combination udp_list[PAIRS * PORTS];

ParameterizedTestParameters(matrix, udp)
{
	return all_combinations(udp_list);
}

ParameterizedTest(const struct combination *c, matrix, udp)
{
	const struct nat nat = nat_of(c);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int filtered = bed_udp(&bed, BED_INSIDE, "192.168.1.1:6000");
	struct endpoint peer, source, seen[PEERS], again, external;
	int outside[PEERS], i;
	char text[128];

	for (i = 0; i < PEERS; i++)
		outside[i] = bed_udp(&bed, BED_OUTSIDE, peers[i]);
	for (i = 0; i < PEERS; i++) {
		peer = bed_endpoint(peers[i]);
		seen[i] = bed_pass(host, &peer, outside[i]);
	}
	check_mappings(c, "UDP", seen, 5000);
	for (i = 0; i < PEERS; i++) {
		peer = bed_endpoint(peers[i]);
		again = bed_pass(host, &peer, outside[i]);
		cr_assert(bed_same(&again, &seen[i]), "%s: a mapping changed", describe(c, text));
		source = bed_pass(outside[i], &seen[i], host);
		cr_assert(bed_same(&source, &peer), "%s: %s sent, the inside saw %s",
			  describe(c, text), peers[i], BED_TEXT(&source));
	}

	peer = bed_endpoint(peers[0]);
	external = bed_pass(filtered, &peer, outside[0]);
	for (i = PEERS - 1; i >= 0; i--)
		cr_assert(bed_passes(&bed, outside[i], &external, filtered) ==
				  is_admitted(c->filtering, i),
			  "%s: %s, who was %ssent to, %s", describe(c, text), peers[i],
			  i ? "not " : "",
			  is_admitted(c->filtering, i) ? "cannot come in" : "came in");
	for (i = 0; i < PEERS; i++)
		close(outside[i]);
	close(filtered);
	close(host);
}

static struct combination tcp_list[PAIRS * PORTS];

ParameterizedTestParameters(matrix, tcp)
{
	return all_combinations(tcp_list);
}

/* Connect from @local to @to, and return both ends and what the far one saw. */
static struct endpoint tcp_pass(struct natbed *bed, const char *local, const char *to, int listener,
				int ends[2])
{
	struct endpoint peer = bed_endpoint(to), seen;

	ends[0] = bed_tcp(bed, BED_INSIDE, local);
	bed_connect(ends[0], &peer);
	ends[1] = bed_accept(listener, &seen);
	return seen;
}

/* Does a connection from @local to @external reach @listener? If not, nobody may answer it. */
static bool tcp_passes(struct natbed *bed, const char *local, const struct endpoint *external,
		       int listener)
{
	int fd = bed_tcp(bed, BED_OUTSIDE, local), accepted;
	struct endpoint peer;

	bed_connect(fd, external);
	natbed_settle(bed);
	accepted = bed_try_accept(listener, &peer);
	if (accepted < 0)
		cr_assert(bed_unanswered(fd), "the connection from %s was answered", local);
	else
		close(accepted);
	close(fd);
	return accepted >= 0;
}

ParameterizedTest(const struct combination *c, matrix, tcp)
{
	const struct nat nat = nat_of(c);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int listeners[PEERS], ends[PEERS + 1][2], inside, i;
	struct endpoint seen[PEERS], external;
	char text[128];

	for (i = 0; i < PEERS; i++)
		listeners[i] = bed_listen(&bed, BED_OUTSIDE, peers[i]);
	for (i = 0; i < PEERS; i++)
		seen[i] = tcp_pass(&bed, "192.168.1.1:5000", peers[i], listeners[i], ends[i]);
	check_mappings(c, "TCP", seen, 5000);

	external = tcp_pass(&bed, "192.168.1.1:6000", peers[0], listeners[0], ends[PEERS]);
	inside = bed_listen(&bed, BED_INSIDE, "192.168.1.1:6000");
	cr_assert(tcp_passes(&bed, "9.9.9.10:2000", &external, inside) ==
			  (c->filtering == ENDPOINT_INDEPENDENT),
		  "%s: a connection from another host", describe(c, text));
	cr_assert(tcp_passes(&bed, "9.9.9.9:2000", &external, inside) ==
			  (c->filtering != ADDRESS_AND_PORT_DEPENDENT),
		  "%s: a connection from another port", describe(c, text));
	for (i = 0; i <= PEERS; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	for (i = 0; i < PEERS; i++)
		close(listeners[i]);
	close(inside);
}

static struct combination icmp_list[PAIRS * PORTS];

ParameterizedTestParameters(matrix, icmp)
{
	return all_combinations(icmp_list);
}

/* A query's identifier is its port; its peer has none, so only addresses can matter. */
ParameterizedTest(const struct combination *c, matrix, icmp)
{
	const struct nat nat = nat_of(c);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	int host = bed_icmp(&bed, BED_INSIDE, "192.168.1.1");
	int first = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	int second = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.10");
	struct bed_echo one, two, answer;
	char text[128];
	bool passed;

	bed_send_echo(host, "9.9.9.9", BED_ECHO_REQUEST, 5000, 1);
	one = bed_receive_echo(first, BED_ECHO_REQUEST, 1);
	answer = bed_receive_echo(host, BED_ECHO_REPLY, 1);
	cr_assert(answer.id == 5000, "%s: the reply came back as id %u", describe(c, text),
		  answer.id);

	bed_send_echo(second, BED_EXTERNAL, BED_ECHO_REQUEST, one.id, 2);
	natbed_settle(&bed);
	passed = bed_find_echo(host, BED_ECHO_REQUEST, 2, &answer);
	cr_assert(passed == (c->filtering == ENDPOINT_INDEPENDENT), "%s: another host's query",
		  describe(c, text));
	if (passed)
		cr_assert(answer.id == 5000, "%s: the query came in as id %u", describe(c, text),
			  answer.id);
	bed_send_echo(first, BED_EXTERNAL, BED_ECHO_REQUEST, one.id, 3);
	answer = bed_receive_echo(host, BED_ECHO_REQUEST, 3);
	cr_assert(answer.id == 5000, "%s: the peer's query", describe(c, text));

	bed_send_echo(host, "9.9.9.9", BED_ECHO_REQUEST, 5001, 4);
	one = bed_receive_echo(first, BED_ECHO_REQUEST, 4);
	bed_send_echo(host, "9.9.9.10", BED_ECHO_REQUEST, 5001, 5);
	two = bed_receive_echo(second, BED_ECHO_REQUEST, 5);
	cr_assert((one.id == two.id) == (c->mapping == ENDPOINT_INDEPENDENT), "%s: ids %u and %u",
		  describe(c, text), one.id, two.id);
	if (c->ports == PORTS_PRESERVING)
		cr_assert(one.id == 5001, "%s: id 5001 became %u", describe(c, text), one.id);
	close(host);
	close(first);
	close(second);
}
