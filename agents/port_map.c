/* SPDX-License-Identifier: MIT */
/* port-map: sockets around portmap/client.c, and libminiupnpc where the gateway speaks UPnP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/net/clock.h"
#include "agents/net/drive.h"
#include "agents/net/resolve.h"
#include "agents/net/wait.h"
#include "agents/portmap/client.h"
#include "agents/portmap/gateway.h"
#include "agents/portmap/igd.h"
#include "agents/portmap/ssdp.h"
#include "base/diag.h"

#define SEARCH_AGAIN (500 * MSEC)

struct settings {
	const char *protocol, *gateway, *transport, *nonce;
	uint64_t internal, external, lifetime, timeout;
	bool remove, hold;
};

/* What there is to tell at the end, whatever the protocol. */
struct outcome {
	const char *mapping; /* granted, deleted, refused, unanswered, expired */
	struct endpoint external;
	uint32_t lifetime;
	unsigned int renewals;
	const char *reason;
	const char *nonce;
};

struct client {
	struct settings settings;
	struct portmap_wish wish;
	struct endpoint gateway, local;
	struct sockets sockets;
	int signals;
	uint64_t began;
	bool told; /* that a port is mapped */
	struct portmap core;
	/* UPnP: finding the device. */
	bool found;
	char url[SSDP_URL_MAX];
	uint64_t search_due;
};

static void client_clear(struct client *client)
{
	sockets_clear(&client->sockets);
}

/* ---- what is said ---- */

static void add_what(struct line *line, const struct client *client)
{
	struct endpoint internal = {client->local.addr, client->wish.internal};

	line_text(line, "protocol", client->settings.protocol);
	line_text(line, "transport", client->settings.transport);
	line_endpoint(line, "internal", &internal);
}

/* Once: from now on the port is open. */
static int tell_mapped(struct client *client, const struct endpoint *external, uint32_t lifetime)
{
	struct line line;

	if (client->told)
		return 0;
	client->told = true;
	line_begin(&line, "mapped");
	add_what(&line, client);
	line_endpoint(&line, "external", external);
	line_integer(&line, "lifetime", lifetime);
	return line_write(&line, stdout);
}

/* Returns the exit status. */
static int report(const struct client *client, const struct outcome *outcome)
{
	const bool good = strcmp(outcome->mapping, "granted") == 0 ||
			  strcmp(outcome->mapping, "deleted") == 0;
	struct line line;

	line_begin(&line, "result");
	line_text(&line, "mapping", outcome->mapping);
	add_what(&line, client);
	if (client->gateway.port)
		line_endpoint(&line, "gateway", &client->gateway);
	if (outcome->external.port)
		line_endpoint(&line, "external", &outcome->external);
	if (strcmp(outcome->mapping, "granted") == 0)
		line_integer(&line, "lifetime", outcome->lifetime);
	if (client->settings.hold)
		line_integer(&line, "renewals", outcome->renewals);
	if (outcome->nonce)
		line_text(&line, "nonce", outcome->nonce);
	line_milliseconds(&line, "elapsed_ms", clock_now() - client->began);
	if (outcome->reason && outcome->reason[0])
		line_text(&line, "reason", outcome->reason);
	return line_write(&line, stdout) == 0 && good ? 0 : 1;
}

/* ---- NAT-PMP and PCP ---- */

static bool core_send(void *context, uint64_t now, struct datagram *ret)
{
	return portmap_send(&((struct client *)context)->core, now, ret);
}

static uint64_t core_due(void *context)
{
	return portmap_due(&((struct client *)context)->core);
}

static bool core_over(void *context)
{
	return ((struct client *)context)->core.phase == PORTMAP_OVER;
}

static void core_receive(void *context, size_t socket, const struct endpoint *from,
			 const void *bytes, size_t length, uint64_t now)
{
	(void)socket;
	portmap_receive(&((struct client *)context)->core, from, bytes, length, now);
}

