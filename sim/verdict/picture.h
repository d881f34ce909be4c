/* SPDX-License-Identifier: MIT */
/* A topology drawn as a tree, from the internet inward. */
#ifndef NATSIM_VERDICT_PICTURE_H
#define NATSIM_VERDICT_PICTURE_H

#include <stdio.h>

#include "topo/topo.h"

/* Each line begins with @indent. Returns 0 or -ENOMEM. */
int picture_print(const struct topo *topo, const char *indent, FILE *out);

/* What a NAT does, in words: "symmetric: mapping ..., filtering ..., ports ...". */
#define NAT_TEXT_MAX 640
const char *nat_words(const struct nat *nat, char text[NAT_TEXT_MAX]);

#endif
