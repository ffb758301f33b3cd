// The holder of a migration's channel. Makes a socket pair, gives both ends to QEMU over a monitor of its own (`mig`: QEMU writes the
// migration to it; `hold`: the end that is read), hands that reading end to one mover, and keeps it open itself. Since QEMU holds the reading
// end too, the loss of a mover or of this process only blocks QEMU and never looks like a failed migration, on which QEMU would let the
// partition run on by itself.
//   channel QMP-SOCKET HAND-SOCKET CONTROL-SOCKET
// Control, one line each: `drop` ends the channel, so that a blocked QEMU gets an error; `quit` ends this process. Each is answered `ok`.
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

static void give_to_qemu(const char *path, int mig, int hold) {
  struct sockaddr_un a = address(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die(path);
  FILE *in = fdopen(fd, "r");
  char line[65536];
  if (!in || !fgets(line, sizeof line, in)) die("no greeting from QEMU");
  static const char capabilities[] = "{\"execute\":\"qmp_capabilities\"}\n";
  static const char give_mig[] = "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"mig\"}}\n";
  static const char give_hold[] = "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"hold\"}}\n";
  if (send_with(fd, capabilities, sizeof capabilities - 1, -1)) die("monitor");
  expect_return(in);
  if (send_with(fd, give_mig, sizeof give_mig - 1, mig)) die("monitor");
  expect_return(in);
  if (send_with(fd, give_hold, sizeof give_hold - 1, hold)) die("monitor");
  expect_return(in);
  fclose(in);  // QEMU keeps what it got; the monitor is free for the next client
}

int main(int argc, char **argv) {
  int pair[2];
  if (argc != 4) { fprintf(stderr, "usage: channel QMP-SOCKET HAND-SOCKET CONTROL-SOCKET\n"); return 2; }
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) die("socketpair");
  int size = 4 << 20;
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  give_to_qemu(argv[1], pair[0], pair[1]);
  close(pair[0]);  // or the mover would never see the end of QEMU's stream
  struct pollfd ready[2] = {{.fd = listen_at(argv[2]), .events = POLLIN}, {.fd = listen_at(argv[3]), .events = POLLIN}};
  puts("ready");
  fflush(stdout);
  fclose(stdout);
  for (;;) {
    if (poll(ready, 2, -1) < 0) { if (errno == EINTR) continue; die("poll"); }
    if (ready[0].revents) {
      int mover = accept4(ready[0].fd, 0, 0, SOCK_CLOEXEC);
      if (mover >= 0 && send_with(mover, "c", 1, pair[1]) == 0) {  // one mover only
        close(ready[0].fd);
        unlink(argv[2]);
        ready[0].fd = -1;
      }
      if (mover >= 0) close(mover);
    }
    if (ready[1].revents) {
      char word[16] = {0};
      int client = accept4(ready[1].fd, 0, 0, SOCK_CLOEXEC);
      if (client < 0) continue;
      ssize_t got = read(client, word, sizeof word - 1);
      int quit = got > 0 && !strncmp(word, "quit", 4);
      if (got > 0 && !strncmp(word, "drop", 4)) shutdown(pair[1], SHUT_RDWR);
      if (got > 0 && write(client, "ok\n", 3) != 3) perror("channel: answer");
      close(client);
      if (quit) { unlink(argv[2]); unlink(argv[3]); return 0; }
    }
  }
}
