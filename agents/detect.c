/* SPDX-License-Identifier: MIT */
/* detect: sockets around detect/survey.c. */
#include <errno.h>
#include <stdlib.h>

#include "agents/cli/line.h"
#include "agents/cli/options.h"
#include "agents/detect/survey.h"
#include "agents/detect/tcp_sockets.h"
#include "agents/net/drive.h"
#include "agents/net/resolve.h"
#include "agents/net/wait.h"
#include "base/cleanup.h"
#include "base/diag.h"

struct client {
	struct survey survey;
	bool tcp; /* asked for, and then `tcp_mapping` means something */
	struct tcp_mapping tcp_mapping;
	struct sockets sockets;
	struct endpoint *local;
};

static void client_clear(struct client *client)
{
	sockets_clear(&client->sockets);
	free(client->local);
}

/*
 * Bind to the very address packets will leave by, so that "mapped equals local" can be seen.
 * Only the first socket has @port: the others are to be fresh.
 */
static int open_sockets(struct client *client, const struct endpoint *server, size_t count,
			uint16_t port, struct diag *d)
{
	struct endpoint local = {.port = port};
	size_t i;
	int r = udp_source_for(server, &local.addr, d);

	if (r < 0)
		return r;
	client->local = calloc(count, sizeof(*client->local));
	if (!client->local)
		return diag_error(d, ENOMEM, "out of memory");
	for (i = 0; i < count; i++) {
		int off = 0;

		r = sockets_add(&client->sockets, &local, &client->local[i], d);
		if (r < 0)
			return r;
		/* What is larger than the MTU shall go in fragments, and not be refused. */
		(void)setsockopt(client->sockets.fds[i], IPPROTO_IP, IP_MTU_DISCOVER, &off,
				 sizeof(off));
		local.port = 0;
	}
	return 0;
}

/* What this host sends to @server in one piece. */
static size_t mtu_towards(const struct endpoint *server)
{
	enum { ETHERNET = 1500 };
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(server, &address);
	AUTO_CLOSE int fd = socket(server->addr.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int mtu = 0;
	socklen_t mtu_length = sizeof(mtu);

	if (fd < 0 || server->addr.family != AF_INET ||
	    connect(fd, (const struct sockaddr *)&address, length) < 0 ||
	    getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &mtu_length) < 0 || mtu <= 0)
		return ETHERNET;
	return (size_t)mtu;
}

/* ---- between drive() and the core ---- */

static bool client_send(void *context, uint64_t now, struct datagram *ret)
{
	return survey_send(&((struct client *)context)->survey, now, ret);
}

static uint64_t client_due(void *context)
{
	return survey_due(&((struct client *)context)->survey);
}

static bool client_over(void *context)
{
	return ((struct client *)context)->survey.done;
}

static void client_receive(void *context, size_t socket, const struct endpoint *from,
			   const void *bytes, size_t length, uint64_t now)
{
	survey_receive(&((struct client *)context)->survey, socket, from, bytes, length, now);
}

static void client_refused(void *context, size_t socket, const struct udp_error *error,
			   uint64_t now)
{
	(void)socket;
	survey_refused(&((struct client *)context)->survey, &error->destination, &error->reporter,
		       error->error, now);
}

static const struct drive_ops ops = {
	.send = client_send,
	.due = client_due,
	.over = client_over,
	.events = {.receive = client_receive, .refused = client_refused},
};

/* The mapping tests over TCP, from the address that UDP left by. */
static int take_tcp(struct client *client, int signals)
{
	const struct detect_config *config = &client->survey.config.detect;
	const struct notes notes = {.say = config->say};
	struct diag diag AUTO_DIAG = {0};
	int r = tcp_mapping_run(&config->server, &client->local[SOCKET_MAPPING].addr,
				config->timeout, &config->random, &notes, signals,
				&client->tcp_mapping, &diag);

	if (r < 0)
		diag_print(&diag, stderr, false);
	return r;
}

/* Each exam's findings, of those that were taken. */
static void report_exams(const struct survey *survey, struct line *line)
{
	const struct port_pattern *pattern = &survey->allocation.pattern;
	const struct lifetime *lifetime = &survey->lifetime;

	if (survey->taken[EXAM_ALLOCATION]) {
		line_text(line, "allocation", port_choice_name(pattern->choice));
		if (pattern->choice == PATTERN_SEQUENTIAL)
			line_signed(line, "step", pattern->step);
	}
	if (survey->taken[EXAM_HAIRPINNING])
		line_text(line, "hairpinning", hairpinning_name(survey->hairpin.verdict));
	if (survey->taken[EXAM_FRAGMENTS])
		line_text(line, "fragments", fragments_name(survey->fragments.verdict));
	if (!survey->taken[EXAM_LIFETIME])
		return;
	if (lifetime->known)
		line_milliseconds(line, "lifetime_ms", lifetime->low);
	if (lifetime->known && lifetime->high > 0)
		line_milliseconds(line, "expired_ms", lifetime->high);
	line_text(line, "refresh", refresh_name(lifetime->refresh));
}

static void report_tcp(const struct tcp_mapping *mapping, struct line *line)
{
	struct endpoint mapped;

	line_text(line, "tcp_mapping", behaviour_name(tcp_mapping_verdict(mapping)));
	if (tcp_mapping_mapped(mapping, &mapped))
		line_endpoint(line, "tcp_mapped", &mapped);
}

