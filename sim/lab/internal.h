/* SPDX-License-Identifier: MIT */
/* What the files of this folder share about a lab. */
#ifndef NATSIM_LAB_INTERNAL_H
#define NATSIM_LAB_INTERNAL_H

#include <net/if.h>
#include <signal.h>
#include <stdint.h>

#include "lab/lab.h"

/* Where the supervisor keeps files for the nodes: a tmpfs that each node covers with its sysfs. */
#define LAB_FILES "/sys"

/* How lab_supervise() passes SIGINT and its like on; the value is the original's number. */
#define LAB_SIGNAL SIGRTMIN

enum { LAB_OUTPUT_DEFAULT = 1 << 20, LAB_LINE_MAX = 64 << 10 };

/* A namespace of the plan, as built. */
struct space {
	struct netns *netns;       /* NULL until its step is done */
	char (*devices)[IFNAMSIZ]; /* device i has the index LINK_FIRST_FREE + i */
	size_t device_count, device_room;
};

/* The index of the device called @name: 0, which no device has, for ""; -ENODEV for none. */
int device_index(const struct space *space, const char *name);

/* What an epoll event is about. */
enum source_kind { SOURCE_END, SOURCE_OUT, SOURCE_ERR, SOURCE_SIGNALS, SOURCE_STRAYS };

struct program_run;

struct source {
	enum source_kind kind;
	struct program_run *run; /* NULL for SOURCE_SIGNALS and SOURCE_STRAYS */
	int fd;                  /* -1 once closed */
};

/* A child and what is needed to watch it. */
struct program_run {
	struct child child; /* what the caller sees; first, so that one is the other */
	struct source end, out, err;
	char *line; /* LAB_LINE_MAX + 1 bytes of stdout that are not told yet */
	size_t line_start, line_end;
	bool reaped;            /* its end is known; what is left in the pipes comes first */
	int out_left, err_left; /* bytes that were in them then */
	struct program_run *next;
};

struct lab {
	const struct topo *topo;
	const struct plan *plan;
	struct lab_options options;
	struct space *spaces;
	char files[32]; /* this lab's directory in LAB_FILES, "" until it exists */
	int epoll;
	struct source signals;
	struct program_run *runs;    /* newest first */
	struct program_run *talking; /* its buffer may hold lines to tell, or NULL */
	struct program_run *ending;  /* reaped, LAB_ENDED not yet told, or NULL */
	struct port_watch *watches;  /* routers whose granted ports are followed */
	struct stray_watch *strays;  /* routers whose stray SYNs are answered late */
	unsigned int overdue;        /* reads since the deadline has passed */
};

/*
 * Execute every step of the plan. On failure @d names the step, and steps_undo() is
 * left to the caller.
 */
int steps_do(struct lab *lab, struct diag *d);
void steps_undo(struct lab *lab);

/* Make the lab's directory and in it what nodes see as /etc/hosts and /etc/resolv.conf. */
int files_write(struct lab *lab, struct diag *d);
void files_remove(struct lab *lab);

/*
 * Give the calling process the view of node @node (an index of the model): its
 * files, its /sys, its name. Called in a child that is about to become a program.
 * Returns 0 or -errno and in *ret_what the thing that failed.
 */
int view_enter(const struct lab *lab, size_t node, const char **ret_what);

/* As lab_spawn(), with @input (borrowed; -1: /dev/null) as the program's stdin. */
int spawn(struct lab *lab, size_t node, char *const argv[], int input, void *tag,
	  struct child **ret, struct diag *d);

/* Start the daemons of routers that grant ports, and wait until each answers. */
int port_mapping_start(struct lab *lab, struct diag *d);

/*
 * Remember from now on what the daemon of @node grants; claim what all of them have granted, before
 * anything else is told; stop.
 */
int port_claims_watch(struct lab *lab, size_t node, struct diag *d);
int port_claims_catch_up(struct lab *lab);
void port_claims_close(struct lab *lab);

/*
 * Listen to the routers that answer stray SYNs late; answer what is due, all or the one whose
 * source was ready; stop.
 */
int strays_start(struct lab *lab, struct diag *d);
int strays_attend(struct source *source);
void strays_close(struct lab *lab);

/* Kill every process in the lab's namespaces, and reap those that are our children. */
void inhabitants_kill(struct lab *lab);

/* Start watching signals; watch one source; stop and forget all programs. */
int events_open(struct lab *lab, struct diag *d);
int events_watch(struct lab *lab, struct source *source);
void events_close(struct lab *lab);

void run_free(struct program_run *run);
DEFINE_CLEANUP(struct program_run *, run_free)

#endif
