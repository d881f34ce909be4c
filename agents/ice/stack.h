/* SPDX-License-Identifier: MIT */
/*
 * libnice, a production ICE stack, as much of it as ice.h needs: one stream with one component,
 * over UDP. The only place that knows it. It lives in GLib's default main loop and
 * calls back from there.
 */
#ifndef NATSIM_AGENTS_ICE_STACK_H
#define NATSIM_AGENTS_ICE_STACK_H

#include "agents/ice/pair.h"
#include "base/cleanup.h"
#include "base/diag.h"

struct stack;

struct stack_config {
	const struct endpoint *hosts; /* whose addresses are ours; the ports do not matter */
	size_t host_count;
	struct endpoint stun, turn; /* port 0: none */
	const char *user, *password;
};

struct stack_events {
	/* All candidates are known: what the other peer's stack is to be told. */
	void (*gathered)(void *context, const char *description);
	void (*connected)(void *context, const struct ice_pair *pair);
	void (*failed)(void *context, const char *why);
	void (*received)(void *context, const void *bytes, size_t length);
	void (*closed)(void *context);
};

/*
 * Begin to gather candidates. Returns 0 and the stack, or -errno with the reason in @d. The
 * texts of @config are copied.
 */
int stack_new(const struct stack_config *config, const struct stack_events *events, void *context,
	      struct stack **ret, struct diag *d);
void stack_free(struct stack *stack);
DEFINE_CLEANUP(struct stack *, stack_free)

/* From now on libnice says on stderr what it does. Before stack_new(). */
void stack_tell_all(void);

/* What is known of our own candidates by now, and of the other peer's once it is given. */
struct ice_candidates stack_ours(const struct stack *stack);
struct ice_candidates stack_theirs(const struct stack *stack);

/* Begin the checks. Returns 0, or -EINVAL for a description nobody can read. */
int stack_check(struct stack *stack, const char *description, bool controlling);

void stack_send(struct stack *stack, const void *bytes, size_t length);

/* Give back what servers keep for us; closed() follows, unless they do not answer. */
void stack_close(struct stack *stack);

#endif