static int report(const struct client *client, uint64_t now)
{
	const struct survey *survey = &client->survey;
	const struct detect *core = &survey->detect;
	struct observation seen = detect_observation(core);
	struct finding finding = classify(&seen);
	bool binding = core->config.binding_only;
	const char *reason =
		survey_reason(survey)[0] ? survey_reason(survey) : client->tcp_mapping.notes.reason;
	struct line line;

	line_begin(&line, "result");
	if (!binding) {
		line_text(&line, "type", nat_type_name(finding.type));
		line_text(&line, "mapping", behaviour_name(finding.mapping));
		line_text(&line, "filtering", behaviour_name(finding.filtering));
	}
	if (seen.reached)
		line_boolean(&line, "nat", finding.nat);
	if (finding.nat && finding.mapping != BEHAVIOUR_UNKNOWN && !binding)
		line_boolean(&line, "eim_nat", finding.mapping == BEHAVIOUR_ENDPOINT_INDEPENDENT);
	line_endpoint(&line, "local", &seen.local);
	if (seen.reached) {
		line_endpoint(&line, "mapped", &seen.primary);
		line_text(&line, "ports", core->ports_changed ? "changed" : "preserving");
		line_boolean(&line, "alg", core->alg);
	}
	report_exams(survey, &line);
	if (client->tcp)
		report_tcp(&client->tcp_mapping, &line);
	line_endpoint(&line, "server", &core->config.server);
	if (core->has_other)
		line_endpoint(&line, "alternate", &core->other);
	if (seen.reached)
		line_milliseconds(&line, "rtt_ms", core->rtt.smoothed);
	line_milliseconds(&line, "elapsed_ms", now - core->started);
	line_integer(&line, "probes", detect_sent(core) + survey->sent);
	line_integer(&line, "lost", detect_lost(core));
	if (reason[0] != '\0')
		line_text(&line, "reason", reason);
	if (line_write(&line, stdout) < 0)
		return 1;
	return (binding ? seen.reached : finding.type != TYPE_UNKNOWN) ? 0 : 1;
}

int main(int argc, char *argv[])
{
	struct client client CLEANUP(client_clear) = {.sockets = SOCKETS_NONE};
	struct survey_config config = {
		.detect = {.timeout = 3 * SEC, .random = random_system},
		.longest = 300 * SEC,
	};
	const char *server = NULL;
	uint64_t port = 0;
	bool verbose = false, all = false;
	const struct cli_option options[] = {
		{0, "server", "HOST[:PORT]", "STUN server with two addresses (port 3478)", CLI_TEXT,
		 &server, 0, true},
		{0, "port", "PORT", "local port of the mapping tests", CLI_NUMBER, &port,
		 UINT16_MAX, false},
		{0, "timeout", "SECONDS", "for an answer that must come (3)", CLI_SECONDS,
		 &config.detect.timeout, 3600, false},
		{0, "binding", NULL, "only ask how the server sees us (any STUN server)", CLI_FLAG,
		 &config.detect.binding_only, 0, false},
		{0, "allocation", NULL, "also how external ports are chosen", CLI_FLAG,
		 &config.wanted[EXAM_ALLOCATION], 0, false},
		{0, "hairpinning", NULL, "also whether neighbours meet at external endpoints",
		 CLI_FLAG, &config.wanted[EXAM_HAIRPINNING], 0, false},
		{0, "fragments", NULL, "also whether fragments pass", CLI_FLAG,
		 &config.wanted[EXAM_FRAGMENTS], 0, false},
		{0, "tcp", NULL, "also the mapping of TCP", CLI_FLAG, &client.tcp, 0, false},
		{0, "lifetime", NULL, "also how long an idle mapping lives (takes its time)",
		 CLI_FLAG, &config.wanted[EXAM_LIFETIME], 0, false},
		{0, "lifetime-max", "SECONDS", "longest idle time to try (300)", CLI_SECONDS,
		 &config.longest, 86400, false},
		{0, "all", NULL, "all of these", CLI_FLAG, &all, 0, false},
		{'v', "verbose", NULL, "tell each test on stderr", CLI_FLAG, &verbose, 0, false},
		{0},
	};
	const struct cli cli = {
		.program = "detect",
		.summary =
			"Find out what NAT this host is behind: RFC 5780 mapping and filtering,\n"
			"the type of RFC 3489, and what else is asked for.",
		.options = options,
	};
	struct diag diag AUTO_DIAG = {0};
	AUTO_CLOSE int signals = -1;
	struct line ready;
	size_t i;
	int r = cli_parse(&cli, argc, argv, stdout, &diag);

	if (r == CLI_DONE)
		return 0;
	if (r >= 0)
		r = signals = wait_signals(&diag);
	client.tcp |= all;
	for (i = 0; all && i < EXAM_COUNT; i++)
		config.wanted[i] = true;
	if (r >= 0 && config.detect.binding_only &&
	    (client.tcp || survey_sockets(config.wanted) > SOCKET_COUNT))
		r = diag_error(&diag, EINVAL, "--binding asks one question only");
	if (r >= 0)
		r = resolve_endpoint(server, 3478, &config.detect.server, &diag);
	if (r >= 0)
		r = open_sockets(&client, &config.detect.server, survey_sockets(config.wanted),
				 (uint16_t)port, &diag);
	if (r < 0)
		return cli_misuse(&cli, &diag, stderr);
	config.detect.local = client.local;
	if (verbose)
		config.detect.say = say_stderr;
	config.unfragmented = mtu_towards(&config.detect.server);
	survey_start(&client.survey, &config, clock_now());
	line_begin(&ready, "ready");
	line_endpoint(&ready, "local", &client.local[SOCKET_MAPPING]);
	if (line_write(&ready, stdout) < 0)
		return 1;
	r = drive(&ops, &client, &client.sockets, signals);
	if (r == 0 && client.tcp)
		r = take_tcp(&client, signals);
	return r == 0 ? report(&client, clock_now()) : 1;
}