static void core_refused(void *context, size_t socket, const struct udp_error *error, uint64_t now)
{
	(void)socket;
	portmap_refused(&((struct client *)context)->core, &error->destination, now);
}

static int core_tell(void *context)
{
	struct client *client = context;

	if (!client->core.external.port || !client->core.lifetime)
		return 0;
	return tell_mapped(client, &client->core.external, client->core.lifetime);
}

static const struct drive_ops core_ops = {
	.send = core_send,
	.due = core_due,
	.over = core_over,
	.tell = core_tell,
	.events = {.receive = core_receive, .refused = core_refused},
};

static const char *outcome_name(enum portmap_outcome outcome)
{
	switch (outcome) {
	case PORTMAP_GRANTED:
		return "granted";
	case PORTMAP_DELETED:
		return "deleted";
	case PORTMAP_REFUSED:
		return "refused";
	case PORTMAP_EXPIRED:
		return "expired";
	case PORTMAP_NONE:
	case PORTMAP_UNANSWERED:
		break;
	}
	return "unanswered";
}

static void format_nonce(const uint8_t nonce[PORTMAP_NONCE_SIZE], char *text)
{
	size_t i;

	for (i = 0; i < PORTMAP_NONCE_SIZE; i++)
		sprintf(text + 2 * i, "%02x", nonce[i]);
}

static int run_core(struct client *client, const struct portmap_config *config)
{
	struct portmap *core = &client->core;
	char nonce[2 * PORTMAP_NONCE_SIZE + 1];
	struct outcome outcome;
	int r;

	portmap_start(core, config, client->began);
	r = drive(&core_ops, client, &client->sockets, client->signals);
	if (r == -EINTR && core->phase == PORTMAP_HELD) { /* whoever holds a port gives it back */
		portmap_release(core, clock_now());
		r = drive(&core_ops, client, &client->sockets, -1);
	}
	if (r < 0)
		return 1;
	format_nonce(core->config.nonce, nonce);
	outcome = (struct outcome){
		.mapping = outcome_name(core->outcome),
		.external = core->external,
		.lifetime = core->lifetime,
		.renewals = core->renewals,
		.reason = core->reason,
		.nonce = config->protocol == PORTMAP_PCP ? nonce : NULL,
	};
	return report(client, &outcome);
}

/* ---- UPnP ---- */

static bool search_send(void *context, uint64_t now, struct datagram *ret)
{
	struct client *client = context;

	if (now < client->search_due || now >= client->began + client->settings.timeout)
		return false;
	client->search_due = now + SEARCH_AGAIN;
	ret->socket = 0;
	ret->to = client->gateway;
	if (!client->gateway.port) {
		addr_parse(SSDP_GROUP, &ret->to.addr);
		ret->to.port = SSDP_PORT;
	}
	ret->length = ssdp_search((char *)ret->bytes);
	return true;
}

static uint64_t search_due(void *context)
{
	struct client *client = context;
	uint64_t last = client->began + client->settings.timeout;

	return client->search_due < last ? client->search_due : last;
}

static bool search_over(void *context)
{
	struct client *client = context;

	return client->found || clock_now() >= client->began + client->settings.timeout;
}

static void search_receive(void *context, size_t socket, const struct endpoint *from,
			   const void *bytes, size_t length, uint64_t now)
{
	struct client *client = context;

	(void)socket;
	(void)now;
	if (client->found || !ssdp_answer(bytes, length, client->url))
		return;
	client->found = true;
	client->gateway = *from;
}

static const struct drive_ops search_ops = {
	.send = search_send,
	.due = search_due,
	.over = search_over,
	.events = {.receive = search_receive},
};

/* Renew halfway to the end of each lease until a signal comes; then give the port back. */
static int hold_upnp(struct client *client, struct igd *igd, struct outcome *outcome,
		     struct diag *d)
{
	struct portmap_wish again = client->wish;
	uint64_t due;
	int r;

