/* SPDX-License-Identifier: MIT */
/* Requests for one namespace's links, addresses and routes, sent together. */
#ifndef NATSIM_KERN_BATCH_H
#define NATSIM_KERN_BATCH_H

#include <stddef.h>

#include "base/diag.h"
#include "kern/netns.h"

struct nl_msg;
struct batch;

int batch_new(struct batch **ret); /* 0 or -ENOMEM */
void batch_free(struct batch *batch);
DEFINE_CLEANUP(struct batch *, batch_free)

/*
 * Add @message, which this call frees, also when it fails. @tag is what
 * batch_commit() gives back when the kernel refuses it. NULL counts as a message
 * for which there was no memory, so that a builder's result can be passed on.
 * Returns 0 or -ENOMEM.
 */
int batch_add(struct batch *batch, struct nl_msg *message, size_t tag);

/*
 * Have @netns execute what was added, in order, and empty the batch.
 *
 * Returns 0, or -errno of the first refused message: its tag is in *ret_tag and
 * the kernel's words are in @d. Messages after it may have been executed too.
 */
int batch_commit(struct batch *batch, struct netns *netns, size_t *ret_tag, struct diag *d);

#endif
