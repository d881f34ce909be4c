/* SPDX-License-Identifier: MIT */
/*
 * One's own sockets on the nodes of a lab, forged packets among what they send, and what a server
 * there costs while it is besieged.
 */
#ifndef NATSIM_TESTS_SUPPORT_SIEGE_H
#define NATSIM_TESTS_SUPPORT_SIEGE_H

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>

#include "kern/netns.h"
#include "support/street.h"

static inline int socket_on(struct built *built, const char *node, int type, int protocol)
{
	return netns_socket(lab_netns(built->lab, topo_find_node(built->topo, node)), AF_INET, type,
			    protocol);
}

static inline struct sockaddr_in address_of(const char *ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(ip)};
}

/* A socket on @node that is connected to @ip, or -1. */
static inline int connected_to(struct built *built, const char *node, int type, const char *ip,
			       uint16_t port)
{
	struct sockaddr_in to = address_of(ip, port);
	int fd = socket_on(built, node, type, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Ask over a connected socket until an answer comes, repeating over UDP: a flood before may have
 * filled the server's queue. Returns its length, or -1.
 */
static inline ssize_t exchange(int fd, int type, const void *request, size_t length, void *ret,
			       size_t capacity)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	int tries;

	for (tries = 0; tries < 40; tries++) {
		if ((tries == 0 || type == SOCK_DGRAM) &&
		    send(fd, request, length, MSG_NOSIGNAL) < 0)
			return -1;
		if (poll(&polled, 1, 250) == 1)
			return recv(fd, ret, capacity, 0);
	}
	return -1;
}

/* A UDP datagram from anybody to @to, by a raw socket. */
static inline int forge_udp(int raw, const struct sockaddr_in *from, const struct sockaddr_in *to,
			    const void *bytes, size_t length)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		uint8_t bytes[1400];
	} packet = {
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_UDP,
		       .saddr = from->sin_addr.s_addr,
		       .daddr = to->sin_addr.s_addr},
		.udp = {.source = from->sin_port,
			.dest = to->sin_port,
			.len = htons((uint16_t)(sizeof(struct udphdr) + length))}, /* no checksum */
	};
	size_t size = sizeof(packet.ip) + sizeof(packet.udp) + length;

	if (length > sizeof(packet.bytes))
		return -1;
	memcpy(packet.bytes, bytes, length);
	return sendto(raw, &packet, size, 0, (const struct sockaddr *)to, sizeof(*to)) ==
			       (ssize_t)size
		       ? 0
		       : -1;
}

/* The first packet of a connection that will never be one. */
static inline int forge_syn(int raw, const struct sockaddr_in *from, const struct sockaddr_in *to)
{
	struct {
		struct {
			uint32_t from, to;
			uint8_t zero, protocol;
			uint16_t length;
		} pseudo;
		struct tcphdr tcp;
	} summed = {
		.pseudo = {from->sin_addr.s_addr, to->sin_addr.s_addr, 0, IPPROTO_TCP,
			   htons(sizeof(struct tcphdr))},
		.tcp = {.source = from->sin_port,
			.dest = to->sin_port,
			.seq = htonl(1),
			.doff = 5,
			.syn = 1,
			.window = htons(1024)},
	};
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = {.ip = {.version = 4,
			   .ihl = 5,
			   .ttl = 64,
			   .protocol = IPPROTO_TCP,
			   .saddr = from->sin_addr.s_addr,
			   .daddr = to->sin_addr.s_addr}};
	uint16_t words[sizeof(summed) / 2];
	uint32_t sum = 0;
	size_t i;

	memcpy(words, &summed, sizeof(summed));
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	summed.tcp.check = (uint16_t)~sum;
	packet.tcp = summed.tcp;
	return sendto(raw, &packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to)) ==
			       sizeof(packet)
		       ? 0
		       : -1;
}

/* Files that @child has open, or -1. */
static inline int files_of(const struct child *child)
{
	char path[64];
	DIR *directory;
	int count = -2; /* "." and ".." */

	snprintf(path, sizeof(path), "/proc/%d/fd", child->pid);
	directory = opendir(path);
	if (!directory)
		return -1;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* Resident memory of @child in KiB, or -1; 0 where most of it would be AddressSanitizer's. */
static inline long memory_of(const struct child *child)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

#ifdef __SANITIZE_ADDRESS__
	return 0;
#endif
	snprintf(path, sizeof(path), "/proc/%d/status", child->pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (kib < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %ld", &kib) != 1)
			kib = -1;
	}
	fclose(file);
	return kib;
}

/* Have @server end; its last line, "end", counts what came and what it answered. */
static inline int end_server(struct built *built, struct child *server, unsigned long *ret_requests,
			     unsigned long *ret_replies)
{
	const char *end;

	EXPECT(lab_kill(built->lab, server, SIGTERM) == 0, "no signal");
	EXPECT(wait_end(built->lab, server, 5000) == 0, "it ignores SIGTERM");
	STATUS(server, 0);
	end = strstr(out(server), "\"event\":\"end\"");
	EXPECT(end && sscanf(end, "\"event\":\"end\",\"requests\":%lu,\"replies\":%lu",
			     ret_requests, ret_replies) == 2,
	       "said %s", out(server));
	return 0;
}

#endif
