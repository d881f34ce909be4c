/* SPDX-License-Identifier: MIT */
/*
 * The agents on real sockets, across real NATs, with real foreign programs at the other
 * end, and with everything around them going wrong.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "support/street.h"

#define STUN_SERVER "stun-server --primary 9.9.9.9 --alternate 9.9.9.10"

/* ---- stun-server and strangers ---- */

static int body_foreign_clients(void *data)
{
	AUTO_BUILT struct built built;
	struct child *server, *child;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, STUN_SERVER, &server) == 0, "no server: %s", err(server));
	EXPECT(run(&built, "open", "stun 9.9.9.9", &child) == 0, "stun hangs");
	SAID(child, "Primary: Open");
	STATUS(child, 1); /* its verdict as a number: open, ports preserved, hairpins to itself */
	EXPECT(run(&built, "pc1", "stun 9.9.9.9", &child) == 0, "stun hangs");
	SAID(child, "Independent Mapping, Port Dependent Filter");
	EXPECT(run(&built, "open", "turnutils_natdiscovery -m -f -P -L 7.7.7.7 9.9.9.9", &child) ==
		       0,
	       "natdiscovery hangs");
	SAID(child, "No NAT! (Endpoint Independent Mapping)");
	SAID(child, "NAT with Endpoint Independent Filtering!");
	SAID(child, "No ALG: Mapped == XOR-Mapped");
	EXPECT(run(&built, "open", "turnutils_stunclient 9.9.9.9", &child) == 0, "it hangs");
	SAID(child, "7.7.7.7:");
	return 0;
}

Test(stun_server, satisfies_the_detectors_of_debian_and_coturn, .timeout = 60)
{
	in_lab(body_foreign_clients, NULL);
}

static int body_junk(void *data)
{
	AUTO_BUILT struct built built;
	struct child *server, *rendezvous, *child;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, STUN_SERVER, &server) == 0, "no server: %s", err(server));
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous: %s",
	       err(rendezvous));
	EXPECT(run(&built, "open",
		   "bash -c 'for i in {1..500}; do head -c $((i * 3)) /dev/urandom "
		   ">/dev/udp/9.9.9.9/3478; echo junk >/dev/udp/9.9.9.9/1024; done 2>&1'",
		   &child) == 0,
	       "the flood hangs");
	STATUS(child, 0);
	EXPECT(run(&built, "open", "detect --server server", &child) == 0, "detect hangs");
	SAID(child, "\"type\":\"open-internet\"");
	EXPECT(lab_kill(built.lab, server, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, server, 5000) == 0, "it ignores SIGTERM");
	STATUS(server, 0);
	SAID(server, "\"event\":\"end\"");
	EXPECT(lab_kill(built.lab, rendezvous, SIGINT) == 0, "no signal");
	EXPECT(wait_end(built.lab, rendezvous, 5000) == 0, "it ignores SIGINT");
	STATUS(rendezvous, 0);
	SAID(rendezvous, "\"replies\":0");
	return 0;
}

Test(servers, survive_junk_and_end_when_asked, .timeout = 60)
{
	in_lab(body_junk, NULL);
}

/* ---- detect ---- */

static int body_coturn(void *data)
{
	AUTO_BUILT struct built built;
	struct child *server, *child;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start(&built, "server",
		     "turnserver -S -n --no-cli --pidfile /dev/null -L 9.9.9.9 -L 9.9.9.10 "
		     "--log-file stdout",
		     &server) == 0,
	       "no coturn");
	/* Its sockets are open by then; detect asks again if one is not read yet. */
	EXPECT(wait_for(&built, server, "admin thread", 10000) == 0, "coturn is not ready: %s",
	       out(server));
	EXPECT(run(&built, "open", "detect --server 9.9.9.9", &child) == 0, "detect hangs");
	SAID(child, "\"type\":\"open-internet\"");
	STATUS(child, 0);
	EXPECT(run(&built, "pc1", "detect --server 9.9.9.9 --port 5000", &child) == 0, "hangs");
	SAID(child, "\"type\":\"port-restricted-cone\"");
	SAID(child, "\"mapped\":\"1.2.3.4:5000\"");
	SAID(child, "\"local\":\"192.168.1.1:5000\"");
	return 0;
}

