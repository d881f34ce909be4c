/* SPDX-License-Identifier: MIT */
/* The routers of a lab that answer stray SYNs late: one listener each (stray_answers.h). */
#include <errno.h>
#include <stdlib.h>

#include "lab/internal.h"
#include "lab/stray_answers.h"

struct stray_watch {
	struct source source; /* first, so that one is the other */
	struct stray_answers *answers;
	struct stray_watch *next;
};

static bool answers_late(const struct node *node)
{
	return node->has_nat && node->nat.kind == NAT_TRANSLATE && node->uplink != TOPO_NONE &&
	       node->nat.unsolicited == UNSOLICITED_DELAYED;
}

static int start(struct lab *lab, size_t node, struct diag *d)
{
	const struct node *router = &lab->topo->nodes[node];
	struct stray_watch *watch = calloc(1, sizeof(*watch));
	const struct interface *outside = &router->interfaces[router->uplink];
	int r;

	if (!watch)
		return -ENOMEM;
	watch->next = lab->strays;
	lab->strays = watch; /* whatever becomes of it, strays_close() frees it */
	r = stray_answers_new(lab_netns(lab, node), &router->nat, outside->address_count > 1,
			      &watch->answers, d);
	if (r < 0) {
		diag_while(d, "while preparing the late answers of %s", router->name);
		return r;
	}
	watch->source =
		(struct source){.kind = SOURCE_STRAYS, .fd = stray_answers_fd(watch->answers)};
	return events_watch(lab, &watch->source);
}

int strays_start(struct lab *lab, struct diag *d)
{
	size_t i;
	int r = 0;

	for (i = 0; i < lab->topo->node_count && r == 0; i++)
		if (answers_late(&lab->topo->nodes[i]))
			r = start(lab, i, d);
	return r;
}

int strays_attend(struct source *source)
{
	return stray_answers_attend(((struct stray_watch *)source)->answers);
}

int lab_attend(struct lab *lab)
{
	struct stray_watch *watch;
	int r = 0;

	for (watch = lab->strays; watch && r == 0; watch = watch->next)
		r = stray_answers_attend(watch->answers);
	return r;
}

void strays_close(struct lab *lab)
{
	struct stray_watch *watch;

	while (lab->strays) {
		watch = lab->strays;
		lab->strays = watch->next;
		stray_answers_free(watch->answers);
		free(watch);
	}
}
