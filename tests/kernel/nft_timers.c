/* SPDX-License-Identifier: MIT */
/*
 * Lifetimes by themselves, of mappings and of permissions, and which packets extend them.
 *
 * "To 10 %" is of the rules; what a probe adds is its own pace and how long a
 * busy machine keeps a packet waiting (MARGIN_MS).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

enum { MARGIN_MS = 60 };

static struct nat lived(const char *name, unsigned int mapping, unsigned int filter)
{
	struct nat nat = bed_nat(name);
	int i;

	for (i = 0; i < NAT_PROTOCOLS; i++) {
		nat.timers.mapping[i] = mapping;
		nat.timers.filter[i] = filter;
	}
	return nat;
}

Test(timers, a_permission_ends_by_itself_and_the_mapping_lives_on)
{
	static const unsigned int lives[] = {300, 550, 1200};
	size_t i;

	for (i = 0; i < 3; i++) {
		const struct nat nat = lived("port-restricted-cone", 20000, lives[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, again;
		struct endpoint other_server = bed_endpoint("9.9.9.10:1000");
		int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		uint64_t before = bed_now(), after;

		external = bed_pass(host, &server, peer);
		after = bed_now();
		bed_check_end("the permission", bed_when_closed(&bed, peer, &external, host),
			      before, after, lives[i], lives[i] / 10 + MARGIN_MS);
		again = bed_pass(host, &other_server, other);
		cr_assert(bed_same(&again, &external), "the mapping ended, too");
		cr_assert(!bed_passes(&bed, peer, &external, host),
			  "another's permission opened it");
		bed_pass(host, &server, peer);
		bed_pass(peer, &external, host);
		close(host);
		close(peer);
		close(other);
	}
}

enum { LIFE_MS = 400, STEP_MS = LIFE_MS / 8 };

static const char *const refreshed[] = {"full-cone", "port-restricted-cone", "symmetric"};
enum { REFRESHED = 3 };

static struct nat refreshing(const char *name, enum nat_refresh refresh)
{
	struct nat nat = lived(name, LIFE_MS, 0);

	nat.timers.refresh = refresh;
	return nat;
}

/* Only the outside speaks, for more than two lives: is the mapping there all the time? */
static bool kept_from_outside(const struct nat *nat)
{
	AUTO_NATBED struct natbed bed = natbed_open(nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	uint64_t before = bed_now(), after, probe;
	struct bed_end end = {0};
	bool open = true;

	external = bed_pass(host, &server, peer);
	after = bed_now();
	while (open && bed_now() < after + 5 * LIFE_MS / 2) {
		bed_wait_until(bed_now() + STEP_MS / 2);
		probe = bed_now();
		open = bed_passes(&bed, peer, &external, host);
		if (open)
			end.open = probe;
	}
	end.closed = bed_now();
	if (!open)
		bed_check_end(nat->name, end, before, after, LIFE_MS, LIFE_MS / 10 + MARGIN_MS);
	close(host);
	close(peer);
	return open;
}

/* Only the inside speaks, until shortly before the first life's end: is there a second one? */
static bool kept_from_inside(const struct nat *nat)
{
	AUTO_NATBED struct natbed bed = natbed_open(nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	uint64_t start = bed_now();
	bool open;

	do {
		external = bed_pass(host, &server, peer);
		bed_wait_until(bed_now() + STEP_MS);
	} while (bed_now() < start + 7 * STEP_MS);
	bed_wait_until(start + 11 * STEP_MS); /* lives end at 8, if refreshed at 14 or later */
	open = bed_passes(&bed, peer, &external, host);
	close(host);
	close(peer);
	return open;
}

static void check_refresh(enum nat_refresh refresh)
{
	size_t i;

	for (i = 0; i < REFRESHED; i++) {
		const struct nat nat = refreshing(refreshed[i], refresh);

		cr_assert_eq(kept_from_outside(&nat), (refresh & REFRESH_INBOUND) != 0,
			     "%s: packets that come in", nat.name);
		cr_assert_eq(kept_from_inside(&nat), (refresh & REFRESH_OUTBOUND) != 0,
			     "%s: packets that go out", nat.name);
	}
}

Test(refresh, by_outbound_packets)
{
	check_refresh(REFRESH_OUTBOUND);
}

Test(refresh, by_inbound_packets)
{
	check_refresh(REFRESH_INBOUND);
}

Test(refresh, by_both)
{
	check_refresh(REFRESH_BOTH);
}

/* RFC 4787 section 4.3: a new permission counts from the packet that gave it. */
Test(refresh, of_the_inbound_kind_lets_the_inside_speak_to_others)
{
	const struct nat nat = refreshing("port-restricted-cone", REFRESH_INBOUND);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, again;
	struct endpoint other_server = bed_endpoint("9.9.9.10:1000");
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int other = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	uint64_t end = bed_now() + 3 * LIFE_MS / 2;

	external = bed_pass(host, &server, peer);
	while (bed_now() < end) {
		bed_wait_until(bed_now() + STEP_MS);
		bed_pass(peer, &external, host);
	}
	again = bed_pass(host, &other_server, other);
	cr_assert(bed_same(&again, &external), "another mapping: %s", BED_TEXT(&again));
	bed_pass(other, &external, host);
	close(host);
	close(peer);
	close(other);
}

Test(timers, an_expired_mapping_with_a_live_flow_in_conntrack_is_shut_until_the_inside_speaks)
{
	const struct nat nat = lived("full-cone", LIFE_MS, 0);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, again;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");

	external = bed_pass(host, &server, peer);
	bed_when_closed(&bed, peer, &external, host);
	cr_assert(!bed_passes(&bed, stranger, &external, host), "a stranger got in");
	again = bed_pass(host, &server, peer);
	cr_assert(bed_same(&again, &external), "the flow went on by %s", BED_TEXT(&again));
	bed_pass(peer, &external, host);
	bed_pass(stranger, &external, host);
	close(host);
	close(peer);
	close(stranger);
}

/* ---- TCP: established, and what opens or closes ---- */

enum { LONG_MS = 1600, SHORT_MS = 400 };

static struct nat stateful(const char *name)
{
	struct nat nat = lived(name, LONG_MS, 0);

	nat.timers.tcp_transitory = SHORT_MS;
	return nat;
}

/* Does a new SYN from outside get through to a listener on the mapping's inside? */
static bool syn_passes(struct natbed *bed, unsigned int number, const struct endpoint *external,
		       int served)
{
	char local[32];
	struct endpoint peer;
	int fd, accepted;

	snprintf(local, sizeof(local), "9.9.9.10:%u", 2000 + number);
	fd = bed_tcp(bed, BED_OUTSIDE, local);
	bed_connect(fd, external);
	natbed_settle(bed);
	accepted = bed_try_accept(served, &peer);
	close(fd);
	if (accepted >= 0)
		close(accepted);
	natbed_settle(bed);
	return accepted >= 0;
}

/*
 * One probe, since one that gets through is a connection and extends the mapping: at
 * @early ms it must still be open, or, in another bed, closed at @late ms.
 */
static bool open_at(const char *name, void (*story)(struct natbed *, struct endpoint *),
		    uint64_t ms)
{
	const struct nat nat = stateful(name);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint external;
	uint64_t start;
	bool open;
	int served;

	story(&bed, &external);
	start = bed_now();
	served = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000");
	bed_wait_until(start + ms);
	open = syn_passes(&bed, 0, &external, served);
	close(served);
	return open;
}

static int listener_fd, client_fd, accepted_fd;

static void connect_both(struct natbed *bed, struct endpoint *external)
{
	struct endpoint server = bed_endpoint("9.9.9.9:80");

	listener_fd = bed_listen(bed, BED_OUTSIDE, "9.9.9.9:80");
	client_fd = bed_tcp(bed, BED_INSIDE, "192.168.1.1:5000");
	bed_connect(client_fd, &server);
	accepted_fd = bed_accept(listener_fd, external);
	natbed_settle(bed);
}

/* A SYN to a host that has a silent firewall, or none at all. */
static void open_half(struct natbed *bed, struct endpoint *external)
{
	struct endpoint silent = bed_endpoint("9.9.200.200:80");

	client_fd = bed_tcp(bed, BED_INSIDE, "192.168.1.1:5000");
	bed_connect(client_fd, &silent);
	natbed_settle(bed);
	*external = bed_endpoint("1.2.3.4:5000");
	close(client_fd);
}

static void close_it(struct natbed *bed, struct endpoint *external)
{
	connect_both(bed, external);
	close(client_fd);
	natbed_settle(bed);
	close(accepted_fd);
	close(listener_fd);
	natbed_settle(bed);
}

static void reset_it(struct natbed *bed, struct endpoint *external)
{
	const struct linger at_once = {.l_onoff = 1};

	connect_both(bed, external);
	cr_assert(setsockopt(accepted_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	close(accepted_fd); /* a reset from outside */
	natbed_settle(bed);
	close(client_fd);
	close(listener_fd);
}

/* A second connection of the same socket opens and closes: the first one counts. */
static void close_another(struct natbed *bed, struct endpoint *external)
{
	struct endpoint server = bed_endpoint("9.9.9.11:80"), again;
	int listener = bed_listen(bed, BED_OUTSIDE, "9.9.9.11:80");
	int second = bed_tcp(bed, BED_INSIDE, "192.168.1.1:5000"), accepted;

	connect_both(bed, external);
	bed_connect(second, &server);
	accepted = bed_accept(listener, &again);
	cr_assert(bed_same(&again, external));
	close(second);
	natbed_settle(bed);
	close(accepted);
	close(listener);
	natbed_settle(bed);
}

static void check_transitory(void (*story)(struct natbed *, struct endpoint *))
{
	cr_assert(open_at("full-cone", story, SHORT_MS * 8 / 10), "it ended too early");
	cr_assert(!open_at("full-cone", story, SHORT_MS + SHORT_MS / 10 + MARGIN_MS),
		  "it did not end");
}

static void check_established(void (*story)(struct natbed *, struct endpoint *))
{
	cr_assert(open_at("full-cone", story, LONG_MS * 8 / 10), "it ended too early");
	cr_assert(!open_at("full-cone", story, LONG_MS + LONG_MS / 10 + MARGIN_MS),
		  "it did not end");
}

Test(tcp_timers, an_established_connection_has_the_long_life)
{
	check_established(connect_both);
}

Test(tcp_timers, a_half_open_connection_has_the_transitory_life)
{
	check_transitory(open_half);
}

Test(tcp_timers, a_closed_connection_has_the_transitory_life)
{
	check_transitory(close_it);
}

Test(tcp_timers, a_reset_connection_has_the_transitory_life)
{
	check_transitory(reset_it);
}

Test(tcp_timers, what_another_connection_does_is_its_own_affair)
{
	check_established(close_another);
}
