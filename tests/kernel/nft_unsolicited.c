/* SPDX-License-Identifier: MIT */
/* What a stranger hears, and what it costs the host that was about to call him. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

static struct nat answering(const char *name, enum nat_unsolicited unsolicited)
{
	struct nat nat = bed_nat(name);

	nat.unsolicited = unsolicited;
	return nat;
}

/* What a connected UDP socket hears of what it has sent: 0 for nothing. */
static int heard(struct natbed *bed, int fd)
{
	char byte;

	natbed_settle(bed);
	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN ? errno : 0;
}

/* How a connection that was started has ended, or EINPROGRESS. */
static int fate(struct natbed *bed, int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	natbed_settle(bed);
	if (bed_unanswered(fd))
		return EINPROGRESS;
	cr_assert(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	return error;
}

static const char *const names[] = {"full-cone", "port-restricted-cone", "symmetric",
				    "linux-masquerade", "firewall"};
enum { NAMES = 5 };

static void check_answers(enum nat_unsolicited unsolicited, int udp_hears, int tcp_hears, bool pong)
{
	size_t i;

	for (i = 0; i < NAMES; i++) {
		const struct nat nat = answering(names[i], unsolicited);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint closed = bed_endpoint("1.2.3.4:5000");
		int udp = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int tcp = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
		struct bed_echo echo;

		bed_connect(udp, &closed);
		bed_send(udp, &closed, "anybody there?");
		cr_assert_eq(heard(&bed, udp), udp_hears, "%s: UDP", nat.name);
		bed_connect(tcp, &closed);
		cr_assert_eq(fate(&bed, tcp), tcp_hears, "%s: TCP", nat.name);
		bed_send_echo(icmp, BED_EXTERNAL, BED_ECHO_REQUEST, 9, 1);
		natbed_settle(&bed);
		cr_assert_eq(bed_find_echo(icmp, BED_ECHO_REPLY, 1, &echo), pong, "%s: ping",
			     nat.name);
		close(udp);
		close(tcp);
		close(icmp);
	}
}

Test(unsolicited, drop_is_silence)
{
	check_answers(UNSOLICITED_DROP, 0, EINPROGRESS, false);
}

Test(unsolicited, reject_is_an_icmp_error_or_a_reset)
{
	check_answers(UNSOLICITED_REJECT, ECONNREFUSED, ECONNREFUSED, false);
}

Test(unsolicited, accept_is_the_routers_own_answer)
{
	check_answers(UNSOLICITED_ACCEPT, ECONNREFUSED, ECONNREFUSED, true);
}

Test(unsolicited, accept_gives_the_router_itself_what_is_sent)
{
	const struct nat nat = answering("port-restricted-cone", UNSOLICITED_ACCEPT);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint service = bed_endpoint("1.2.3.4:7000"), stranger_at;
	int router = bed_udp(&bed, BED_ROUTER, "1.2.3.4:7000");
	int listener = bed_listen(&bed, BED_ROUTER, "1.2.3.4:80");
	int stranger = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int caller = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	struct endpoint web = bed_endpoint("1.2.3.4:80"), seen;

	stranger_at = bed_pass(stranger, &service, router);
	seen = bed_pass(router, &stranger_at, stranger);
	cr_assert(bed_same(&seen, &service), "the answer came from %s", BED_TEXT(&seen));
	bed_connect(caller, &web);
	close(bed_accept(listener, &seen));
	close(router);
	close(listener);
	close(stranger);
	close(caller);
}

/* No answer to a stranger may open the mapping to him, nor keep it alive. */
Test(unsolicited, an_answer_is_not_a_permission)
{
	static const enum nat_unsolicited all[] = {UNSOLICITED_REJECT, UNSOLICITED_ACCEPT};
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct nat nat = answering("port-restricted-cone", all[i]);
		AUTO_NATBED struct natbed bed = natbed_open(&nat);
		struct endpoint server = bed_endpoint("9.9.9.9:1000"), external, peer;
		int host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
		int served = bed_listen(&bed, BED_INSIDE, "192.168.1.1:5000");
		int listener = bed_listen(&bed, BED_OUTSIDE, "9.9.9.9:1000");
		int stranger = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000"), again;

		bed_connect(host, &server);
		close(bed_accept(listener, &external));
		bed_connect(stranger, &external);
		cr_assert_eq(fate(&bed, stranger), ECONNREFUSED);
		close(stranger);
		again = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
		bed_connect(again, &external);
		cr_assert_eq(fate(&bed, again), ECONNREFUSED);
		cr_assert(bed_try_accept(served, &peer) < 0, "the stranger got in");
		close(host);
		close(served);
		close(listener);
		close(again);
	}
}

/* The peer's punch comes first: by which port does the host's own leave? */
static void check_early(const char *name, enum nat_unsolicited unsolicited, bool mapped, bool keeps)
{
	const struct nat nat = answering(name, unsolicited);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server_at = bed_endpoint("9.9.9.12:3478");
	struct endpoint peer_at = bed_endpoint("9.9.9.9:1000"),
			guess = bed_endpoint("1.2.3.4:5000");
	struct endpoint external, later;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int server = bed_udp(&bed, BED_OUTSIDE, "9.9.9.12:3478");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

	if (mapped) {
		external = bed_pass(host, &server_at, server);
		cr_assert(external.port == 5000);
	}
	cr_assert(!bed_passes(&bed, peer, &guess, host), "%s: it came in", name);
	external = bed_pass(host, &peer_at, peer);
	cr_assert_eq(external.port == 5000, keeps, "%s: the host's port is %u", name,
		     external.port);
	/* Either way it is one flow, in both directions, and the mapping is where it was. */
	bed_pass(peer, &external, host);
	later = bed_pass(host, &peer_at, peer);
	cr_assert(bed_same(&later, &external), "%s: it went on by %u", name, later.port);
	later = bed_pass(host, &server_at, server);
	cr_assert(!mapped || later.port == 5000, "%s: the mapping became %u", name, later.port);
	cr_assert(bed_passes(&bed, peer, &guess, host) == keeps,
		  "%s: the peer's way by the old port", name);
	close(host);
	close(server);
	close(peer);
}

Test(unsolicited, accept_moves_the_host_to_another_port_if_the_peer_came_first)
{
	check_early("port-restricted-cone", UNSOLICITED_ACCEPT, false, false);
	check_early("port-restricted-cone", UNSOLICITED_ACCEPT, true, false);
	check_early("linux-masquerade", UNSOLICITED_ACCEPT, false, false);
	check_early("linux-masquerade", UNSOLICITED_ACCEPT, true, false);
}

Test(unsolicited, drop_and_reject_cost_nothing)
{
	check_early("port-restricted-cone", UNSOLICITED_DROP, true, true);
	check_early("port-restricted-cone", UNSOLICITED_REJECT, false, true);
	check_early("port-restricted-cone", UNSOLICITED_REJECT, true, true);
	check_early("linux-masquerade", UNSOLICITED_REJECT, true, true);
}

/* The peer's packet still has a flow in conntrack, but the mapping's life is over. */
Test(unsolicited, accept_does_not_let_in_what_only_conntrack_remembers)
{
	struct nat nat = answering("port-restricted-cone", UNSOLICITED_ACCEPT);
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
