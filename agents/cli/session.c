/* SPDX-License-Identifier: MIT */
#include "agents/cli/session.h"

#include <errno.h>
#include <string.h>

#include "agents/net/resolve.h"

int session_options(const char *rendezvous, const char *session, struct meeting_config *ret,
		    struct diag *d)
{
	size_t length = strlen(session);

	if (length < 1 || length > SESSION_NAME_MAX)
		return diag_error(d, EINVAL, "--session takes 1 to %d bytes", SESSION_NAME_MAX);
	ret->session = session;
	return resolve_endpoint(rendezvous, RENDEZVOUS_PORT, &ret->rendezvous, d);
}
