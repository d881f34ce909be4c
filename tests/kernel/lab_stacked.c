/* SPDX-License-Identifier: MIT */
/*
 * Hairpinning where NATs are stacked: a packet is turned round by the NAT that has the
 * address it is for, and by no other. Every combination of who turns round and who does not.
 *
 *     pc1, pc2 -- home1 --+
 *                         +-- isp -- carrier -- internet -- server
 *     pc3 ------- home2 --+
 *
 *     pc1 to       address of   turned round by
 *     pc2's home   home1        home1
 *     pc2's outer  carrier      carrier (home1 sees two flows that know nothing of each other)
 *     pc3's home   home2        nobody: the two homes are neighbours
 *     pc3's outer  carrier      carrier
 *
 * A carrier that leaves the internal source sends pc1's packet back to home1 with home1's own
 * address as its source: no router takes that. So the same home is out of reach (one reason
 * why RFC 4787 REQ-9 a asks for the external source), a neighbour is not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "support/in_lab.h"

static const char picture[] = "name: stacked\n"
			      "networks:\n"
			      "  internet: {type: internet}\n"
			      "  isp: {subnet: 100.64.0.0/24}\n"
			      "  lan1: {subnet: 192.168.1.0/24}\n"
			      "  lan2: {subnet: 192.168.2.0/24}\n"
			      "nodes:\n"
			      "  server: {interfaces: {internet: 9.9.9.9}}\n"
			      "  carrier:\n"
			      "    interfaces: {internet: 1.2.3.4, isp: 100.64.0.254}\n"
			      "    nat: {base: rfc6888-cgn, filtering: %s, hairpinning: %s}\n"
			      "  home1:\n"
			      "    interfaces: {isp: 100.64.0.1, lan1: 192.168.1.254}\n"
			      "    nat: {base: full-cone, filtering: %s, hairpinning: %s}\n"
			      "  home2:\n"
			      "    interfaces: {isp: 100.64.0.2, lan2: 192.168.2.254}\n"
			      "    nat: {base: full-cone, filtering: %s, hairpinning: %s}\n"
			      "  pc1: {interfaces: {lan1: 192.168.1.1}}\n"
			      "  pc2: {interfaces: {lan1: 192.168.1.2}}\n"
			      "  pc3: {interfaces: {lan2: 192.168.2.1}}\n";

struct levels {
	const char *filtering;
	const char *home, *carrier; /* hairpinning */
};

/* A host's socket: its endpoint as its neighbours outside the home know it, and as the server does.
 */
struct host {
	int fd;
	struct endpoint home, outer;
};

static int open_on(struct built *built, const char *node, const char *address, uint16_t port)
{
	struct sockaddr_in own = {.sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = inet_addr(address)};
	int fd = netns_socket(lab_netns(built->lab, topo_find_node(built->topo, node)), AF_INET,
			      SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	return fd;
}

static void send_to(int fd, const struct endpoint *to, char word)
{
	struct sockaddr_storage address;
	socklen_t size = endpoint_to_sockaddr(to, &address);

	/* Refused is a way not to arrive. */
	if (sendto(fd, &word, 1, 0, (struct sockaddr *)&address, size) != 1)
		return;
}

/* Does @word come to @fd within @ms? What is before it is thrown away. */
static bool comes(int fd, char word, int ms, struct endpoint *ret_from)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct sockaddr_storage address;
	socklen_t size;
	char found;

	while (poll(&p, 1, ms) > 0) {
		size = sizeof(address);
		if (recvfrom(fd, &found, 1, 0, (struct sockaddr *)&address, &size) == 1 &&
		    found == word)
			return endpoint_from_sockaddr(&address, ret_from);
	}
	return false;
}

static int join(struct built *built, const char *node, const char *address, const char *home,
		uint16_t port, int server, struct host *ret)
{
	struct endpoint to;

	endpoint_parse("9.9.9.9:7000", &to);
	ret->fd = open_on(built, node, address, port);
	EXPECT(ret->fd >= 0, "%s", node);
	addr_parse(home, &ret->home.addr);
	ret->home.port = port;
	send_to(ret->fd, &to, 'j');
	EXPECT(comes(server, 'j', 3000, &ret->outer), "%s does not get out", node);
	return 0;
}

/*
 * The longest way a packet can go here is eight links; on one processor they are
 * handled in the order in which they came, so this one of three round trips is behind it.
 */
