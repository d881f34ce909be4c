/* SPDX-License-Identifier: MIT */
/* Kept equal to agents/README.md, the agents' own contract. */
#include "topo/agents.h"

#include <string.h>

static const struct agent_option stun_server_options[] = {
	{"primary", OPTION_ADDRESS, FILL_OWN_ADDRESS, true},
	{"alternate", OPTION_ADDRESS, FILL_SECOND_ADDRESS, false},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"alternate-port", OPTION_PORT, FILL_NONE, false},
	{0},
};

static const struct agent_option detect_options[] = {
	{"server", OPTION_ENDPOINT, FILL_STUN_SERVER, true},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{"binding", OPTION_FLAG, FILL_NONE, false},
	{"allocation", OPTION_FLAG, FILL_NONE, false},
	{"hairpinning", OPTION_FLAG, FILL_NONE, false},
	{"fragments", OPTION_FLAG, FILL_NONE, false},
	{"tcp", OPTION_FLAG, FILL_NONE, false},
	{"lifetime", OPTION_FLAG, FILL_NONE, false},
	{"lifetime-max", OPTION_SECONDS, FILL_NONE, false},
	{"all", OPTION_FLAG, FILL_NONE, false},
	{0},
};

static const struct agent_option nat_check_options[] = {
	{"role", OPTION_TEXT, FILL_NONE, true},
	{"server", OPTION_ENDPOINT, FILL_NONE, false},
	{"assist", OPTION_ENDPOINT, FILL_NONE, false},
	{"address", OPTION_ADDRESS, FILL_NONE, false},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"other-port", OPTION_PORT, FILL_NONE, false},
	{"endpoint", OPTION_ENDPOINT, FILL_NONE, false},
	{"wait", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{"idle", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option rendezvous_options[] = {
	{"listen", OPTION_ADDRESS, FILL_OWN_ADDRESS, false},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"idle", OPTION_SECONDS, FILL_NONE, false},
	{"relay-rate", OPTION_NUMBER, FILL_NONE, false},
	{0},
};

static const struct agent_option punch_options[] = {
	{"rendezvous", OPTION_ENDPOINT, FILL_RENDEZVOUS_SERVER, true},
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"interval", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{"technique", OPTION_TEXT, FILL_NONE, false},
	{"pause", OPTION_SECONDS, FILL_NONE, false},
	{"hold", OPTION_SECONDS, FILL_NONE, false},
	{"keepalive", OPTION_SECONDS, FILL_NONE, false},
	{"patience", OPTION_SECONDS, FILL_NONE, false},
	{"repunch", OPTION_NUMBER, FILL_NONE, false},
	{"predict", OPTION_FLAG, FILL_NONE, false},
	{"birthday", OPTION_FLAG, FILL_NONE, false},
	{"stun", OPTION_ENDPOINT, FILL_STUN_TO_GUESS, false},
	{"window", OPTION_NUMBER, FILL_NONE, false},
	{"sockets", OPTION_NUMBER, FILL_NONE, false},
	{"probes", OPTION_NUMBER, FILL_NONE, false},
	{"ports", OPTION_TEXT, FILL_NONE, false},
	{"rate", OPTION_NUMBER, FILL_NONE, false},
	{"hesitate", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option tcp_punch_options[] = {
	{"rendezvous", OPTION_ENDPOINT, FILL_RENDEZVOUS_SERVER, true},
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"interval", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{"delay", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option icmp_punch_options[] = {
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"peer", OPTION_ADDRESS, FILL_NONE, false},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"target", OPTION_ADDRESS, FILL_NONE, false},
	{"every", OPTION_SECONDS, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option relay_options[] = {
	{"rendezvous", OPTION_ENDPOINT, FILL_RENDEZVOUS_SERVER, true},
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"turn", OPTION_ENDPOINT, FILL_NONE, false},
	{"user", OPTION_TEXT, FILL_NONE, false},
	{"password", OPTION_TEXT, FILL_NONE, false},
	{"channel", OPTION_FLAG, FILL_NONE, false},
	{"permission-life", OPTION_SECONDS, FILL_NONE, false},
	{"channel-life", OPTION_SECONDS, FILL_NONE, false},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"interval", OPTION_SECONDS, FILL_NONE, false},
	{"keepalive", OPTION_SECONDS, FILL_NONE, false},
	{"patience", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option connect_options[] = {
	{"rendezvous", OPTION_ENDPOINT, FILL_RENDEZVOUS_SERVER, true},
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"stun", OPTION_ENDPOINT, FILL_STUN_SERVER, false},
	{"birthday", OPTION_FLAG, FILL_NONE, false},
	{"ports", OPTION_TEXT, FILL_NONE, false},
	{"turn", OPTION_ENDPOINT, FILL_NONE, false},
	{"user", OPTION_TEXT, FILL_NONE, false},
	{"password", OPTION_TEXT, FILL_NONE, false},
	{"port-mapping", OPTION_TEXT, FILL_NONE, false},
	{"gateway", OPTION_ADDRESS, FILL_NONE, false},
	{"no-tcp", OPTION_FLAG, FILL_NONE, false},
	{"no-relay", OPTION_FLAG, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"interval", OPTION_SECONDS, FILL_NONE, false},
	{"hold", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option chat_options[] = {
	{"rendezvous", OPTION_ENDPOINT, FILL_RENDEZVOUS_SERVER, true},
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"json", OPTION_FLAG, FILL_SET, false},
	{"name", OPTION_TEXT, FILL_NONE, false},
	{"say", OPTION_TEXT, FILL_NONE, false},
	{"port", OPTION_PORT, FILL_NONE, false},
	{"stun", OPTION_ENDPOINT, FILL_STUN_SERVER, false},
	{"birthday", OPTION_FLAG, FILL_NONE, false},
	{"ports", OPTION_TEXT, FILL_NONE, false},
	{"turn", OPTION_ENDPOINT, FILL_NONE, false},
	{"user", OPTION_TEXT, FILL_NONE, false},
	{"password", OPTION_TEXT, FILL_NONE, false},
	{"port-mapping", OPTION_TEXT, FILL_NONE, false},
	{"gateway", OPTION_ADDRESS, FILL_NONE, false},
	{"no-tcp", OPTION_FLAG, FILL_NONE, false},
	{"no-relay", OPTION_FLAG, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"keepalive", OPTION_SECONDS, FILL_NONE, false},
	{"patience", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option ice_options[] = {
	{"rendezvous", OPTION_ENDPOINT, FILL_RENDEZVOUS_SERVER, true},
	{"session", OPTION_TEXT, FILL_NONE, true},
	{"stun", OPTION_ENDPOINT, FILL_STUN_SERVER, false},
	{"turn", OPTION_ENDPOINT, FILL_NONE, false},
	{"user", OPTION_TEXT, FILL_NONE, false},
	{"password", OPTION_TEXT, FILL_NONE, false},
	{"messages", OPTION_NUMBER, FILL_NONE, false},
	{"patience", OPTION_SECONDS, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const struct agent_option port_map_options[] = {
	{"protocol", OPTION_TEXT, FILL_NONE, true},
	{"gateway", OPTION_ADDRESS, FILL_NONE, false},
	{"internal", OPTION_PORT, FILL_NONE, true},
	{"external", OPTION_PORT, FILL_NONE, false},
	{"transport", OPTION_TEXT, FILL_NONE, false},
	{"lifetime", OPTION_SECONDS, FILL_NONE, false},
	{"hold", OPTION_FLAG, FILL_NONE, false},
	{"delete", OPTION_FLAG, FILL_NONE, false},
	{"nonce", OPTION_TEXT, FILL_NONE, false},
	{"timeout", OPTION_SECONDS, FILL_NONE, false},
	{0},
};

static const char *const no_fields[] = {NULL};

static const char *const detect_fields[] = {
	"type",      "mapping",     "filtering",  "nat",         "eim_nat",    "local",
	"mapped",    "ports",       "alg",        "allocation",  "step",       "hairpinning",
	"fragments", "tcp_mapping", "tcp_mapped", "lifetime_ms", "expired_ms", "refresh",
	"server",    "alternate",   "rtt_ms",     "elapsed_ms",  "probes",     "lost",
	"reason",    NULL};

static const char *const nat_check_fields[] = {
	"type",       "verdict",   "nat",      "local",   "mapped",   "mapped_by_assist",
	"addresses",  "strangers", "stranger", "reached", "endpoint", "server",
	"elapsed_ms", "probes",    "reason",   NULL};

static const char *const punch_fields[] = {
	"path",      "technique",     "local",      "public",      "peer_public", "peer",
	"candidate", "blind",         "sent",       "received",    "punches",     "repunched",
	"rtt_ms",    "connect_ms",    "elapsed_ms", "reason",      "mapping",     "pattern",
	"step",      "confidence",    "guess",      "probability", "probes",      "sockets",
	"last_sent", "last_received", NULL};

static const char *const tcp_punch_fields[] = {
	"path",    "transport", "technique",  "local",      "public",   "peer_public",
	"peer",    "candidate", "blind",      "sent",       "received", "attempts",
	"refused", "rtt_ms",    "connect_ms", "elapsed_ms", "reason",   NULL};

static const char *const icmp_punch_fields[] = {
	"path",     "technique", "role",   "local",      "peer",       "peer_public",
	"blind",    "pings",     "heard",  "heard_from", "errors",     "sent",
	"received", "rtt_ms",    "reason", "connect_ms", "elapsed_ms", NULL};

static const char *const relay_fields[] = {
	"path",    "technique",    "local",      "public", "peer_public", "relay",
	"relayed", "peer_relayed", "peer",       "sent",   "received",    "refreshes",
	"rtt_ms",  "connect_ms",   "elapsed_ms", "reason", NULL};

static const char *const ice_fields[] = {
	"path",     "technique", "local",        "public",          "peer_public",    "peer",
	"relay",    "relayed",   "peer_relayed", "local_candidate", "peer_candidate", "sent",
	"received", "rtt_ms",    "connect_ms",   "elapsed_ms",      "reason",         NULL};

static const char *const port_map_fields[] = {"mapping",  "protocol",   "transport", "internal",
					      "external", "gateway",    "lifetime",  "renewals",
					      "nonce",    "elapsed_ms", "reason",    NULL};

static const char *const connect_fields[] = {
	"path",    "technique",  "transport",  "local",        "public", "peer_public",
	"peer",    "relay",      "relayed",    "peer_relayed", "mapped", "blind",
	"mapping", "guess",      "tried",      "packets",      "sent",   "received",
	"rtt_ms",  "connect_ms", "elapsed_ms", "reason",       NULL};

static const char *const chat_fields[] = {
	"path",   "technique", "transport",    "local",     "public", "peer_public", "peer",
	"relay",  "relayed",   "peer_relayed", "mapped",    "blind",  "mapping",     "guess",
	"tried",  "packets",   "sent",         "received",  "rtt_ms", "connect_ms",  "elapsed_ms",
	"reason", "said",      "heard",        "peer_name", "last",   NULL};

const struct agent agents[] = {
	{"stun-server", "a STUN server with two addresses and two ports", true, stun_server_options,
	 no_fields},
	{"detect", "finds out which NAT its node is behind", false, detect_options, detect_fields},
	{"nat-check", "finds out which NAT its node is behind with the help of two other hosts",
	 false, nat_check_options, nat_check_fields},
	{"rendezvous", "introduces two peers by the name of a session", true, rendezvous_options,
	 no_fields},
	{"punch", "makes a direct UDP path to the other peer of a session", false, punch_options,
	 punch_fields},
	{"tcp-punch", "makes a direct TCP connection to the other peer of a session", false,
	 tcp_punch_options, tcp_punch_fields},
	{"icmp-punch", "makes a direct UDP path without any server", false, icmp_punch_options,
	 icmp_punch_fields},
	{"relay", "talks to the other peer of a session over a relay", false, relay_options,
	 relay_fields},
	{"connect", "reaches the other peer of a session by the best way there is", false,
	 connect_options, connect_fields},
	{"chat", "lets two people type lines to each other over the best way there is", false,
	 chat_options, chat_fields},
	{"ice", "makes a path to the other peer of a session with libnice", false, ice_options,
	 ice_fields},
	{"port-map", "asks the gateway to let the internet reach a port", false, port_map_options,
	 port_map_fields},
};
const size_t agents_count = sizeof(agents) / sizeof(agents[0]);

const struct agent *agent_find(const char *name)
{
	size_t i;

	for (i = 0; i < agents_count; i++)
		if (strcmp(agents[i].name, name) == 0)
			return &agents[i];
	return NULL;
}

const struct agent_option *agent_option_find(const struct agent *agent, const char *name)
{
	const struct agent_option *option;

	for (option = agent->options; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

bool agent_serves(const struct agent *agent, const char *role)
{
	/* nat-check is several programs in one. */
	return agent->server ||
	       (role && (strcmp(role, "server") == 0 || strcmp(role, "assist") == 0));
}

bool agent_has_field(const struct agent *agent, const char *field)
{
	size_t length = strcspn(field, ".");
	size_t i;

	for (i = 0; agent->fields[i]; i++)
		if (strncmp(agent->fields[i], field, length) == 0 &&
		    agent->fields[i][length] == '\0')
			return true;
	return false;
}
