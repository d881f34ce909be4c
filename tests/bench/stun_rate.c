/* SPDX-License-Identifier: MIT */
/*
 * How many Binding requests a second one core answers: stun-server beside coturn's turnserver.
 *
 *     bench_stun_rate STUN-SERVER [ROUNDS]
 *
 * Both run in a network namespace of the measurement's own, on one processor and the
 * client on another, and take turns. Requests are sent as fast as they are answered, some
 * dozens at a time, as a busy server sees them. A rate is of the server's own processor time, so
 * that what else the machine does is not in it. Prints one JSON object: the medians,
 * and ours divided by coturn's.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agents/stun/message.h"
#include "base/cleanup.h"
#include "bench/median.h"

enum { ROUNDS_DEFAULT = 11, ROUNDS_MAX = 200, BURST = 32, BURSTS = 1500, WARM_UP = 200 };
enum { READY_MS = 10000 };
enum { OUR_PORT = 5478, COTURN_PORT = 6478 };

struct server {
	pid_t pid;
	clockid_t clock;
	int fd;  /* connected to it */
	int out; /* what it says */
};

static int fail(const char *what)
{
	fprintf(stderr, "bench_stun_rate: %s: %s\n", what, strerror(errno));
	return 1;
}

static int pin(unsigned int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static int loopback_up(void)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
}

/* Its output goes to @out. */
static pid_t start(const char *const argv[], int out)
{
	pid_t pid = fork();
	int null;

	if (pid != 0)
		return pid;
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (pin(1) < 0)
		_exit(126);
	execvp(argv[0], (char *const *)argv); /* which changes none of them */
	_exit(127);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return STEAL_FD(fd);
}

/* BURST requests, and as many answers. Returns how many came. */
static int exchange(int fd)
{
	static uint8_t requests[BURST][STUN_HEADER_SIZE], answers[BURST][512];
	struct iovec out[BURST], in[BURST];
	struct mmsghdr sent[BURST] = {0}, received[BURST] = {0};
	struct stun_builder builder;
	uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42};
	int i, came = 0;

	for (i = 0; i < BURST; i++) {
		id[4] = (uint8_t)i;
		stun_begin(&builder, requests[i], sizeof(requests[i]), STUN_REQUEST, STUN_BINDING,
			   id);
		out[i] = (struct iovec){requests[i], stun_end(&builder)};
		in[i] = (struct iovec){answers[i], sizeof(answers[i])};
		sent[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
		received[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
	}
	if (sendmmsg(fd, sent, BURST, 0) != BURST)
		return -1;
	while (came < BURST) {
		struct pollfd polled = {.fd = fd, .events = POLLIN};
		int n;

		if (poll(&polled, 1, 1000) != 1)
			return came;
		n = recvmmsg(fd, received, (unsigned int)(BURST - came), MSG_DONTWAIT, NULL);
		if (n < 0)
			return -1;
		came += n;
	}
	return came;
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Answers a second of the server's time; negative when some did not come. */
static double rate(const struct server *server)
{
	double begin;
	int i;

	for (i = 0; i < WARM_UP; i++)
		if (exchange(server->fd) != BURST)
			return -1;
	begin = seconds(server->clock);
	for (i = 0; i < BURSTS; i++)
		if (exchange(server->fd) != BURST)
			return -1;
	return BURST * BURSTS / (seconds(server->clock) - begin);
}

/* Read @out until it says @word, for some seconds. */
static int await(int out, const char *word)
{
	char text[4096] = "";
	size_t length = 0;

	while (!strstr(text, word)) {
		struct pollfd polled = {.fd = out, .events = POLLIN};
		ssize_t n;

		if (length + 1 == sizeof(text) || poll(&polled, 1, READY_MS) != 1)
			return -1;
		n = read(out, text + length, sizeof(text) - 1 - length);
		if (n <= 0)
			return -1;
		length += (size_t)n;
		text[length] = '\0';
	}
	return 0;
}

static int begin(struct server *server, const char *const argv[], const char *ready, uint16_t port)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	server->pid = start(argv, ends[1]);
	close(ends[1]);
	server->out = ends[0];
	server->fd = connect_to(port);
	if (server->pid < 0 || server->fd < 0 ||
	    clock_getcpuclockid(server->pid, &server->clock) != 0)
		return -1;
	return await(server->out, ready);
}

static void end(struct server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	fd_cleanup(&server->fd);
	fd_cleanup(&server->out);
}

static int measure(struct server *ours, struct server *coturn, size_t rounds)
{
	double a[ROUNDS_MAX], b[ROUNDS_MAX], ratios[ROUNDS_MAX];
	double own, other;
	size_t i;

	for (i = 0; i < rounds; i++) {
		a[i] = rate(ours);
		b[i] = rate(coturn);
		if (a[i] < 0 || b[i] < 0) {
			fprintf(stderr, "bench_stun_rate: an answer was lost\n");
			return 1;
		}
		ratios[i] = a[i] / b[i];
	}
	own = median(a, rounds);
	other = median(b, rounds);
	printf("{\"stun_server_per_s\": %.0f, \"coturn_per_s\": %.0f, \"ratio\": %.3f}\n", own,
	       other, median(ratios, rounds));
	return 0;
}

int main(int argc, char **argv)
{
	struct server ours CLEANUP(end) = {.fd = -1, .out = -1};
	struct server coturn CLEANUP(end) = {.fd = -1, .out = -1};
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUNDS_DEFAULT;
	const char *const own[] = {
		argc > 1 ? argv[1] : NULL, "--primary", "127.0.0.1", "--port", "5478",
		"--alternate-port",        "5479",      NULL};
	const char *const other[] = {
		"turnserver",      "-S",        "-n",         "--no-cli",  "--no-tls", "--no-dtls",
		"--pidfile",       "/dev/null", "-L",         "127.0.0.1", "-p",       "6478",
		"--relay-threads", "1",         "--log-file", "stdout",    NULL};

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s STUN-SERVER [ROUNDS]\n", argv[0]);
		return 2;
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || loopback_up() < 0 || pin(0) < 0)
		return fail("cannot make a network of its own");
	if (begin(&ours, own, "\"ready\"", OUR_PORT) < 0)
		return fail(argv[1]);
	if (begin(&coturn, other, "admin thread", COTURN_PORT) < 0)
		return fail("turnserver");
	return measure(&ours, &coturn, rounds);
}
