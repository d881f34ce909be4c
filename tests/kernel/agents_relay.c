/* SPDX-License-Identifier: MIT */
/* The relaying agent on real sockets: misuse, interruption, and a relay that goes away. */
#include <criterion/criterion.h>
#include <signal.h>

#include "support/street.h"

#define RELAY "relay --rendezvous server --session demo "
#define COTURN                                                                         \
	"turnserver -n --no-cli --no-tls --no-dtls --pidfile /dev/null -L 9.9.9.9 -a " \
	"-u ann:secret -r example.org --log-file stdout "
#define TURN "--turn 9.9.9.9 --user ann --password secret "

static int start_coturn(struct built *built, const char *command, struct child **ret)
{
	EXPECT(start(built, "server", command, ret) == 0, "no coturn");
	EXPECT(wait_for(built, *ret, "admin thread", 10000) == 0, "coturn is not ready: %s",
	       out(*ret));
	return 0;
}

static int body_misuse(void *data)
{
	static const char *const table[][2] = {
		{RELAY "--user ann --password secret", "go with --turn"},
		{RELAY "--channel", "go with --turn"},
		{RELAY "--turn 9.9.9.9 --user ann", "go together"},
		{RELAY "--turn 9.9.9.9:0", "not HOST[:PORT]"},
		{RELAY "--turn nobody.invalid", "cannot find the host"},
		{"relay --session demo", "--rendezvous HOST[:PORT] is missing"},
		{"rendezvous --relay-rate much", "whole number"},
	};

	(void)data;
	return expect_misuse(table, sizeof(table) / sizeof(*table));
}

Test(relay, misuse_is_status_2_with_the_reason_on_stderr, .timeout = 60)
{
	in_lab(body_misuse, NULL);
}

/* Interrupted while it waits for the other peer: it leaves nothing behind on either server. */
static int body_interrupted(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *coturn, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start_coturn(&built, COTURN "-v", &coturn) == 0, "no coturn");
	EXPECT(start(&built, "pc1", RELAY TURN, &a) == 0, "no relay");
	EXPECT(wait_for(&built, a, "\"event\":\"allocated\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, a, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 5000) == 0, "it ignores SIGTERM");
	STATUS(a, 1);
	EXPECT(strstr(out(coturn), "lifetime=0") ||
		       wait_for(&built, coturn, "lifetime=0", 5000) == 0,
	       "coturn says %s", out(coturn));
	/* And the next pair must find the name free. */
	EXPECT(start(&built, "pc1", RELAY TURN, &a) == 0, "no relay");
	EXPECT(run(&built, "pc2", RELAY, &b) == 0, "b hangs");
	STATUS(b, 0);
	SAID(b, "\"path\":\"relayed\"");
	if (a->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, a, 5000) == 0, "a hangs: %s", out(a));
	STATUS(a, 0);
	return 0;
}

Test(relay, interrupted_it_gives_back_its_allocation_and_its_place, .timeout = 60)
{
	in_lab(body_interrupted, NULL);
}

static int body_relay_dies(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "pc1", RELAY "--interval 0.1 --messages 1000 --patience 0.5", &a) == 0,
	       "no relay");
	EXPECT(start(&built, "pc2", RELAY "--interval 0.1 --messages 1000 --patience 0.5", &b) == 0,
	       "no relay");
	EXPECT(wait_for(&built, a, "\"event\":\"connected\"", 5000) == 0, "said %s", out(a));
	EXPECT(lab_kill(built.lab, rendezvous, SIGKILL) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 10000) == 0, "it never notices: %s", out(a));
	STATUS(a, 1);
	SAID(a, "\"path\":\"lost\"");
	SAID(a, "nothing of the peer's came any more");
	return 0;
}

Test(relay, a_path_by_the_rendezvous_dies_with_it, .timeout = 60)
{
	in_lab(body_relay_dies, NULL);
}
