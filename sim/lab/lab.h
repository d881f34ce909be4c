/* SPDX-License-Identifier: MIT */
/*
 * The living lab: its namespaces, its programs, and the one event queue through
 * which everything that happens in it reaches the caller.
 *
 *     natsim ----fork----> supervisor (pid 1 of its own pid, mount, network and,
 *       |                     |        when not root, user namespace)
 *       | waits               +-- programs, each in its node's namespace
 *
 * Whatever way natsim dies, the kernel kills the supervisor (parent-death signal),
 * with it every process of its pid namespace, and with the last process and
 * descriptor every namespace, link, rule and mount.
 */
#ifndef NATSIM_LAB_LAB_H
#define NATSIM_LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"
#include "kern/netns.h"
#include "plan/plan.h"
#include "topo/topo.h"

/*
 * Run @work in a supervisor process and wait for it.
 *
 * @work is called in the child with @data, may build labs there, and its return
 * value (0..255) becomes the child's exit status, returned here. SIGINT, SIGTERM
 * and SIGHUP sent to the caller reach the supervisor as LAB_INTERRUPTED.
 *
 * Returns that status, or -errno with the reason in @d when the supervisor could
 * not be made (-EPERM: this machine forbids it; @d's help names the remedy), died
 * without a status (-ECHILD), or was killed because a second signal came (-EINTR).
 */
int lab_supervise(int (*work)(void *data), void *data, struct diag *d);

struct lab;

struct lab_options {
	size_t fail_step; /* for tests: pretend the kernel refused this step of the plan (from 1); 0
			     for none */
	size_t output_limit; /* bytes kept of each stream of each program; 0 for the default, 1 MiB
			      */
};

/*
 * Whether this machine has the programs that @topo's routers run by themselves. Returns 0, or
 * -EOPNOTSUPP with what is missing, and how to get it, in @d. lab_up() begins with it.
 */
int lab_check(const struct topo *topo, struct diag *d);

/*
 * Bring up every step of @plan, in order. Only inside lab_supervise().
 *
 * Returns 0 and gives the running lab to the caller, or -errno with the story in
 * @d: which step, and the kernel's own words. On failure nothing is left in the
 * kernel and *ret is untouched. @topo and @plan must outlive the lab.
 */
int lab_up(const struct topo *topo, const struct plan *plan, const struct lab_options *options,
	   struct lab **ret, struct diag *d);
/* Kills every process in the lab's namespaces, daemons included, before it returns. */
void lab_free(struct lab *lab);
DEFINE_CLEANUP(struct lab *, lab_free)

/* The namespace of a node; owned by the lab. */
struct netns *lab_netns(struct lab *lab, size_t node);

/* Monotonic nanoseconds; all times of a lab are on this clock. */
uint64_t lab_clock(void);

/* What a program wrote to one stream: the first bytes up to the limit, and how many there were in
 * all. */
struct lab_output {
	char *text; /* NUL-terminated; may hold further NULs, hence: */
	size_t length;
	uint64_t total;
};

enum child_end {
	CHILD_RUNNING,
	CHILD_EXITED, /* status: exit status */
	CHILD_KILLED, /* status: the signal */
};

struct child {
	size_t node;
	pid_t pid;               /* inside the supervisor's pid namespace */
	uint64_t started, ended; /* lab_clock() */
	enum child_end end;
	int status;
	struct lab_output out, err;
	void *tag; /* the caller's; NULL for a daemon that the lab itself has started */
};

/*
 * Start argv[0] (searched in PATH when it has no slash) inside @node: its network
 * namespace, its /etc/hosts, its /sys, a session of its own, stdin from /dev/null.
 *
 * Returns 0 and a child owned by the lab, or -errno: when the program cannot be
 * executed this fails here, with argv[0] and the reason in @d, not later.
 */
int lab_spawn(struct lab *lab, size_t node, char *const argv[], void *tag, struct child **ret,
	      struct diag *d);

/* Signal the child's whole session. Returns 0 also when it is already gone. */
int lab_kill(struct lab *lab, struct child *child, int signal);

enum lab_event_kind {
	LAB_LINE,  /* `child` completed a line on stdout (at most 64 KiB; longer ones come in parts)
		    */
	LAB_ENDED, /* `child` has ended and both streams are read to their end */
	LAB_INTERRUPTED, /* the user asked us to stop: `signal` */
	LAB_TIMEOUT,     /* nothing happened until the deadline */
};

struct lab_event {
	enum lab_event_kind kind;
	struct child *child;
	const char *line; /* LAB_LINE: without newline, NUL-terminated, valid until the next call */
	size_t length;
	uint64_t when; /* lab_clock() */
	int signal;
};

/*
 * Wait for the next event, at the latest until @deadline (lab_clock()). Returns 0 or -errno.
 *
 * A supervisor may hold many labs, but should wait on one that runs programs before
 * it starts programs in another: orphans and interruptions go to whichever asks.
 */
int lab_next(struct lab *lab, uint64_t deadline, struct lab_event *ret);

/*
 * Do what is due in the lab's routers by now: answer stray SYNs. lab_next() does so by itself; this
 * is for who waits for something else. Returns 0 or -errno.
 */
int lab_attend(struct lab *lab);

/* The directory or file an agent's program is executed from: the build tree's or the installed one.
 */
int lab_agent_path(const char *agent, char **ret, struct diag *d);

#endif
