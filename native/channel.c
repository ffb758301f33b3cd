// The holder of a migration's channel. Makes a socket pair, gives both ends to QEMU over a monitor of its own (`mig`: QEMU writes the
// migration to it; `hold`: the end that is read), hands that reading end to one mover, and keeps it open itself. Since QEMU holds the reading
// end too, the loss of a mover or of this process only blocks QEMU and never looks like a failed migration, on which QEMU would let the
// partition run on by itself.
//   channel outgoing QMP-SOCKET HAND-SOCKET CONTROL-SOCKET
// Control, one line each: `drop` ends the channel, so that a blocked QEMU gets an error; `quit` ends this process. Each is answered `ok`.
// On the destination: takes one descriptor from a mover at TAKE-SOCKET, gives it to the waiting QEMU as the incoming channel, answers `ok` and ends.
//   channel incoming QMP-SOCKET TAKE-SOCKET
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what) { fprintf(stderr, "channel: %s: %s\n", what, strerror(errno)); exit(1); }

static struct sockaddr_un address(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path) { errno = ENAMETOOLONG; die(path); }
  memcpy(a.sun_path, path, strlen(path));
  return a;
}

static int listen_at(const char *path) {
  struct sockaddr_un a = address(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  unlink(path);
  umask(0177);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4)) die(path);
  return fd;
}

static void ready(void) {
  puts("ready");
  fflush(stdout);
  fclose(stdout);
}

// One message, with a descriptor when fd >= 0.
static int send_with(int to, const void *data, size_t size, int fd) {
  union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {0};
  struct iovec part = {(void *)data, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

// Reads lines until one is an answer; events in between are not for us.
static void expect_return(FILE *in) {
  char line[65536];
  while (fgets(line, sizeof line, in)) {
    if (strstr(line, "\"return\"")) return;
    if (strstr(line, "\"error\"")) { fprintf(stderr, "channel: QEMU refused: %s", line); exit(1); }
  }
  die("QEMU closed its monitor");
}

struct command { const char *line; int fd; };

// Says the commands to QEMU's second monitor, each with its descriptor. QEMU keeps what it got; the monitor is free for the next client.
static void tell_qemu(const char *path, const struct command *commands, size_t count) {
  struct sockaddr_un a = address(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die(path);
  FILE *in = fdopen(fd, "r");
  char line[65536];
  if (!in || !fgets(line, sizeof line, in)) die("no greeting from QEMU");
  static const char capabilities[] = "{\"execute\":\"qmp_capabilities\"}\n";
  if (send_with(fd, capabilities, sizeof capabilities - 1, -1)) die("monitor");
  expect_return(in);
  for (size_t at = 0; at < count; at++) {
    if (send_with(fd, commands[at].line, strlen(commands[at].line), commands[at].fd)) die("monitor");
    expect_return(in);
  }
  fclose(in);
}

static int take_descriptor(int from) {
  union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  char byte;
  int fd = -1;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

static int incoming(const char *monitor, const char *take) {
  int listener = listen_at(take);
  ready();
  for (;;) {
    int mover = accept4(listener, 0, 0, SOCK_CLOEXEC);
    if (mover < 0) continue;
    int fd = take_descriptor(mover);
    if (fd < 0) { close(mover); continue; }
    const struct command commands[] = {{"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"in\"}}\n", fd}, {"{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:in\"}}\n", -1}};
    tell_qemu(monitor, commands, 2);
    close(fd);
    if (write(mover, "ok", 2) != 2) perror("channel: answer");
    unlink(take);
    return 0;
  }
}

static int outgoing(const char *monitor, const char *hand, const char *control) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) die("socketpair");
  int size = 512 << 10;  // room for what a mover takes at once (native/mover.c)
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  const struct command commands[] = {{"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"mig\"}}\n", pair[0]}, {"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"hold\"}}\n", pair[1]}};
  tell_qemu(monitor, commands, 2);
  close(pair[0]);  // or the mover would never see the end of QEMU's stream
  struct pollfd doors[2] = {{.fd = listen_at(hand), .events = POLLIN}, {.fd = listen_at(control), .events = POLLIN}};
  ready();
  for (;;) {
    if (poll(doors, 2, -1) < 0) { if (errno == EINTR) continue; die("poll"); }
    if (doors[0].revents) {
      int mover = accept4(doors[0].fd, 0, 0, SOCK_CLOEXEC);
      if (mover >= 0 && send_with(mover, "c", 1, pair[1]) == 0) {  // one mover only
        close(doors[0].fd);
        unlink(hand);
        doors[0].fd = -1;
      }
      if (mover >= 0) close(mover);
    }
    if (doors[1].revents) {
      char word[16] = {0};
      int client = accept4(doors[1].fd, 0, 0, SOCK_CLOEXEC);
      if (client < 0) continue;
      ssize_t got = read(client, word, sizeof word - 1);
      int quit = got > 0 && !strncmp(word, "quit", 4);
      if (got > 0 && !strncmp(word, "drop", 4)) shutdown(pair[1], SHUT_RDWR);
      if (got > 0 && write(client, "ok\n", 3) != 3) perror("channel: answer");
      close(client);
      if (quit) { unlink(hand); unlink(control); return 0; }
    }
  }
}

int main(int argc, char **argv) {
  if (argc == 5 && !strcmp(argv[1], "outgoing")) return outgoing(argv[2], argv[3], argv[4]);
  if (argc == 4 && !strcmp(argv[1], "incoming")) return incoming(argv[2], argv[3]);
  fprintf(stderr, "usage: channel outgoing QMP-SOCKET HAND-SOCKET CONTROL-SOCKET | incoming QMP-SOCKET TAKE-SOCKET\n");
  return 2;
}
