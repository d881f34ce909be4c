/* SPDX-License-Identifier: MIT */
/*
 * The daemon of a router that grants ports
 *
 * A router with `port-mapping:` runs miniupnpd, as such routers do, in its namespace. It
 * reads its configuration from its standard input, so that nothing is written anywhere,
 * and puts what it grants into the NAT's own table (nft-rules/port_mapping.c).
 *
 * It says on stderr what it does, and "Listening for NAT-PMP/PCP" once the last of its
 * sockets is open. That line is waited for, whatever protocols were declared; those that
 * were not, the NAT's rules keep away from it. Otherwise it is a program of the lab like
 * any: it dies with the lab, and its end before that is an event.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"
#include "lab/output.h"
#include "nft-rules/ruleset.h"

#define DAEMON "miniupnpd"
#define READY "Listening for NAT-PMP/PCP"

enum {
	READY_TIMEOUT_MS = 10000, /* it needs some milliseconds */
	HTTP_PORT = 49152, /* where UPnP's description is; the first dynamic port (RFC 6335) */
};

static bool grants_ports(const struct node *node)
{
	return node->has_nat && node->nat.port_mapping && node->uplink != TOPO_NONE;
}

/* The daemon in @directories, which are separated by colons. Returns false when it is in none. */
static bool find_in(const char *directories, char path[PATH_MAX])
{
	size_t length;
	int n;

	for (; directories && *directories; directories += length) {
		directories += strspn(directories, ":");
		length = strcspn(directories, ":");
		n = snprintf(path, PATH_MAX, "%.*s/" DAEMON, (int)length, directories);
		if (length && n > 0 && n < PATH_MAX && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* An ordinary user's PATH often lacks the directories of daemons. */
static int find_daemon(char path[PATH_MAX], struct diag *d)
{
	if (find_in(getenv("PATH"), path) || find_in("/usr/local/sbin:/usr/sbin:/sbin", path))
		return 0;
	diag_error(d, EOPNOTSUPP,
		   "port-mapping needs " DAEMON ", which this machine does not have");
	diag_help(d, "install the package miniupnpd-nftables");
	return -EOPNOTSUPP;
}

int lab_check(const struct topo *topo, struct diag *d)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < topo->node_count; i++)
		if (grants_ports(&topo->nodes[i]))
			return find_daemon(path, d);
	return 0;
}

static void write_inside(FILE *file, const struct topo *topo, const struct node *node)
{
	size_t i;

	for (i = 0; i < node->interface_count; i++)
		if (i != node->uplink)
			fprintf(file, "listening_ip=%s\n",
				topo->networks[node->interfaces[i].network].name);
}

/* Ports that the file gives away are not to be had; the daemon knows one list for UDP and TCP. */
static void write_permissions(FILE *file, const struct nat *nat)
{
	size_t i;

	for (i = 0; i < nat->forward_count; i++)
		fprintf(file, "deny %u 0.0.0.0/0 0-65535\n", nat->forwards[i].port);
	fprintf(file, "allow 1024-65535 0.0.0.0/0 1-65535\n"
		      "deny 0-65535 0.0.0.0/0 0-65535\n");
}

static void write_configuration(FILE *file, const struct topo *topo, size_t node)
{
	const struct node *router = &topo->nodes[node];
	const struct nat *nat = &router->nat;

	fprintf(file, "ext_ifname=%s\n",
		topo->networks[router->interfaces[router->uplink].network].name);
	write_inside(file, topo, router);
	fprintf(file,
		"friendly_name=%s\n"
		"uuid=6e617473-696d-4000-8000-%012zx\n"
		"port=%d\n"
		"enable_upnp=%s\n"
		"enable_natpmp=yes\n"
		"secure_mode=yes\n" /* a host maps to itself only */
		"min_lifetime=1\n"
		"max_lifetime=86400\n"
		"clean_ruleset_interval=0\n"
		"upnp_table_name=" RULESET_TABLE "\n"
		"upnp_nat_table_name=" RULESET_TABLE "\n"
		"upnp_forward_chain=" RULESET_MAPPED_PASS "\n"
		"upnp_nat_chain=" RULESET_MAPPED_TO "\n"
		"upnp_nat_postrouting_chain=" RULESET_MAPPED_FROM "\n",
		router->name, node, HTTP_PORT,
		nat->port_mapping & PORT_MAPPING_UPNP ? "yes" : "no");
	write_permissions(file, nat);
}

/* A descriptor to read the configuration from, or -errno. */
static int configuration_open(const struct topo *topo, size_t node)
{
	AUTO_CLOSE int fd = memfd_create(DAEMON ".conf", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "w");
	int r;

	if (!file)
		return -errno;
	write_configuration(file, topo, node);
	r = ferror(file) ? -EIO : 0;
	if (fclose(file) != 0 || r < 0)
		return -EIO;
	return STEAL_FD(fd);
}

static int start(struct lab *lab, size_t node, struct child **ret, struct diag *d)
{
	AUTO_CLOSE int input = configuration_open(lab->topo, node);
	char path[PATH_MAX];
	/* The pid file is somewhere that cannot be written: two routers would share it. */
	char *argv[] = {path,
			(char[]){"-d"},
			(char[]){"-f"},
			(char[]){"/proc/self/fd/0"},
			(char[]){"-P"},
			(char[]){"/proc/" DAEMON ".pid"},
			NULL};
	int r;

	if (input < 0)
		return diag_system(d, -input, "cannot write " DAEMON "'s configuration");
	r = find_daemon(path, d);
	return r < 0 ? r : spawn(lab, node, argv, input, NULL, ret, d);
}

/* What it said last: nearly always why it ended. */
static const char *last_line(struct child *child)
{
	char *text = child->err.text, *line;

	if (!text || child->err.length == 0)
		return "it said nothing";
	text[child->err.length - (text[child->err.length - 1] == '\n')] = '\0';
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

static int await(struct lab *lab, struct child *child, uint64_t deadline, struct diag *d)
{
	struct program_run *run = (struct program_run *)child;
	const char *router = lab->topo->nodes[child->node].name;
	struct pollfd fds[] = {{.fd = run->err.fd, .events = POLLIN},
			       {.fd = run->end.fd, .events = POLLIN}};
	ssize_t n = 0;

	while (!child->err.text || !strstr(child->err.text, READY)) {
		if (lab_clock() >= deadline)
			return diag_error(d, ETIMEDOUT,
					  DAEMON " of %s did not say \"" READY "\" within %d s",
					  router, READY_TIMEOUT_MS / 1000);
		if (poll(fds, 2, READY_TIMEOUT_MS) < 0 && errno != EINTR)
			return diag_system(d, errno, "cannot wait for " DAEMON);
		n = output_read(lab, &run->err, SIZE_MAX);
		if (n < 0)
			return (int)n;
		if (n == 0 && (fds[1].revents & POLLIN)) {
			diag_error(d, ECHILD, DAEMON " of %s ended: %s", router, last_line(child));
			diag_help(d, "it must be the one that uses nftables: the package "
				     "miniupnpd-nftables");
			return -ECHILD;
		}
	}
	return 0;
}

int port_mapping_start(struct lab *lab, struct diag *d)
{
	uint64_t deadline = lab_clock() + READY_TIMEOUT_MS * UINT64_C(1000000);
	struct program_run *run;
	struct child *child;
	size_t i;
	int r = 0;

	for (i = 0; i < lab->topo->node_count && r == 0; i++)
		if (grants_ports(&lab->topo->nodes[i])) {
			r = port_claims_watch(lab, i, d);
			if (r == 0)
				r = start(lab, i, &child, d);
		}
	for (run = lab->runs; run && r == 0; run = run->next) /* nobody else's are there yet */
		r = await(lab, &run->child, deadline, d);
	return r;
}
