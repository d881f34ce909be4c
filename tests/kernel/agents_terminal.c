/* SPDX-License-Identifier: MIT */
/* What a person sees who chats at a terminal, and how a person leaves. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "agents/net/clock.h"
#include "support/in_netns.h"

#define PATIENCE (20 * SEC)
#define CHAT "chat", "--rendezvous", "127.0.0.1", "--session", "tea", "--name"

/* A running program and what it has printed: a terminal's two streams are one. */
struct program {
	pid_t pid;
	int in, out;
	char text[8192];
	size_t length;
};

static int lo_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);

	close(fd);
	return r;
}

static void become(const char *const argv[])
{
	char path[512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), TEST_BINARY_DIR "/%s", argv[0]);
	execv(path, (char *const *)argv);
	_exit(127);
}

/* Its stdout and stderr are one pipe. */
static int start_piped(struct program *program, const char *const argv[])
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	*program = (struct program){.in = in[1], .out = out[0]};
	program->pid = fork();
	if (program->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		become(argv);
	}
	close(in[0]);
	close(out[1]);
	return program->pid < 0 ? -errno : 0;
}

static int start_at_terminal(struct program *program, const char *const argv[])
{
	int terminal;

	*program = (struct program){0};
	program->pid = forkpty(&terminal, NULL, NULL, NULL);
	if (program->pid == 0) {
		setenv("TERM", "xterm", 1);
		unsetenv("NO_COLOR");
		become(argv);
	}
	program->in = program->out = terminal;
	return program->pid < 0 ? -errno : 0;
}