static int settle(const struct host *host, int server)
{
	struct endpoint to, from;
	int i;

	endpoint_parse("9.9.9.9:7000", &to);
	for (i = 0; i < 3; i++) {
		send_to(host->fd, &to, 's');
		EXPECT(comes(server, 's', 3000, &from), "the way out");
		send_to(server, &from, 't');
		EXPECT(comes(host->fd, 't', 3000, &from), "the way back");
	}
	return 0;
}

/* @guest sends to @at; does it arrive at @host, as @as? */
static int expect_turned(const struct levels *levels, const char *what, const struct host *guest,
			 const struct host *host, const struct endpoint *at, bool arrives,
			 const struct endpoint *as, const struct host *pilot, int server)
{
	struct endpoint from;
	bool came;

	send_to(guest->fd, at, 'x');
	if (settle(pilot, server) != 0)
		return 1;
	came = comes(host->fd, 'x', 0, &from);
	EXPECT(came == arrives, "hairpinning at home %s, at the carrier %s: %s", levels->home,
	       levels->carrier, what);
	EXPECT(!came || endpoint_equal(&from, as), "%s: as %s, not %s", what,
	       endpoint_format(&from, (char[ENDPOINT_TEXT_MAX]){0}),
	       endpoint_format(as, (char[ENDPOINT_TEXT_MAX]){0}));
	return 0;
}

static int pin(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

/* All hosts speak to each other's endpoints first, for filters that ask for it. */
static void open_filters(const struct host *hosts)
{
	size_t i, j;

	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++)
			if (i != j) {
				send_to(hosts[i].fd, &hosts[j].outer, 'o');
				send_to(hosts[i].fd, &hosts[j].home, 'o');
			}
}

static int turn_round(void *data)
{
	const struct levels *levels = data;
	const bool home = strcmp(levels->home, "off") != 0;
	const bool carrier = strcmp(levels->carrier, "off") != 0;
	const bool inner = strcmp(levels->carrier, "internal-source") == 0;
	struct host hosts[3], *pc1 = &hosts[0], *pc2 = &hosts[1], *pc3 = &hosts[2];
	struct built AUTO_BUILT built = {0};
	struct endpoint *seen = inner ? &pc1->home : &pc1->outer;
	char text[2048];
	int server;

	snprintf(text, sizeof(text), picture, levels->filtering, levels->carrier, levels->filtering,
		 levels->home, levels->filtering, levels->home);
	EXPECT(pin() == 0, "pin");
	EXPECT(built_up(text, NULL, &built) == 0, "no lab");
	server = open_on(&built, "server", "9.9.9.9", 7000);
	if (join(&built, "pc1", "192.168.1.1", "100.64.0.1", 5001, server, pc1) != 0 ||
	    join(&built, "pc2", "192.168.1.2", "100.64.0.1", 5002, server, pc2) != 0 ||
	    join(&built, "pc3", "192.168.2.1", "100.64.0.2", 5003, server, pc3) != 0)
		return 1;
	open_filters(hosts);
	if (settle(pc1, server) != 0)
		return 1;
	if (expect_turned(levels, "pc2 at its home's address", pc1, pc2, &pc2->home, home,
			  &pc1->home, pc1, server) != 0 ||
	    expect_turned(levels, "pc2 at the carrier's address", pc1, pc2, &pc2->outer,
			  carrier && !inner, &pc1->outer, pc1, server) != 0 ||
	    expect_turned(levels, "pc3 at its home's address", pc1, pc3, &pc3->home, true,
			  &pc1->home, pc1, server) != 0 ||
	    expect_turned(levels, "pc3 at the carrier's address", pc1, pc3, &pc3->outer, carrier,
			  seen, pc1, server) != 0)
		return 1;
	close(server);
	for (size_t i = 0; i < 3; i++)
		close(hosts[i].fd);
	return 0;
}

/* Internal source: the neighbour is seen as who it is in the network behind the NAT. */
static void expect_levels(const char *filtering)
{
	static const char *const carriers[] = {"off", "external-source", "internal-source"};
	struct levels levels = {.filtering = filtering};
	size_t i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < 3; j++) {
			levels.home = i ? "external-source" : "off";
			levels.carrier = carriers[j];
			in_lab(turn_round, &levels);
		}
}

Test(stacked, each_level_turns_round_what_is_for_its_own_address, .timeout = 60)
{
	expect_levels("endpoint-independent");
}

Test(stacked, and_so_it_does_under_a_filter_that_asks_for_the_sender, .timeout = 60)
{
	expect_levels("address-dependent");
}
