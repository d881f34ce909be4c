/* SPDX-License-Identifier: MIT */
/* The bed as a topology: a picture with the router's own names and addresses, built like any lab.
 */
#include "conform/bed.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plan/plan.h"
#include "topo/topo.h"

enum { NODE_ROUTER, NODE_INSIDE, NODE_OUTSIDE, NODE_CONTROL };

#define FIRST_PORT 20000U
#define CONTROL_PORT 7U

/* The picture's addresses are only there to be loaded; dress() puts in the subject's. */
static const char picture[] =
	"name: conform\n"
	"networks:\n"
	"  %s: {type: internet}\n"
	"  %s: {subnet: 192.168.1.0/24}\n"
	"nodes:\n"
	"  router: {interfaces: {%s: 1.2.3.4, %s: 192.168.1.254}, nat: full-cone}\n"
	"  inside: {interfaces: {%s: 192.168.1.1}}\n"
	"  outside: {interfaces: {%s: 9.9.9.9}}\n"
	"  control: {interfaces: {%s: 9.9.9.1}}\n";

const struct nat *subject_promise(const struct subject *subject)
{
	return subject->promised ? subject->promised : subject->nat;
}

static int load(struct bed *bed)
{
	const struct subject *s = bed->subject;
	AUTO_FREE char *text = NULL;

	if (asprintf(&text, picture, s->outside, s->inside, s->outside, s->inside, s->inside,
		     s->outside, s->outside) < 0)
		return -ENOMEM;
	return topo_load_text("the standard bed", text, strlen(text), &bed->topo, bed->d);
}

static int set_addresses(struct node *node, size_t network, const struct addr *addresses,
			 size_t count)
{
	struct addr *copy = calloc(count, sizeof(*copy));
	size_t i;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, addresses, count * sizeof(*copy));
	for (i = 0; i < node->interface_count; i++) {
		if (node->interfaces[i].network != network)
			continue;
		free(node->interfaces[i].addresses);
		node->interfaces[i].addresses = copy;
		node->interfaces[i].address_count = count;
		return 0;
	}
	free(copy);
	return -EINVAL;
}

static bool among(const struct addr *addr, const struct addr *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (addr_equal(addr, &list[i]))
			return true;
	return false;
}

/*
 * Hosts that forwards lead to come first, then the lowest free addresses of the LAN. What
 * nothing claims is the DMZ host's, so probes must not take it for anybody: it has a place of its
 * own.
 */
static void choose_hosts(struct bed *bed, const struct prefix *lan)
{
	const struct nat *nat = subject_promise(bed->subject);
	struct addr *dmz = &bed->hosts[BED_DMZ], addr;
	struct prefix network = prefix_network(lan);
	uint32_t base, i;
	size_t count = 0, f;

	*dmz = nat->dmz;
	for (f = 0; f < nat->forward_count && count < BED_DMZ; f++)
		if (!among(&nat->forwards[f].to.addr, bed->hosts, count) &&
		    !addr_equal(&nat->forwards[f].to.addr, dmz))
			bed->hosts[count++] = nat->forwards[f].to.addr;
	base = ntohl(addr_to_ipv4(&network.addr));
	for (i = 1; count < BED_HOSTS; i++) {
		if (count == BED_DMZ && dmz->family == AF_INET) {
			count++;
			continue;
		}
		addr = addr_from_ipv4(htonl(base + i));
		if (!addr_equal(&addr, &lan->addr) && !addr_equal(&addr, dmz) &&
		    !among(&addr, bed->hosts, count))
			bed->hosts[count++] = addr;
	}
}

/* Peers in a /24 where the router has no address. */
static void choose_peers(struct bed *bed, struct addr *ret_control)
{
	static const uint32_t bases[] = {0x09090900, 0x08080800, 0x11111100};
	uint32_t base = 0, own;
	size_t b, i;

	for (b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
		base = bases[b];
		for (i = 0; i < bed->subject->external_count; i++) {
			own = ntohl(addr_to_ipv4(&bed->subject->externals[i]));
			if ((own & 0xffffff00) == base)
				break;
		}
		if (i == bed->subject->external_count)
			break;
	}
	for (i = 0; i < BED_PEERS; i++)
		bed->peers[i] = addr_from_ipv4(htonl(base + 9 + (uint32_t)i));
	*ret_control = addr_from_ipv4(htonl(base + 1));
}

