/* SPDX-License-Identifier: MIT */
/* tcp-punch and the rendezvous on real sockets, when things around them go wrong. */
#include <criterion/criterion.h>
#include <signal.h>

#include "support/street.h"

#define TCP_PUNCH "tcp-punch --rendezvous server --session demo "

static int body_transports(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *udp, *tcp;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "pc1", "punch --rendezvous server --session demo --timeout 1", &udp) ==
		       0,
	       "no punch");
	EXPECT(run(&built, "pc2", TCP_PUNCH "--timeout 0.5", &tcp) == 0, "it hangs");
	SAID(tcp, "nobody else joined the session");
	EXPECT(udp->end != CHILD_RUNNING || wait_end(built.lab, udp, 5000) == 0, "it hangs");
	SAID(udp, "nobody else joined the session");
	return 0;
}

Test(tcp_rendezvous, pairs_tcp_with_tcp_only, .timeout = 60)
{
	in_lab(body_transports, NULL);
}

static int body_sessions(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(run(&built, "pc1", TCP_PUNCH "--timeout 0.3", &a) == 0, "it hangs");
	STATUS(a, 1);
	SAID(a, "no rendezvous: TCP 9.9.9.9:1024: Connection refused");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	/* Interrupted while it waits; the next pair must find the name free. */
	EXPECT(start(&built, "pc1", TCP_PUNCH "-v", &a) == 0, "no tcp-punch");
	EXPECT(wait_for(&built, a, "\"event\":\"ready\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, a, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 5000) == 0, "it ignores SIGTERM");
	STATUS(a, 1);
	EXPECT(!strstr(out(a), "result"), "said %s", out(a));
	EXPECT(start(&built, "pc1", TCP_PUNCH "--port 7777", &a) == 0, "no tcp-punch");
	EXPECT(run(&built, "pc2", TCP_PUNCH "--port 8888", &b) == 0, "b hangs");
	STATUS(b, 0);
	EXPECT(a->end != CHILD_RUNNING || wait_end(built.lab, a, 5000) == 0, "a hangs");
	STATUS(a, 0);
	/* The same ports again, at once: nothing is left of the first time. */
	EXPECT(start(&built, "pc1", TCP_PUNCH "--port 7777", &a) == 0, "no tcp-punch");
	EXPECT(run(&built, "pc2", TCP_PUNCH "--port 8888", &b) == 0, "b hangs");
	STATUS(b, 0);
	return 0;
}

Test(tcp_punch, sessions_and_ports_are_free_again, .timeout = 60)
{
	in_lab(body_sessions, NULL);
}

static int body_junk(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *silent, *junk, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "open",
		     "bash -c 'for i in {10..200}; do eval \"exec $i<>/dev/tcp/9.9.9.9/1024\"; "
		     "done; echo all are open; read'",
		     &silent) == 0,
	       "no silent ones");
	EXPECT(wait_for(&built, silent, "all are open", 10000) == 0, "said %s", err(silent));
	EXPECT(run(&built, "open",
		   "bash -c 'for i in {1..100}; do head -c $((i * 30)) /dev/urandom "
		   ">/dev/tcp/9.9.9.9/1024; done 2>/dev/null; true'",
		   &junk) == 0,
	       "the flood hangs");
	EXPECT(start(&built, "pc1", TCP_PUNCH, &a) == 0, "no tcp-punch");
	EXPECT(run(&built, "pc2", TCP_PUNCH, &b) == 0, "b hangs");
	STATUS(b, 0);
	EXPECT(lab_kill(built.lab, rendezvous, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, rendezvous, 5000) == 0, "it ignores SIGTERM");
	STATUS(rendezvous, 0);
	return 0;
}

Test(tcp_rendezvous, serves_among_silence_and_junk, .timeout = 60)
{
	in_lab(body_junk, NULL);
}

static int body_peer_dies(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "pc1", TCP_PUNCH "--interval 0.2 --messages 1000", &a) == 0, "no a");
	EXPECT(start(&built, "pc2", TCP_PUNCH "--interval 0.2 --messages 1000", &b) == 0, "no b");
	EXPECT(wait_for(&built, a, "\"event\":\"connected\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, rendezvous, SIGKILL) == 0, "no signal");
	EXPECT(wait_end(built.lab, rendezvous, 5000) == 0, "it lives");
	EXPECT(lab_kill(built.lab, b, SIGKILL) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 10000) == 0, "it never notices: %s", out(a));
	STATUS(a, 1);
	SAID(a, "\"path\":\"lost\"");
	SAID(a, "the peer closed the connection after");
	return 0;
}

Test(tcp_punch, notices_that_its_peer_was_killed, .timeout = 60)
{
	in_lab(body_peer_dies, NULL);
}