Test(detect, understands_coturn, .timeout = 60)
{
	in_lab(body_coturn, NULL);
}

static int body_detect_refused(void *data)
{
	AUTO_BUILT struct built built;
	struct child *server, *child;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(run(&built, "pc1", "detect --server server", &child) == 0, "detect hangs");
	SAID(child, "\"reason\":\"nothing listens on 9.9.9.9:3478\"");
	SAID(child, "\"type\":\"unknown\"");
	STATUS(child, 1);
	EXPECT(child->ended - child->started < 1000 * MS, "an ICMP error need not be waited for");
	EXPECT(run(&built, "mole", "detect --server server --timeout 0.5", &child) == 0, "hangs");
	SAID(child, "\"type\":\"udp-blocked\"");
	STATUS(child, 0);
	EXPECT(run(&built, "pc1", "detect --server 3.3.3.3 --timeout 0.5", &child) == 0, "hangs");
	SAID(child, "\"type\":\"udp-blocked\"");
	EXPECT(start_server(&built, "stun-server --primary 9.9.9.9", &server) == 0, "no server");
	EXPECT(run(&built, "pc1", "detect --server server -v", &child) == 0, "detect hangs");
	SAID(child, "has no second address");
	SAID(child, "\"nat\":true");
	STATUS(child, 1);
	EXPECT(strstr(err(child), "sees us as 1.2.3.4:"), "-v tells the story: %s", err(child));
	EXPECT(run(&built, "pc1", "detect --server server --binding --port 1000", &child) == 0,
	       "detect hangs");
	SAID(child, "\"mapped\":\"1.2.3.4:1000\"");
	STATUS(child, 0);
	return 0;
}

Test(detect, says_why_when_it_cannot_tell, .timeout = 60)
{
	in_lab(body_detect_refused, NULL);
}

/* ---- punch ---- */

#define PUNCH "punch --rendezvous server --session demo "

static int body_rendezvous_dies(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "pc1", PUNCH "--port 7777 --interval 0.1", &a) == 0, "no punch");
	EXPECT(start(&built, "pc2", PUNCH "--port 8888 --interval 0.1", &b) == 0, "no punch");
	EXPECT(wait_for(&built, a, "\"event\":\"connected\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, rendezvous, SIGKILL) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 10000) == 0, "a hangs: %s", out(a));
	STATUS(a, 0);
	SAID(a, "\"path\":\"direct\"");
	SAID(a, "\"local\":\"192.168.1.1:7777\"");
	SAID(a, "\"public\":\"1.2.3.4:7777\"");
	SAID(a, "\"peer\":\"5.6.7.8:8888\"");
	SAID(a, "\"candidate\":\"public\"");
	SAID(a, "\"blind\":\"none\"");
	SAID(a, "\"sent\":5,\"received\":5");
	if (b->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, b, 10000) == 0, "b hangs: %s", out(b));
	STATUS(b, 0);
	return 0;
}

Test(punch, goes_on_when_the_rendezvous_is_killed, .timeout = 60)
{
	in_lab(body_rendezvous_dies, NULL);
}

static int body_neighbours(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "pc1", PUNCH "--port 7777", &a) == 0, "no punch");
	EXPECT(run(&built, "pc1b", PUNCH "--port 7777", &b) == 0, "b hangs");
	STATUS(b, 0);
	SAID(b, "\"peer\":\"192.168.1.1:7777\",\"candidate\":\"private\"");
	return 0;
}

Test(punch, neighbours_behind_one_nat_meet_at_home, .timeout = 60)
{
	in_lab(body_neighbours, NULL);
}