/* Put the subject into the picture. */
static int dress(struct bed *bed, struct addr *ret_control)
{
	struct node *nodes = bed->topo->nodes;
	struct prefix lan = bed->subject->lan;
	size_t internet = bed->topo->internet, home = internet == 0 ? 1 : 0;
	int r;

	if (lan.len > 24) /* room for our hosts */
		lan.len = 24;
	choose_hosts(bed, &lan);
	choose_peers(bed, ret_control);
	bed->topo->networks[home].subnet = prefix_network(&lan);
	nodes[NODE_ROUTER].nat = *bed->subject->nat;
	r = set_addresses(&nodes[NODE_ROUTER], internet, bed->subject->externals,
			  bed->subject->external_count);
	if (r == 0)
		r = set_addresses(&nodes[NODE_ROUTER], home, &lan.addr, 1);
	if (r == 0)
		r = set_addresses(&nodes[NODE_INSIDE], home, bed->hosts, BED_HOSTS);
	if (r == 0)
		r = set_addresses(&nodes[NODE_OUTSIDE], internet, bed->peers, BED_PEERS);
	if (r == 0)
		r = set_addresses(&nodes[NODE_CONTROL], internet, ret_control, 1);
	nodes[NODE_INSIDE].gateway_address = lan.addr;
	return r;
}

uint64_t bed_clock_ms(void)
{
	return lab_clock() / 1000000;
}

