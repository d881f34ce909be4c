/* SPDX-License-Identifier: MIT */
/* The chat on real sockets: through pipes, at a terminal, and with a peer that goes away. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/street.h"

#define CHAT "chat --rendezvous 9.9.9.9 --session tea "

static int body_misuse(void *data)
{
	static const char *const table[][2] = {
		{CHAT "--name ''", "1 to 32 bytes"},
		{CHAT "--name 123456789012345678901234567890123", "1 to 32 bytes"},
		{CHAT "--say \"$(printf '%1024s' x)\"", "up to 1023 bytes"},
		{CHAT "--turn 9.9.9.9 --no-relay", "there is to be none"},
		{"chat --session tea", "--rendezvous HOST[:PORT] is missing"},
	};
	AUTO_BUILT struct built built;
	struct child *child;
	size_t i;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		EXPECT(run(&built, "open", table[i][0], &child) == 0, "%s hangs", table[i][0]);
		STATUS(child, 2);
		EXPECT(strstr(err(child), table[i][1]), "%s: said %s", table[i][0], err(child));
	}
	return 0;
}

Test(chat, misuse_is_status_2_with_the_reason_on_stderr, .timeout = 60)
{
	in_lab(body_misuse, NULL);
}

/* @ann and @bob are scripts, and both end. */
static int talk(struct built *built, const char *ann, const char *bob, struct child **ret_ann,
		struct child **ret_bob)
{
	EXPECT(spawn_shell(built, "pc1", ann, ret_ann) == 0, "no chat");
	EXPECT(spawn_shell(built, "pc2", bob, ret_bob) == 0, "no chat");
	EXPECT(wait_end(built->lab, *ret_ann, 20000) == 0, "ann hangs: %s", err(*ret_ann));
	if ((*ret_bob)->end == CHILD_RUNNING)
		EXPECT(wait_end(built->lab, *ret_bob, 20000) == 0, "bob hangs: %s", err(*ret_bob));
	return 0;
}

static int body_pipes(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *ann, *bob;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(talk(&built, "seq 2000 | " CHAT "--name ann --json",
		    "heard=$(seq 2001 2500 | " CHAT "--name bob | sed 's/^ann: //');"
		    "test \"$heard\" = \"$(seq 2000)\"",
		    &ann, &bob) == 0,
	       "see above");
	STATUS(ann, 0);
	STATUS(bob, 0);
	SAID(ann, "\"event\":\"connected\",\"technique\":\"punch\",\"transport\":\"udp\"");
	SAID(ann, "\"event\":\"named\",\"from\":\"bob\"");
	SAID(ann, "{\"event\":\"line\",\"text\":\"2001\",\"from\":\"bob\"}");
	SAID(ann, "\"path\":\"direct\"");
	SAID(ann, "\"said\":2000,\"heard\":500,\"peer_name\":\"bob\",\"last\":\"2500\"");
	return 0;
}

Test(chat, two_pipes_arrive_whole, .timeout = 60)
{
	in_lab(body_pipes, NULL);
}

/* UDP does not pass for the mole: letters go over a connection, which has another buffer. */
static int body_tcp(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *ann, *bob;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(spawn_shell(&built, "mole", "printf '%3000s\n' x | " CHAT "--name ann --json",
			   &ann) == 0,
	       "no chat");
	EXPECT(spawn_shell(&built, "open", "test $(" CHAT "--name bob </dev/null | wc -c) = 3018",
			   &bob) == 0,
	       "no chat");
	EXPECT(wait_end(built.lab, ann, 20000) == 0, "ann hangs: %s", err(ann));
	if (bob->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, bob, 20000) == 0, "bob hangs: %s", err(bob));
	STATUS(ann, 0);
	STATUS(bob, 0);
	SAID(ann, "\"path\":\"direct\"");
	SAID(ann, "\"transport\":\"tcp\"");
	SAID(ann, "\"said\":3,");
	return 0;
}

Test(chat, the_longest_lines_pass_over_tcp_too, .timeout = 60)
{
	in_lab(body_tcp, NULL);
}

/* Stopped as natsim stops what it started: a polite end, and in time. */
static int body_terminated(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *ann, *bob;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(spawn_shell(&built, "pc1",
			   "mkfifo /tmp/still-$$; exec 3<>/tmp/still-$$; rm /tmp/still-$$;"
			   "exec " CHAT "--name ann --json <&3 3<&-",
			   &ann) == 0,
	       "no chat");
	EXPECT(start(&built, "pc2", CHAT "--name bob --say 'do not go' --json", &bob) == 0,
	       "no chat");
	EXPECT(wait_for(&built, ann, "\"text\":\"do not go\"", 10000) == 0, "heard %s", out(ann));
	EXPECT(lab_kill(built.lab, ann, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built.lab, ann, 2000) == 0, "ann ignores SIGTERM: %s", out(ann));
	if (bob->end == CHILD_RUNNING)
		EXPECT(wait_end(built.lab, bob, 5000) == 0, "bob hangs: %s", out(bob));
	STATUS(ann, 0);
	STATUS(bob, 0);
	SAID(bob, "\"said\":1,");
	return 0;
}

Test(chat, terminated_it_parts_in_order, .timeout = 60)
{
	in_lab(body_terminated, NULL);
}

static int body_nobody_comes(void *data)
{
	AUTO_BUILT struct built built;
	struct child *rendezvous, *ann;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(start_server(&built, "rendezvous", &rendezvous) == 0, "no rendezvous");
	EXPECT(run(&built, "pc1", CHAT "--timeout 0.7", &ann) == 0, "it waits for ever");
	STATUS(ann, 1);
	EXPECT(strstr(err(ann), "nobody else joined the session in 0.7 s"), "%s", err(ann));
	EXPECT(run(&built, "pc1", CHAT "--timeout 0.7 --json", &ann) == 0, "it waits for ever");
	SAID(ann, "\"path\":\"none\"");
	EXPECT(err(ann)[0] == '\0', "people are told, programs are not: %s", err(ann));
	return 0;
}

Test(chat, waits_as_long_as_it_is_told_for_somebody_to_come, .timeout = 60)
{
	in_lab(body_nobody_comes, NULL);
}

/* A machine has other programs of these names; a topology means natsim's. */
static int body_path(void *data)
{
	char other[] = "/tmp/natsim-path-XXXXXX", file[64], path[128];
	AUTO_BUILT struct built built;
	struct child *child;
	FILE *script;

	(void)data;
	EXPECT(mkdtemp(other), "no folder");
	snprintf(file, sizeof(file), "%s/chat", other);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", other);
	script = fopen(file, "w");
	EXPECT(script && fputs("#!/bin/sh\necho another\n", script) >= 0 && fclose(script) == 0 &&
		       chmod(file, 0755) == 0 && setenv("PATH", path, 1) == 0,
	       "no other chat");
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "pc1",
			   "test $(command -v chat) -ef " TEST_BINARY_DIR "/chat && chat --version",
			   &child) == 0,
	       "no shell");
	EXPECT(wait_end(built.lab, child, 10000) == 0, "it hangs");
	unlink(file);
	rmdir(other);
	STATUS(child, 0);
	EXPECT(!strstr(out(child), "another"), "the machine's own came first");
	return 0;
}

Test(path, of_a_command_leads_to_the_agents_first, .timeout = 30)
{
	in_lab(body_path, NULL);
}