	again.external = outcome->external.port;
	for (;;) {
		due = outcome->lifetime ? clock_now() + outcome->lifetime * SEC / 2 : WAIT_FOREVER;
		r = wait_for(client->signals, NULL, 0, due, NULL);
		if (r == WAIT_STOP)
			break;
		if (r < 0)
			return r;
		r = igd_map(igd, &again, &outcome->external, &outcome->lifetime, d);
		if (r < 0) {
			outcome->mapping = "expired";
			return r;
		}
		outcome->renewals++;
	}
	outcome->mapping = "deleted";
	return igd_unmap(igd, client->wish.tcp, outcome->external.port, d);
}

static int map_upnp(struct client *client, struct outcome *outcome, struct diag *d)
{
	CLEANUP(igd_free_cleanup) struct igd *igd = NULL;
	int r = igd_open(client->url, &igd, d);

	if (r < 0)
		return r;
	if (client->settings.remove) {
		outcome->mapping = "deleted";
		return igd_unmap(igd, client->wish.tcp, client->wish.external, d);
	}
	r = igd_map(igd, &client->wish, &outcome->external, &outcome->lifetime, d);
	if (r < 0)
		return r;
	outcome->mapping = "granted";
	if (tell_mapped(client, &outcome->external, outcome->lifetime) < 0)
		return -EIO;
	return client->settings.hold ? hold_upnp(client, igd, outcome, d) : 0;
}

static int run_upnp(struct client *client)
{
	struct outcome outcome = {.mapping = "unanswered"};
	struct diag diag AUTO_DIAG = {0};

	if (drive(&search_ops, client, &client->sockets, client->signals) < 0)
		return 1;
	if (!client->found) {
		outcome.reason = "no internet gateway device answered";
		return report(client, &outcome);
	}
	if (map_upnp(client, &outcome, &diag) < 0) {
		if (strcmp(outcome.mapping, "expired") != 0)
			outcome.mapping = "refused";
		outcome.reason = diag.count ? diag.entries[diag.count - 1].message : NULL;
	}
	return report(client, &outcome);
}

/* ---- the command line ---- */

static int read_nonce(const char *text, struct portmap_config *config, struct diag *d)
{
	char digit[3] = "";
	size_t i;

	if (!text)
		return 0;
	if (strlen(text) != 2 * PORTMAP_NONCE_SIZE ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * PORTMAP_NONCE_SIZE)
		return diag_error(d, EINVAL, "--nonce takes %d hexadecimal digits",
				  2 * PORTMAP_NONCE_SIZE);
	for (i = 0; i < PORTMAP_NONCE_SIZE; i++) {
		memcpy(digit, text + 2 * i, 2);
		config->nonce[i] = (uint8_t)strtoul(digit, NULL, 16);
	}
	config->has_nonce = true;
	return 0;
}

static int read_settings(struct client *client, struct portmap_config *config, struct diag *d)
{
	struct settings *settings = &client->settings;

	if (strcmp(settings->protocol, "pcp") == 0)
		config->protocol = PORTMAP_PCP;
	else if (strcmp(settings->protocol, "nat-pmp") != 0 &&
		 strcmp(settings->protocol, "upnp") != 0)
		return diag_error(d, EINVAL, "--protocol is nat-pmp, pcp or upnp, not \"%s\"",
				  settings->protocol);
	if (strcmp(settings->transport, "tcp") != 0 && strcmp(settings->transport, "udp") != 0)
		return diag_error(d, EINVAL, "--transport is udp or tcp, not \"%s\"",
				  settings->transport);
	if (settings->internal == 0)
		return diag_error(d, EINVAL, "--internal must be a port from 1 to 65535");
	if (settings->lifetime < SEC || settings->lifetime % SEC)
		return diag_error(d, EINVAL, "--lifetime is a whole number of seconds, at least 1");
	if (settings->remove && settings->hold)
		return diag_error(d, EINVAL, "either --delete or --hold");
	client->wish = (struct portmap_wish){
		.tcp = strcmp(settings->transport, "tcp") == 0,
		.internal = (uint16_t)settings->internal,
		.external = (uint16_t)settings->external,
		.lifetime = settings->remove ? 0 : (uint32_t)(settings->lifetime / SEC),
	};
	/* UPnP knows a mapping by its external port only. */
	if (settings->remove && strcmp(settings->protocol, "upnp") == 0 && !settings->external)
		client->wish.external = client->wish.internal;
	return read_nonce(settings->nonce, config, d);
}

