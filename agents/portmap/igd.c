/* SPDX-License-Identifier: MIT */
#include "agents/portmap/igd.h"

#include <errno.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <stdio.h>
#include <stdlib.h>

#define DESCRIPTION "natsim"

/* Of the UPnP Forum's WANIPConnection service, section 2.4. */
enum {
	NO_SUCH_ENTRY = 714,
	CONFLICT_IN_MAPPING_ENTRY = 718,
	ONLY_PERMANENT_LEASES = 725,
};

struct igd {
	struct UPNPUrls urls;
	struct IGDdatas data;
	char own[ADDR_TEXT_MAX];
};

int igd_open(const char *url, struct igd **ret, struct diag *d)
{
	CLEANUP(igd_free_cleanup) struct igd *igd = calloc(1, sizeof(*igd));

	if (!igd)
		return -ENOMEM;
	if (!UPNP_GetIGDFromUrl(url, &igd->urls, &igd->data, igd->own, sizeof(igd->own)))
		return diag_error(d, EPROTO, "no gateway's description can be read at %s", url);
	if (!igd->urls.controlURL || !igd->data.first.servicetype[0])
		return diag_error(d, EPROTO, "the gateway described at %s maps no ports", url);
	*ret = STEAL(igd);
	return 0;
}

void igd_free(struct igd *igd)
{
	if (!igd)
		return;
	FreeUPNPUrls(&igd->urls);
	free(igd);
}

static int refused(int error, const char *what, struct diag *d)
{
	const char *words = strupnperror(error);

	/* Negative ones are the library's: it could not ask. */
	return diag_error(d, error < 0 ? EPROTO : EACCES, "%s: %s (UPnP error %d)", what,
			  words ? words : "for a reason of its own", error);
}

static int external_address(struct igd *igd, struct addr *ret, struct diag *d)
{
	char text[ADDR_TEXT_MAX] = "";
	int error =
		UPNP_GetExternalIPAddress(igd->urls.controlURL, igd->data.first.servicetype, text);

	if (error)
		return refused(error, "the gateway does not tell its external address", d);
	if (!addr_parse(text, ret))
		return diag_error(d, EPROTO, "the gateway has no external address");
	return 0;
}

/* Returns UPnP's error, 0 for none; *external is what was granted. */
static int add(struct igd *igd, const struct portmap_wish *wish, uint32_t lifetime,
	       uint16_t *external)
{
	const char *protocol = wish->tcp ? "TCP" : "UDP";
	char outside[8], inside[8], lease[12], reserved[8] = "";
	int error;

	snprintf(outside, sizeof(outside), "%u", wish->external ? wish->external : wish->internal);
	snprintf(inside, sizeof(inside), "%u", wish->internal);
	snprintf(lease, sizeof(lease), "%u", lifetime);
	error = UPNP_AddPortMapping(igd->urls.controlURL, igd->data.first.servicetype, outside,
				    inside, igd->own, DESCRIPTION, protocol, NULL, lease);
	if (error == CONFLICT_IN_MAPPING_ENTRY && !wish->external) {
		error = UPNP_AddAnyPortMapping(igd->urls.controlURL, igd->data.first.servicetype,
					       outside, inside, igd->own, DESCRIPTION, protocol,
					       NULL, lease, reserved);
		snprintf(outside, sizeof(outside), "%s", reserved);
	}
	*external = (uint16_t)strtoul(outside, NULL, 10);
	return error;
}

int igd_map(struct igd *igd, const struct portmap_wish *wish, struct endpoint *ret_external,
	    uint32_t *ret_lifetime, struct diag *d)
{
	uint32_t lifetime = wish->lifetime;
	struct endpoint external = {0};
	int error, r = external_address(igd, &external.addr, d);

	if (r < 0)
		return r;
	error = add(igd, wish, lifetime, &external.port);
	if (error == ONLY_PERMANENT_LEASES) {
		lifetime = 0;
		error = add(igd, wish, lifetime, &external.port);
	}
	if (error)
		return refused(error, "the gateway granted no port", d);
	*ret_external = external;
	*ret_lifetime = lifetime;
	return 0;
}

int igd_unmap(struct igd *igd, bool tcp, uint16_t external, struct diag *d)
{
	char outside[8];
	int error;

	snprintf(outside, sizeof(outside), "%u", external);
	error = UPNP_DeletePortMapping(igd->urls.controlURL, igd->data.first.servicetype, outside,
				       tcp ? "TCP" : "UDP", NULL);
	if (error && error != NO_SUCH_ENTRY)
		return refused(error, "the gateway did not delete the mapping", d);
	return 0;
}
