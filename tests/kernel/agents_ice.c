/* SPDX-License-Identifier: MIT */
/* The agent around libnice on real sockets: misuse, interruption, and a peer that goes away. */
#include <criterion/criterion.h>
#include <signal.h>

#include "support/street.h"

#define ICE "ice --rendezvous server --session demo "
#define COTURN                                                                         \
	"turnserver -n --no-cli --no-tls --no-dtls --pidfile /dev/null -L 9.9.9.9 -a " \
	"-u ann:secret -r example.org --log-file stdout -v"
#define TURN "--turn 9.9.9.9 --user ann --password secret "

static int body_misuse(void *data)
{
	static const char *const table[][2] = {
		{ICE TURN "--user", "--user needs"},
		{ICE "--turn 9.9.9.9", "go together"},
		{ICE "--user ann --password secret", "go together"},
		{ICE "--stun nobody.invalid", "cannot find the host"},
		{ICE "--turn 9.9.9.9:0 --user ann --password secret", "not HOST[:PORT]"},
		{"ice --rendezvous server", "--session NAME is missing"},
		{"ice --rendezvous server --session ''", "--session takes"},
	};

	(void)data;
	return expect_misuse(table, sizeof(table) / sizeof(*table));
}

Test(ice, misuse_is_status_2_with_the_reason_on_stderr, .timeout = 60)
{
	in_lab(body_misuse, NULL);
}

/* Interrupted while it waits for the other peer: it leaves its place, and no result. */
static int body_interrupted(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *coturn, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "server", COTURN, &coturn) == 0, "no coturn");
	EXPECT(wait_for(&built, coturn, "admin thread", 10000) == 0, "coturn is not ready: %s",
	       out(coturn));
	EXPECT(start(&built, "pc1", ICE TURN, &a) == 0, "no ice");
	EXPECT(wait_for(&built, a, "\"event\":\"gathered\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, a, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 5000) == 0, "it ignores SIGTERM");
	STATUS(a, 1);
	EXPECT(!strstr(out(a), "\"event\":\"result\""), "a result: %s", out(a));
	EXPECT(strstr(out(coturn), "lifetime=0") ||
		       wait_for(&built, coturn, "lifetime=0", 5000) == 0,
	       "it keeps its allocation; coturn says %s", out(coturn));
	/* The next pair must find the name free. */
	EXPECT(start(&built, "pc1", ICE TURN, &a) == 0, "no ice");
	EXPECT(run(&built, "pc2", ICE TURN, &b) == 0, "b hangs");
	STATUS(b, 0);
	SAID(b, "\"path\":\"direct\"");
	if (a->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, a, 5000) == 0, "a hangs: %s", out(a));
	STATUS(a, 0);
	return 0;
}

Test(ice, interrupted_it_gives_back_its_allocation_and_its_place, .timeout = 60)
{
	in_lab(body_interrupted, NULL);
}

static int body_peer_dies(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *server, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start_server(&built, "stun-server --primary 9.9.9.9", &server) == 0, "no server");
	EXPECT(start(&built, "pc1", ICE "--stun server --messages 1000000 --patience 0.5", &a) == 0,
	       "no ice");
	EXPECT(start(&built, "pc2", ICE "--stun server --messages 1000000", &b) == 0, "no ice");
	EXPECT(wait_for(&built, a, "\"event\":\"connected\"", 10000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, b, SIGKILL) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 10000) == 0, "it never notices: %s", out(a));
	STATUS(a, 1);
	SAID(a, "\"path\":\"lost\"");
	SAID(a, "nothing of the peer's came any more");
	return 0;
}

Test(ice, a_path_dies_with_the_peer, .timeout = 60)
{
	in_lab(body_peer_dies, NULL);
}
