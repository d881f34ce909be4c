/* SPDX-License-Identifier: MIT */
/* The built agents in a lab of some homes, NATs and a server: starting them, and what they said. */
#ifndef NATSIM_TESTS_SUPPORT_STREET_H
#define NATSIM_TESTS_SUPPORT_STREET_H

#include "support/in_lab.h"

/* The agents as they were built, in front of everything else. */
#define AGENTS "PATH=" TEST_BINARY_DIR ":$PATH; "

static const char street[] =
	"name: street\n"
	"networks:\n"
	"  internet: {type: internet}\n"
	"  home1: {subnet: 192.168.1.0/24}\n"
	"  home2: {subnet: 192.168.2.0/24}\n"
	"  cellar: {subnet: 192.168.3.0/24}\n"
	"nodes:\n"
	"  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"
	"  open: {interfaces: {internet: 7.7.7.7}}\n"
	"  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254},"
	" nat: port-restricted-cone}\n"
	"  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254},"
	" nat: port-restricted-cone}\n"
	"  router3: {interfaces: {internet: 6.6.6.6, cellar: 192.168.3.254}, nat: udp-blocked}\n"
	"  pc1: {interfaces: {home1: 192.168.1.1}}\n"
	"  pc1b: {interfaces: {home1: 192.168.1.2}}\n"
	"  pc2: {interfaces: {home2: 192.168.2.1}}\n"
	"  mole: {interfaces: {cellar: 192.168.3.1}}\n";

/* Wait for a line of @child that contains @part. Returns 0, or -ETIME after @ms. */
static inline int wait_for(struct built *built, const struct child *child, const char *part,
			   unsigned int ms)
{
	uint64_t deadline = lab_clock() + ms * MS;
	struct lab_event event;
	int r;

	do {
		r = lab_next(built->lab, deadline, &event);
		if (r < 0)
			return r;
		if (event.kind == LAB_TIMEOUT || (event.kind == LAB_ENDED && event.child == child))
			return -ETIME;
	} while (event.kind != LAB_LINE || event.child != child || !strstr(event.line, part));
	return 0;
}

static inline int start_server(struct built *built, const char *command, struct child **ret)
{
	char script[512];
	int r;

	snprintf(script, sizeof(script), AGENTS "exec %s", command);
	r = spawn_shell(built, "server", script, ret);
	return r < 0 ? r : wait_for(built, *ret, "\"event\":\"ready\"", 5000);
}

static inline int start(struct built *built, const char *node, const char *command,
			struct child **ret)
{
	char script[512];

	snprintf(script, sizeof(script), AGENTS "exec %s", command);
	return spawn_shell(built, node, script, ret);
}

static inline int run(struct built *built, const char *node, const char *command,
		      struct child **ret)
{
	int r = start(built, node, command, ret);

	return r < 0 ? r : wait_end(built->lab, *ret, 30000);
}

static const char *out(const struct child *child)
{
	return child->out.text ? child->out.text : "";
}

static const char *err(const struct child *child)
{
	return child->err.text ? child->err.text : "";
}

#define SAID(child, part)                                                                    \
	EXPECT(strstr(out(child), part), "expected %s, but it said: %s%s", part, out(child), \
	       err(child))
#define STATUS(child, wanted)                                                                \
	EXPECT((child)->end == CHILD_EXITED && (child)->status == (wanted),                  \
	       "expected exit status %d, not %d: %s%s", wanted, (child)->status, out(child), \
	       err(child))

/* Each line's command is called wrongly, and says what its second word is on stderr alone. */
static inline int expect_misuse(const char *const table[][2], size_t count)
{
	AUTO_BUILT struct built built;
	struct child *child;
	size_t i;

	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	for (i = 0; i < count; i++) {
		EXPECT(run(&built, "open", table[i][0], &child) == 0, "%s hangs", table[i][0]);
		STATUS(child, 2);
		EXPECT(strstr(err(child), table[i][1]), "%s: said %s", table[i][0], err(child));
		EXPECT(child->out.length == 0, "%s: stdout is for JSON: %s", table[i][0],
		       out(child));
	}
	return 0;
}

#endif
