/* SPDX-License-Identifier: MIT */
/* A router that does one thing and declares another, and conform's word on it. */
#ifndef NATSIM_TESTS_SUPPORT_LIE_H
#define NATSIM_TESTS_SUPPORT_LIE_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "conform/conform.h"
#include "support/in_lab.h"

/* What is installed, and what is declared about it. */
struct lie {
	const char *axis;     /* the one that must not be held */
	const char *protocol; /* NULL: in every protocol that it is judged for */
	struct nat truth, declared;
	size_t external_count;    /* 0 counts as 1 */
	unsigned int lifetime_ms; /* for how long lifetimes are tried; 0: not at all */
};

static inline struct subject subject_of(const struct nat *truth, size_t external_count)
{
	static struct addr externals[2];
	struct subject subject = {.nat = truth,
				  .outside = "internet",
				  .inside = "home",
				  .externals = externals,
				  .external_count = external_count ? external_count : 1};

	addr_parse("1.2.3.4", &externals[0]);
	addr_parse("1.2.3.5", &externals[1]);
	prefix_parse("192.168.1.254/24", &subject.lan);
	return subject;
}

static inline int observe(const struct lie *lie, const struct nat *promised,
			  enum thoroughness thoroughness, struct observed *ret)
{
	struct subject subject = subject_of(&lie->truth, lie->external_count);
	AUTO_DIAG struct diag d = {0};
	int r;

	subject.promised = promised;
	r = conform_observe(&subject, thoroughness, lie->lifetime_ms, ret, &d);
	diag_print(&d, stderr, false);
	return r;
}

/* Every row about the lie is broken, and there is one. */
static inline int expect_broken(const struct lie *lie, const struct axis_result *axes, size_t count)
{
	size_t i, found = 0;

	for (i = 0; i < count; i++) {
		if (strcmp(axes[i].axis, lie->axis) != 0 ||
		    (lie->protocol && strcmp(axes[i].protocol, lie->protocol) != 0))
			continue;
		found++;
		EXPECT(axes[i].holding == AXIS_BROKEN, "%s %s is %s: declared %s, observed %s (%s)",
		       lie->axis, axes[i].protocol, holding_name(axes[i].holding), axes[i].declared,
		       axes[i].observed, axes[i].evidence);
	}
	EXPECT(found, "%s %s is not judged", lie->axis, lie->protocol ? lie->protocol : "");
	return 0;
}

static inline int catch_lie(void *data)
{
	const struct lie *lie = data;
	/* Who lies about lifetimes is caught by those. */
	const enum thoroughness thoroughness = lie->lifetime_ms ? CONFORM_CHEAP : CONFORM_WHOLE;
	AUTO_FREE struct observed *o = calloc(1, sizeof(*o));
	struct axis_result axes[AXIS_RESULTS_MAX];
	size_t count, i;

	EXPECT(o, "no memory");
	EXPECT(observe(lie, NULL, thoroughness, o) == 0, "%s: the bed failed", lie->axis);
	count = judge_axes(&lie->truth, lie->external_count, o, axes);
	EXPECT(count > 0, "nothing is judged");
	for (i = 0; i < count; i++)
		EXPECT(axes[i].holding != AXIS_BROKEN,
		       "the truth about %s: %s %s: declared %s, observed %s (%s)", lie->axis,
		       axes[i].axis, axes[i].protocol, axes[i].declared, axes[i].observed,
		       axes[i].evidence);
	if (lie->declared.forward_count || lie->declared.dmz.family != AF_UNSPEC)
		EXPECT(observe(lie, &lie->declared, thoroughness, o) == 0, "%s: the bed failed",
		       lie->axis);
	count = judge_axes(&lie->declared, lie->external_count, o, axes);
	return expect_broken(lie, axes, count);
}

/*
 * As a self-check does: ports drawn at random, or a machine in need, can make a NAT look
 * like something else once in many beds, but not in two in a row.
 */
struct claim {
	int (*body)(void *data);
	void *data;
};

static inline int at_most_twice(void *data)
{
	const struct claim *claim = data;

	if (claim->body(claim->data) == 0)
		return 0;
	fprintf(stderr, "once more, in a new bed\n");
	return claim->body(claim->data);
}

static inline void expect_true(int (*body)(void *data), void *data)
{
	struct claim claim = {body, data};

	in_lab(at_most_twice, &claim);
}

static inline struct nat cone(void)
{
	return nat_find("port-restricted-cone")->nat;
}

static inline void expect_caught(struct lie lie)
{
	expect_true(catch_lie, &lie);
}

/* Every ordered pair of different values of one axis. */
#define EACH_PAIR(count, a, b)                    \
	for (int a = 0; a < (count); a++)         \
		for (int b = 0; b < (count); b++) \
			if (a != b)

#endif
