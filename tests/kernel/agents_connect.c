/* SPDX-License-Identifier: MIT */
/* The agent that tries every way, on real sockets: misuse, interruption, what it leaves behind. */
#include <criterion/criterion.h>
#include <signal.h>

#include "support/street.h"

#define CONNECT "connect --rendezvous server --session demo "
#define COTURN                                                                         \
	"turnserver -n --no-cli --no-tls --no-dtls --pidfile /dev/null -L 9.9.9.9 -a " \
	"-u ann:secret -r example.org --log-file stdout -v --listening-port 5349 "
#define TURN "--turn 9.9.9.9:5349 --user ann --password secret "

static int body_misuse(void *data)
{
	static const char *const table[][2] = {
		{CONNECT "--user ann --password secret", "are for a --turn server"},
		{CONNECT "--turn 9.9.9.9 --user ann", "go together"},
		{CONNECT "--turn 9.9.9.9 --no-relay", "is a relay"},
		{CONNECT "--gateway 192.168.1.254", "whom --port-mapping asks"},
		{CONNECT "--port-mapping upnp", "pcp or nat-pmp, not \"upnp\""},
		{CONNECT "--birthday", "needs --stun"},
		{CONNECT "--messages 0", "at least 1"},
		{"connect --rendezvous server --session ''", "1 to 56 bytes"},
		{"connect --session demo", "--rendezvous HOST[:PORT] is missing"},
	};

	(void)data;
	return expect_misuse(table, sizeof(table) / sizeof(*table));
}

Test(connect, misuse_is_status_2_with_the_reason_on_stderr, .timeout = 60)
{
	in_lab(body_misuse, NULL);
}

/* What is said on stderr is no event of the lab's. */
static int wait_for_words(struct built *built, const struct child *child, const char *words)
{
	uint64_t deadline = lab_clock() + 5000 * MS;
	struct lab_event event;

	while (!strstr(err(child), words)) {
		if (lab_clock() >= deadline ||
		    lab_next(built->lab, lab_clock() + 10 * MS, &event) < 0)
			return -ETIME;
	}
	return 0;
}

/* Interrupted while it waits, over UDP and over TCP: the name is free for the next pair. */
static int body_interrupted(void *data)
{
	const char *node = data;
	AUTO_BUILT struct built built;
	struct child *rendezvous, *a, *b;

	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous -v", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, node, CONNECT "-v", &a) == 0, "no connect");
	EXPECT(wait_for(&built, a, "\"event\":\"ready\"", 5000) == 0, "said %s", out(a));
	EXPECT(wait_for_words(&built, rendezvous, "(TCP): 1 answers, 1 sessions") == 0,
	       "it does not wait over TCP: %s", err(rendezvous));
	EXPECT(lab_kill(built.lab, a, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, a, 5000) == 0, "it ignores SIGTERM");
	STATUS(a, 1);
	EXPECT(!strstr(out(a), "\"event\":\"result\""), "it was interrupted: %s", out(a));
	EXPECT(start(&built, node, CONNECT, &a) == 0, "no connect");
	EXPECT(run(&built, "pc2", CONNECT, &b) == 0, "b hangs");
	STATUS(b, 0);
	SAID(b, "\"path\":\"direct\"");
	if (a->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, a, 5000) == 0, "a hangs: %s", out(a));
	STATUS(a, 0);
	return 0;
}

Test(connect, interrupted_it_leaves_its_place_to_others, .timeout = 60)
{
	in_lab(body_interrupted, (void *)(uintptr_t) "pc1");
	in_lab(body_interrupted, (void *)(uintptr_t) "mole");
}

static unsigned int times(const char *text, const char *part)
{
	unsigned int count = 0;

	while ((text = strstr(text, part)) != NULL) {
		count++;
		text++;
	}
	return count;
}

/* The relay was got ready in vain, or was still being asked. */
static int body_allocations(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *coturn, *a, *b;
	unsigned int round;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(start(&built, "server", COTURN, &coturn) == 0, "no coturn");
	EXPECT(wait_for(&built, coturn, "admin thread", 10000) == 0, "coturn says %s", out(coturn));
	for (round = 0; round < 5; round++) {
		EXPECT(start(&built, "pc1", CONNECT TURN, &a) == 0, "no connect");
		EXPECT(run(&built, "pc2", CONNECT TURN, &b) == 0, "b hangs");
		STATUS(b, 0);
		SAID(b, "\"transport\":\"udp\"");
		if (a->end == CHILD_RUNNING)
			EXPECT(wait_end(built.lab, a, 5000) == 0, "a hangs: %s", out(a));
		STATUS(a, 0);
	}
	while (times(out(coturn), ": new, ") > times(out(coturn), "lifetime=0"))
		EXPECT(wait_for(&built, coturn, "lifetime=0", 5000) == 0,
		       "not all allocations are given back: %s", out(coturn));
	EXPECT(times(out(coturn), ": new, ") > 0, "nothing was allocated: %s", out(coturn));
	return 0;
}

Test(connect, what_was_allocated_in_vain_is_given_back, .timeout = 60)
{
	in_lab(body_allocations, NULL);
}
