/* SPDX-License-Identifier: MIT */
/* What every agent that meets another one is told on its command line. */
#ifndef NATSIM_AGENTS_CLI_SESSION_H
#define NATSIM_AGENTS_CLI_SESSION_H

#include "agents/rendezvous/meeting.h"
#include "base/diag.h"

enum { RENDEZVOUS_PORT = 1024 };

/*
 * From --rendezvous HOST[:PORT] and --session NAME (which is borrowed) to those two fields
 * of @ret. Returns 0 or -errno with the reason in @d.
 */
int session_options(const char *rendezvous, const char *session, struct meeting_config *ret,
		    struct diag *d);

#endif
