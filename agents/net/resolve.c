/* SPDX-License-Identifier: MIT */
#include "agents/net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

int resolve_address(const char *text, struct addr *ret, struct diag *d)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL, *each;
	struct sockaddr_storage address;
	struct endpoint endpoint;
	int r;

	/* A numeric address must not cost a look at the resolver's configuration. */
	if (addr_parse(text, ret))
		return 0;
	r = getaddrinfo(text, NULL, &hints, &found);
	if (r != 0)
		return diag_error(d, ENOENT, "cannot find the host \"%s\": %s", text,
				  r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	for (each = found; each; each = each->ai_next) {
		memset(&address, 0, sizeof(address));
		memcpy(&address, each->ai_addr, each->ai_addrlen);
		if (endpoint_from_sockaddr(&address, &endpoint))
			break;
	}
	freeaddrinfo(found);
	if (!each)
		return diag_error(d, ENOENT, "the host \"%s\" has no IP address", text);
	*ret = endpoint.addr;
	return 0;
}

/* The part after the last colon as a port of 1 to 65535. */
static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long value;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return false;
	value = strtoul(text, NULL, 10);
	if (value == 0 || value > UINT16_MAX)
		return false;
	*ret = (uint16_t)value;
	return true;
}

int resolve_endpoint(const char *text, uint16_t port, struct endpoint *ret, struct diag *d)
{
	const char *colon = strrchr(text, ':');
	struct endpoint endpoint = {.port = port};
	AUTO_FREE char *host = NULL;
	int r;

	/* A bare IPv6 address is all colons, and none of them is before a port. */
	if (addr_parse(text, &endpoint.addr)) {
		*ret = endpoint;
		return 0;
	}
	if (endpoint_parse(text, &endpoint) && endpoint.port != 0) {
		*ret = endpoint;
		return 0;
	}
	if (colon && !parse_port(colon + 1, &endpoint.port))
		return diag_error(d, EINVAL, "\"%s\" is not HOST[:PORT] with a port of 1 to 65535",
				  text);
	host = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
	if (!host)
		return diag_error(d, ENOMEM, "out of memory");
	r = resolve_address(host, &endpoint.addr, d);
	if (r < 0)
		return r;
	*ret = endpoint;
	return 0;
}
