/* SPDX-License-Identifier: MIT */
/* The sockets around tcp_mapping.h. */
#ifndef NATSIM_AGENTS_DETECT_TCP_SOCKETS_H
#define NATSIM_AGENTS_DETECT_TCP_SOCKETS_H

#include "agents/detect/tcp_mapping.h"
#include "base/diag.h"

/*
 * Take the mapping tests over TCP from @source, on a port of the kernel's choice, each
 * connection given @timeout nanoseconds. Returns 0 and the findings in @ret, -EINTR when a
 * signal (wait_signals()) asked to end, or another -errno with the reason in @d.
 */
int tcp_mapping_run(const struct endpoint *server, const struct addr *source, uint64_t timeout,
		    const struct random_source *random, const struct notes *notes, int signals,
		    struct tcp_mapping *ret, struct diag *d);

#endif
