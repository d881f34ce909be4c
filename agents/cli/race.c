/* SPDX-License-Identifier: MIT */
#include "agents/cli/race.h"

#include <errno.h>
#include <string.h>

#include "agents/cli/session.h"
#include "agents/net/clock.h"
#include "agents/net/own.h"
#include "agents/net/resolve.h"
#include "agents/portmap/gateway.h"

enum { GRANT_SECONDS = 3600 };
#define GATEWAY_PATIENCE (300 * MSEC) /* it is one hop away, and everything waits for it */

void race_hands_clear(struct race_hands *hands)
{
	sockets_clear(&hands->sockets);
	links_clear(&hands->links);
}

static int check_session(const struct race_words *words, struct diag *d)
{
	size_t length = strlen(words->session);

	if (length < 1 || length > RACE_SESSION_MAX)
		return diag_error(d, EINVAL, "--session takes 1 to %d bytes", RACE_SESSION_MAX);
	return 0;
}

static int read_turn(const struct race_words *words, struct race_config *config, struct diag *d)
{
	if (!words->turn && (words->user || words->password))
		return diag_error(d, EINVAL, "--user and --password are for a --turn server");
	if (!words->turn)
		return 0;
	if (!words->user != !words->password)
		return diag_error(d, EINVAL, "--user and --password go together");
	if (words->no_relay)
		return diag_error(d, EINVAL, "--turn is a relay, and there is to be none");
	config->with_turn = true;
	config->turn.user = words->user;
	config->turn.password = words->password;
	return resolve_endpoint(words->turn, TURN_PORT, &config->turn.server, d);
}

static int read_portmap(const struct race_words *words, struct race_config *config, struct diag *d)
{
	struct portmap_config *portmap = &config->portmap;
	int r;

	if (!words->port_mapping && words->gateway)
		return diag_error(d, EINVAL, "--gateway is whom --port-mapping asks");
	if (!words->port_mapping)
		return 0;
	if (strcmp(words->port_mapping, "pcp") == 0)
		portmap->protocol = PORTMAP_PCP;
	else if (strcmp(words->port_mapping, "nat-pmp") == 0)
		portmap->protocol = PORTMAP_NAT_PMP;
	else
		return diag_error(d, EINVAL, "--port-mapping is pcp or nat-pmp, not \"%s\"",
				  words->port_mapping);
	r = words->gateway ? resolve_address(words->gateway, &portmap->gateway.addr, d)
			   : gateway_default(&portmap->gateway.addr, d);
	portmap->gateway.port = PORTMAP_SERVER_PORT;
	config->with_portmap = r >= 0;
	return r;
}

/* Those that every race has, by their numbers. */
static int open_sockets(const struct race_words *words, const struct race_config *config,
			struct race_hands *hands, struct race_ends *ends, struct diag *d)
{
	struct endpoint any = {.addr.family = config->meeting.rendezvous.addr.family,
			       .port = (uint16_t)words->port};
	size_t i;
	int r;

	for (i = 0; i < RACE_SOCKETS; i++) {
		r = sockets_add(&hands->sockets, &any, &ends->locals[i], d);
		if (r < 0)
			return r;
		any.port = 0;
	}
	for (i = 0; i < RACE_SOCKETS; i++) {
		r = udp_source_for(&config->meeting.rendezvous, &ends->locals[i].addr, d);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_links(struct race_config *config, struct race_hands *hands, struct race_ends *ends,
		      struct diag *d)
{
	struct endpoint any = {.addr.family = config->meeting.rendezvous.addr.family};
	int r = links_open(&hands->links, &any, TCP_CONNECTIONS, d);

	if (r < 0)
		return r;
	ends->tcp = hands->links.local;
	ends->tcp.addr = ends->locals[PUNCH_MAIN].addr;
	config->tcp = config->meeting;
	config->tcp.private_count = own_endpoints(&ends->tcp, config->tcp.privates, PRIVATE_MAX);
	return 0;
}

int race_open(const struct race_words *words, uint64_t timeout, struct race_config *config,
	      struct race_hands *hands, struct race_ends *ends, struct diag *d)
{
	struct aim_words aim = words->aim;
	int r = check_session(words, d);

	aim.predict = aim.stun && !aim.birthday; /* whoever can measure, guesses */
	config->with[RACE_UDP] = true;
	config->with[RACE_TCP] = !words->no_tcp;
	config->with[RACE_RELAY] = !words->no_relay;
	if (r >= 0)
		r = session_options(words->rendezvous, words->session, &config->meeting, d);
	if (r >= 0)
		r = read_turn(words, config, d);
	if (r >= 0)
		r = read_portmap(words, config, d);
	if (r >= 0)
		r = aim_options(&aim, timeout, &config->aim, d);
	if (r >= 0)
		r = open_sockets(words, config, hands, ends, d);
	if (r >= 0)
		r = aim_open(&config->aim, &hands->sockets, ends->locals, d);
	if (r >= 0 && config->with[RACE_TCP])
		r = open_links(config, hands, ends, d);
	if (r < 0)
		return r;
	config->relay = config->meeting;
	config->meeting.private_count =
		own_endpoints(&ends->locals[PUNCH_MAIN], config->meeting.privates, PRIVATE_MAX);
	config->portmap.client = ends->locals[PUNCH_MAIN].addr;
	config->portmap.wish = (struct portmap_wish){.internal = ends->locals[PUNCH_MAIN].port,
						     .external = ends->locals[PUNCH_MAIN].port,
						     .lifetime = GRANT_SECONDS};
	config->portmap.keep = true;
	config->portmap.timeout = GATEWAY_PATIENCE;
	config->portmap.random = config->meeting.random;
	return 0;
}