static int type(const struct program *program, const char *text)
{
	return write(program->in, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

/* Read on until it has printed @part, or has closed what it prints to when @part is NULL. */
static bool prints(struct program *program, const char *part)
{
	uint64_t deadline = clock_now() + PATIENCE;
	struct pollfd fd = {.fd = program->out, .events = POLLIN};

	while (!part || !strstr(program->text, part)) {
		size_t room = sizeof(program->text) - 1 - program->length;
		ssize_t n;

		if (clock_now() >= deadline || poll(&fd, 1, 100) < 0)
			return false;
		if (fd.revents == 0)
			continue;
		n = read(program->out, program->text + program->length, room);
		if (n <= 0) /* EIO is how a terminal says that nobody has it open */
			return !part;
		program->length += (size_t)n;
		program->text[program->length] = '\0';
	}
	return true;
}

/* Its exit status, after it has closed everything; -1: it does not end, or by a signal. */
static int end(struct program *program)
{
	int status = -1;

	if (!prints(program, NULL))
		kill(program->pid, SIGKILL);
	waitpid(program->pid, &status, 0);
	close(program->in);
	if (program->out != program->in)
		close(program->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Ann at a terminal, Bob at two pipes, in touch. */
static int meet(struct program *rendezvous, struct program *ann, struct program *bob)
{
	static const char *const serve[] = {"rendezvous", NULL};
	static const char *const as_ann[] = {CHAT, "ann", NULL};
	static const char *const as_bob[] = {CHAT, "bob", NULL};

	EXPECT(lo_up() == 0, "no loopback");
	EXPECT(start_piped(rendezvous, serve) == 0, "no rendezvous");
	EXPECT(prints(rendezvous, "ready"), "said %s", rendezvous->text);
	EXPECT(start_at_terminal(ann, as_ann) == 0, "no terminal");
	EXPECT(prints(ann, "* waiting for the other of session \"tea\""), "saw %s", ann->text);
	EXPECT(start_piped(bob, as_bob) == 0, "no pipes");
	EXPECT(prints(ann, "* bob is here"), "saw %s", ann->text);
	EXPECT(prints(bob, "* ann is here"), "said %s", bob->text);
	return 0;
}

static int stop(struct program *rendezvous)
{
	kill(rendezvous->pid, SIGTERM);
	return end(rendezvous) == 0 ? 0 : 1;
}

static int body_sees(void)
{
	struct program rendezvous = {0}, ann = {0}, bob = {0};
	const char *connected;

	EXPECT(meet(&rendezvous, &ann, &bob) == 0, "see above");
	connected = strstr(ann.text, "* connected after ");
	EXPECT(connected && strstr(connected, "a direct path to 127.0.0.1:"), "saw %s", ann.text);
	EXPECT(connected < strstr(ann.text, "* bob is here"), "saw %s", ann.text);
	EXPECT(type(&bob, "caf\xc3\xa9 \033[2J\xff!\n") == 0, "cannot type");
	EXPECT(prints(&ann, "\033[1;36mbob:\033[0m caf\xc3\xa9 \xef\xbf\xbd[2J\xef\xbf\xbd!\r\n"),
	       "saw %s", ann.text);
	EXPECT(!strstr(ann.text, "\033[2J"), "the screen was cleared");
	EXPECT(type(&ann, "tea?\n") == 0, "cannot type");
	EXPECT(prints(&bob, "ann: tea?\n"), "said %s", bob.text);
	EXPECT(!strchr(bob.text, '\033'), "colour goes to a terminal only: %s", bob.text);
	close(bob.in); /* the end of what bob has to say */
	bob.in = bob.out;
	EXPECT(end(&bob) == 0, "bob: %s", bob.text);
	EXPECT(prints(&ann, "* bob has left"), "saw %s", ann.text);
	EXPECT(end(&ann) == 0, "ann did not end in order: %s", ann.text);
	return stop(&rendezvous);
}

Test(terminal, shows_lines_with_a_name_in_colour_and_says_who_comes_and_goes, .timeout = 60)
{
	in_netns(body_sees);
}

/* @keys end it. */
static int leaves(const char *keys)
{
	struct program rendezvous = {0}, ann = {0}, bob = {0};

	EXPECT(meet(&rendezvous, &ann, &bob) == 0, "see above");
	EXPECT(type(&ann, "one\ntwo\n") == 0 && type(&ann, keys) == 0, "cannot type");
	EXPECT(prints(&bob, "* ann has left\n"), "bob was not told: %s", bob.text);
	EXPECT(strstr(bob.text, "ann: one\nann: two\n"), "said %s", bob.text);
	EXPECT(end(&ann) == 0, "ann did not end in order: %s", ann.text);
	EXPECT(end(&bob) == 0, "bob did not end in order: %s", bob.text);
	return stop(&rendezvous);
}

static int body_end_of_input(void)
{
	return leaves("\004");
}

Test(terminal, the_end_of_input_leaves_after_everything_was_delivered, .timeout = 60)
{
	in_netns(body_end_of_input);
}

/* The terminal throws away what was typed and not read when it is interrupted. */
static int body_interrupted(void)
{
	struct program rendezvous = {0}, ann = {0}, bob = {0};

	EXPECT(meet(&rendezvous, &ann, &bob) == 0, "see above");
	EXPECT(type(&ann, "one\n") == 0, "cannot type");
	EXPECT(prints(&bob, "ann: one\n"), "said %s", bob.text);
	EXPECT(type(&ann, "\003") == 0, "cannot type");
	EXPECT(prints(&bob, "* ann has left\n"), "bob was not told: %s", bob.text);
	EXPECT(end(&ann) == 0, "ann did not end in order: %s", ann.text);
	EXPECT(end(&bob) == 0, "bob did not end in order: %s", bob.text);
	return stop(&rendezvous);
}

Test(terminal, an_interruption_is_a_polite_end_too, .timeout = 60)
{
	in_netns(body_interrupted);
}

static int body_alone(void)
{
	static const char *const argv[] = {CHAT, "ann", NULL};
	struct program ann = {0};

	EXPECT(lo_up() == 0, "no loopback");
	EXPECT(start_at_terminal(&ann, argv) == 0, "no terminal");
	EXPECT(prints(&ann, "* asking the rendezvous at 127.0.0.1:1024"), "saw %s", ann.text);
	EXPECT(type(&ann, "\003") == 0, "cannot type");
	EXPECT(end(&ann) == 1, "there was nobody: %s", ann.text);
	return 0;
}

Test(terminal, who_waits_for_nobody_can_be_interrupted, .timeout = 60)
{
	in_netns(body_alone);
}

static int body_found_again(void)
{
	static const char *const as_ann[] = {CHAT,         "ann", "--keepalive", "0.1",
					     "--patience", "0.3", NULL};
	static const char *const as_bob[] = {CHAT, "bob", NULL};
	static const char *const serve[] = {"rendezvous", NULL};
	struct program rendezvous = {0}, ann = {0}, bob = {0};

	EXPECT(lo_up() == 0 && start_piped(&rendezvous, serve) == 0, "no rendezvous");
	EXPECT(prints(&rendezvous, "ready"), "said %s", rendezvous.text);
	EXPECT(start_at_terminal(&ann, as_ann) == 0 && start_piped(&bob, as_bob) == 0, "no chat");
	EXPECT(prints(&ann, "* bob is here") && prints(&bob, "* ann is here"), "saw %s", ann.text);
	kill(bob.pid, SIGSTOP);
	EXPECT(prints(&ann, "* bob does not answer any more"), "saw %s", ann.text);
	EXPECT(type(&ann, "asleep?\n") == 0, "cannot type");
	kill(bob.pid, SIGCONT);
	EXPECT(prints(&ann, "* connected again: a direct path to 127.0.0.1:"), "saw %s", ann.text);
	EXPECT(prints(&bob, "* connected again"), "said %s", bob.text);
	EXPECT(prints(&bob, "ann: asleep?\n"), "said %s", bob.text);
	EXPECT(type(&ann, "\004") == 0, "cannot type");
	EXPECT(end(&ann) == 0, "ann did not end in order: %s", ann.text);
	EXPECT(end(&bob) == 0, "bob did not end in order: %s", bob.text);
	return stop(&rendezvous);
}

Test(terminal, a_path_that_dies_and_is_found_again_is_said_and_loses_nothing, .timeout = 60)
{
	in_netns(body_found_again);
}

static int body_vanishes(void)
{
	static const char *const as_ann[] = {CHAT, "ann", "--keepalive", "0.1", NULL};
	static const char *const as_bob[] = {CHAT, "bob", NULL};
	static const char *const serve[] = {"rendezvous", NULL};
	struct program rendezvous = {0}, ann = {0}, bob = {0};

	EXPECT(lo_up() == 0 && start_piped(&rendezvous, serve) == 0, "no rendezvous");
	EXPECT(prints(&rendezvous, "ready"), "said %s", rendezvous.text);
	EXPECT(start_at_terminal(&ann, as_ann) == 0 && start_piped(&bob, as_bob) == 0, "no chat");
	EXPECT(prints(&ann, "* bob is here") && prints(&bob, "* ann is here"), "saw %s", ann.text);
	kill(bob.pid, SIGKILL);
	EXPECT(end(&bob) == -1, "it was killed");
	EXPECT(prints(&ann, "* bob has vanished"), "saw %s", ann.text);
	EXPECT(end(&ann) == 1, "that is no end in order: %s", ann.text);
	return stop(&rendezvous);
}

Test(terminal, a_peer_that_was_killed_has_vanished, .timeout = 60)
{
	in_netns(body_vanishes);
}