static int body_peer_dies(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "pc1", PUNCH "--interval 0.2 --messages 1000", &a) == 0, "no punch");
	EXPECT(start(&built, "pc2", PUNCH "--interval 0.2 --messages 1000", &b) == 0, "no punch");
	EXPECT(wait_for(&built, a, "\"event\":\"connected\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, b, SIGKILL) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 10000) == 0, "it never notices: %s", out(a));
	STATUS(a, 1);
	SAID(a, "\"path\":\"lost\"");
	SAID(a, "the peer vanished");
	return 0;
}

Test(punch, notices_that_its_peer_was_killed, .timeout = 60)
{
	in_lab(body_peer_dies, NULL);
}

static int body_sessions(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(run(&built, "pc1", PUNCH "--timeout 0.3", &a) == 0, "it hangs");
	STATUS(a, 1);
	SAID(a, "no rendezvous: 9.9.9.9:1024 did not answer");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(run(&built, "pc1", PUNCH "--timeout 0.3", &a) == 0, "it hangs");
	STATUS(a, 1);
	SAID(a, "nobody else joined");
	/* Interrupted while it waits; the next pair must find the name free. */
	EXPECT(start(&built, "pc1", PUNCH "-v", &a) == 0, "no punch");
	EXPECT(wait_for(&built, a, "\"event\":\"ready\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, a, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 5000) == 0, "it ignores SIGTERM");
	STATUS(a, 1);
	EXPECT(start(&built, "pc1", PUNCH, &a) == 0, "no punch");
	EXPECT(run(&built, "pc2", PUNCH, &b) == 0, "b hangs");
	STATUS(b, 0);
	if (a->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, a, 5000) == 0, "a hangs: %s", out(a));
	STATUS(a, 0);
	return 0;
}

Test(punch, names_what_went_wrong_with_the_session, .timeout = 60)
{
	in_lab(body_sessions, NULL);
}

/* ---- misuse ---- */

static int body_misuse(void *data)
{
	static const char *const table[][2] = {
		{"detect", "--server HOST[:PORT] is missing"},
		{"detect --server", "--server needs a value"},
		{"detect --server server --port 65536", "whole number up to 65535"},
		{"detect --server server --timeout soon", "takes seconds"},
		{"detect --server server:0", "not HOST[:PORT]"},
		{"detect --server nobody.invalid", "cannot find the host"},
		{"detect --nonsense", "unknown argument"},
		{"stun-server --primary 4.4.4.4", "cannot use 4.4.4.4:3478"},
		{"stun-server --primary 7.7.7.7 --alternate 7.7.7.7", "must differ"},
		{"stun-server --primary 7.7.7.7 --port 5 --alternate-port 5", "must differ"},
		{"rendezvous --listen 4.4.4.4", "cannot use 4.4.4.4:1024"},
		{"punch --rendezvous server --session ''", "1 to 64 bytes"},
		{"punch --rendezvous server", "--session NAME is missing"},
	};
	AUTO_BUILT struct built built;
	struct child *child;
	size_t i;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		EXPECT(run(&built, "open", table[i][0], &child) == 0, "%s hangs", table[i][0]);
		EXPECT(child->end == CHILD_EXITED && child->status == 2, "%s: status %d",
		       table[i][0], child->status);
		EXPECT(strstr(err(child), table[i][1]), "%s: said %s", table[i][0], err(child));
		EXPECT(child->out.length == 0, "%s: stdout is for JSON: %s", table[i][0],
		       out(child));
	}
	EXPECT(run(&built, "open", "detect --help", &child) == 0, "it hangs");
	STATUS(child, 0);
	SAID(child, "usage: detect --server HOST[:PORT]");
	EXPECT(run(&built, "open", "punch --version", &child) == 0, "it hangs");
	STATUS(child, 0);
	SAID(child, "punch (natsim) " NATSIM_VERSION);
	return 0;
}

Test(misuse, is_status_2_with_the_reason_on_stderr, .timeout = 60)
{
	in_lab(body_misuse, NULL);
}