/* Whom to ask, and the socket to ask from. */
static int open_client(struct client *client, struct diag *d)
{
	const bool upnp = strcmp(client->settings.protocol, "upnp") == 0;
	struct addr address;
	int r = client->settings.gateway ? resolve_address(client->settings.gateway, &address, d)
					 : gateway_default(&address, d);

	if (r < 0)
		return r;
	client->gateway = (struct endpoint){address, upnp ? SSDP_PORT : PORTMAP_SERVER_PORT};
	r = udp_source_for(&client->gateway, &client->local.addr, d);
	if (r == 0)
		r = sockets_add(&client->sockets, &client->local, &client->local, d);
	if (upnp && !client->settings.gateway)
		client->gateway = (struct endpoint){0}; /* found by asking everybody */
	return r < 0 ? r : 0;
}

int main(int argc, char *argv[])
{
	struct client client CLEANUP(client_clear) = {.sockets = SOCKETS_NONE, .signals = -1};
	struct settings *settings = &client.settings;
	const struct cli_option options[] = {
		{0, "protocol", "PROTOCOL", "nat-pmp, pcp or upnp", CLI_TEXT, &settings->protocol,
		 0, true},
		{0, "gateway", "ADDR", "whom to ask (the default route's next hop)", CLI_TEXT,
		 &settings->gateway, 0, false},
		{0, "internal", "PORT", "the port of this host", CLI_NUMBER, &settings->internal,
		 UINT16_MAX, true},
		{0, "external", "PORT", "the port wished outside (any)", CLI_NUMBER,
		 &settings->external, UINT16_MAX, false},
		{0, "transport", "TRANSPORT", "udp or tcp (udp)", CLI_TEXT, &settings->transport, 0,
		 false},
		{0, "lifetime", "SECONDS", "how long (7200)", CLI_SECONDS, &settings->lifetime,
		 86400, false},
		{0, "hold", NULL, "renew it until told to end, then delete it", CLI_FLAG,
		 &settings->hold, 0, false},
		{0, "delete", NULL, "delete it", CLI_FLAG, &settings->remove, 0, false},
		{0, "nonce", "HEX", "of the mapping to change (pcp)", CLI_TEXT, &settings->nonce, 0,
		 false},
		{0, "timeout", "SECONDS", "for an answer (5)", CLI_SECONDS, &settings->timeout,
		 3600, false},
		{0},
	};
	const struct cli cli = {
		.program = "port-map",
		.summary = "Ask the gateway to let the internet reach a port of this host:\n"
			   "NAT-PMP (RFC 6886), PCP (RFC 6887) or UPnP IGD.",
		.options = options,
	};
	struct portmap_config config = {.random = random_system};
	struct diag diag AUTO_DIAG = {0};
	struct line ready;
	int r;

	settings->transport = "udp";
	settings->lifetime = 7200 * SEC;
	settings->timeout = 5 * SEC;
	r = cli_parse(&cli, argc, argv, stdout, &diag);
	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = client.signals = wait_signals(&diag);
	if (r >= 0)
		r = read_settings(&client, &config, &diag);
	if (r >= 0)
		r = open_client(&client, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	line_begin(&ready, "ready");
	line_endpoint(&ready, "local", &client.local);
	if (line_write(&ready, stdout) < 0)
		return 1;
	client.began = clock_now();
	if (strcmp(settings->protocol, "upnp") == 0)
		return run_upnp(&client);
	config.gateway = client.gateway;
	config.client = client.local.addr;
	config.wish = client.wish;
	config.keep = settings->hold;
	config.timeout = settings->timeout;
	return run_core(&client, &config);
}
