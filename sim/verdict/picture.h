/* SPDX-License-Identifier: MIT */
/* A topology drawn as a tree, from the internet inward. */
#ifndef NATSIM_VERDICT_PICTURE_H
#define NATSIM_VERDICT_PICTURE_H

#include <stdio.h>

#include "topo/topo.h"

/* Each line begins with @indent. Returns 0 or -ENOMEM. */
int picture_print(const struct topo *topo, const char *indent, FILE *out);

/* Write what a NAT does: "symmetric: mapping ..., filtering ..., ports ...". */
void nat_words(const struct nat *nat, FILE *out);

#endif