void bed_wait_until(uint64_t moment)
{
	uint64_t now;

	while ((now = bed_clock_ms()) < moment)
		poll(NULL, 0, (int)(moment - now));
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

/* One way of the control: two hops. */
static bool control(struct bed *bed, int from, int to, int ms)
{
	char drain[16];

	if (send(from, "?", 1, 0) < 0)
		return false;
	if (!readable(to, ms))
		return false;
	while (recv(to, drain, sizeof(drain), MSG_DONTWAIT) >= 0)
		;
	(void)bed;
	return true;
}

static void attend(struct bed *bed)
{
	int r = bed->error ? 0 : lab_attend(bed->lab);

	if (r < 0)
		bed->error = diag_system(bed->d, -r, "the router cannot do what it owes");
}

/* Seven times there and back are 28 hops; the longest story, a TCP handshake and its end, has 24.
 */
void bed_settle(struct bed *bed)
{
	int i;

	attend(bed);
	for (i = 0; i < 7 && !bed->error; i++)
		if (!control(bed, bed->near, bed->far, BED_DEADLINE_MS) ||
		    !control(bed, bed->far, bed->near, BED_DEADLINE_MS))
			bed->error = diag_error(bed->d, EIO, "the bed's control packet got lost");
	attend(bed);
}

static int meet(int fd, const struct endpoint *peer)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(peer, &address);

	return connect(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
}

static int open_control(struct bed *bed, const struct addr *address)
{
	struct endpoint near = bed_peer(bed, 0, CONTROL_PORT);
	struct endpoint far = {.addr = *address, .port = CONTROL_PORT};
	struct netns *outside = bed->side[BED_OUTSIDE];
	int r;

	bed->near = bed_udp(bed, BED_OUTSIDE, &near);
	bed->side[BED_OUTSIDE] = lab_netns(bed->lab, NODE_CONTROL);
	bed->far = bed_udp(bed, BED_OUTSIDE, &far);
	bed->side[BED_OUTSIDE] = outside;
	if (bed->error)
		return bed->error;
	r = meet(bed->near, &far);
	return r < 0 ? r : meet(bed->far, &near);
}

/*
 * A new link drops what it is given until the kernel has, in its own time, seen its
 * carrier. What has to come up is tried until it does: first the way to the control,
 * then, with whatever protocol the NAT lets pass, the way out. If nothing passes,
 * that may be what the NAT does, so it is no error.
 */
static int wait_for_links(struct bed *bed)
{
	const uint8_t echo_request = 8;
	uint64_t deadline = bed_clock_ms() + BED_DEADLINE_MS, patience;
	struct endpoint host = bed_host(bed, BED_HOSTS - 1, FIRST_PORT), from;
	struct endpoint peer = bed_peer(bed, 2, CONTROL_PORT);
	size_t mark = bed->socket_count;
	int udp = bed_udp(bed, BED_INSIDE, &host), at = bed_udp(bed, BED_OUTSIDE, &peer);
	int icmp = bed_icmp(bed, BED_INSIDE, &host.addr);
	int pings = bed_icmp(bed, BED_OUTSIDE, &peer.addr);
	struct bed_icmp message;
	uint16_t tries = 0;
	uint32_t number;
	bool out = false;

	while (!control(bed, bed->near, bed->far, 1) || !control(bed, bed->far, bed->near, 1))
		if (bed_clock_ms() > deadline)
			return diag_error(bed->d, ETIME, "the bed's links do not come up");
	/* What crossed late must not be taken for a later answer. */
	bed_settle(bed);
	patience = bed_clock_ms() + BED_PATIENCE_MS;
	while (!out && bed_clock_ms() < patience && !bed->error) {
		number = bed_send(bed, udp, &peer);
		bed_send_echo(bed, icmp, &peer.addr, echo_request, FIRST_PORT, ++tries);
		bed_settle(bed);
		out = bed_heard(bed, at, number, &from) || bed_next_icmp(pings, &message);
		if (!out)
			poll(NULL, 0, 1);
	}
	bed_close_since(bed, mark);
	return bed->error;
}

bool bed_tried(struct bed *bed, struct endpoint *ret)
{
	struct endpoint host = bed_host(bed, BED_HOSTS - 1, FIRST_PORT);
	struct endpoint peer = bed_peer(bed, 2, CONTROL_PORT);
	size_t mark = bed->socket_count;
	int udp = bed_udp(bed, BED_INSIDE, &host), at = bed_udp(bed, BED_OUTSIDE, &peer);
	bool heard = bed_pass(bed, udp, &peer, at, ret);

	bed_close_since(bed, mark);
	return heard;
}

/* On one processor the kernel handles packets in the order in which they were sent. */
static int pin(struct bed *bed)
{
	cpu_set_t all, one;
	int cpu = sched_getcpu();

	_Static_assert(sizeof(all) <= sizeof(bed->cpus), "a set of processors fits");
	if (cpu < 0 || sched_getaffinity(0, sizeof(all), &all) < 0)
		return -errno;
	memcpy(bed->cpus, &all, sizeof(all));
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return -errno;
	bed->pinned = true;
	return 0;
}

static void unpin(struct bed *bed)
{
	cpu_set_t all;

	memcpy(&all, bed->cpus, sizeof(all));
	if (bed->pinned)
		sched_setaffinity(0, sizeof(all), &all);
}

static int build(struct bed *bed)
{
	struct addr control_address;
	int r = load(bed);

	if (r == 0)
		r = dress(bed, &control_address);
	if (r == 0)
		r = plan_make(bed->topo, &bed->plan);
	if (r == 0)
		r = pin(bed);
	if (r == 0)
		r = lab_up(bed->topo, bed->plan, NULL, &bed->lab, bed->d);
	if (r < 0)
		return r;
	bed->side[BED_INSIDE] = lab_netns(bed->lab, NODE_INSIDE);
	bed->side[BED_OUTSIDE] = lab_netns(bed->lab, NODE_OUTSIDE);
	bed->router = lab_netns(bed->lab, NODE_ROUTER);
	/* Hosts share a namespace, so a packet between two of them has a source that is local. */
	r = netns_sysctl(bed->side[BED_INSIDE], "net/ipv4/conf/all/accept_local", "1");
	if (r == 0)
		r = open_control(bed, &control_address);
	return r < 0 ? r : wait_for_links(bed);
}

int bed_up(const struct subject *subject, struct bed **ret, struct diag *d)
{
	CLEANUP(bed_free_cleanup) struct bed *bed = calloc(1, sizeof(*bed));
	int r;

	if (!bed)
		return -ENOMEM;
	bed->subject = subject;
	bed->d = d;
	bed->near = bed->far = -1;
	bed->port = FIRST_PORT;
	r = build(bed);
	if (r < 0) {
		if (d && !d->errors)
			diag_system(d, -r, "the bed cannot be built");
		return r;
	}
	*ret = STEAL(bed);
	return 0;
}

void bed_free(struct bed *bed)
{
	if (!bed)
		return;
	bed_close_since(bed, 0);
	lab_free(bed->lab);
	unpin(bed);
	plan_free(bed->plan);
	topo_free(bed->topo);
	free(bed);
}

struct endpoint bed_host(const struct bed *bed, size_t host, uint16_t port)
{
	return (struct endpoint){.addr = bed->hosts[host], .port = port};
}

struct endpoint bed_peer(const struct bed *bed, size_t peer, uint16_t port)
{
	return (struct endpoint){.addr = bed->peers[peer], .port = port};
}

uint16_t bed_fresh_port(struct bed *bed)
{
	/* Neighbours stay free, and no port comes twice: stride and number of ports are coprime. */
	const unsigned int stride = 37, ports = 45500;

	bed->port = (uint16_t)(FIRST_PORT + (bed->port - FIRST_PORT + stride) % ports);
	return bed->port;
}

uint16_t bed_kept_port(struct bed *bed)
{
	const unsigned int stride = 37, span = bed->kept[1] - bed->kept[0] + 1U;
	unsigned int tries;
	uint16_t port;

	for (tries = 0; bed->kept[1] && tries < span; tries++) {
		bed->kept_next = (uint16_t)((bed->kept_next + stride) % span);
		port = (uint16_t)(bed->kept[0] + bed->kept_next);
		if (bed->drawn[port])
			continue;
		bed->drawn[port] = true;
		return port;
	}
	return bed_fresh_port(bed);
}
