// Runs a command on a terminal of its own and relays it: pty ROWS COLUMNS COMMAND [ARGUMENT...]
// Standard input goes to the terminal, what the terminal prints to standard output. Lines "ROWS COLUMNS" on descriptor 3 change its size. The exit status is
// the command's. The end of standard input is typed as ^D; when this program is ended, the
// command's terminal is hung up.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

static int write_all(int fd, const char *data, ssize_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return -1;
    data += n;
    size -= n;
  }
  return 0;
}
static void resize(int terminal, const char *text) {
  struct winsize size = {0};
  if (sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col) == 2 && size.ws_row && size.ws_col) ioctl(terminal, TIOCSWINSZ, &size);
}

int main(int argc, char **argv) {
  struct winsize size = {0};
  int terminal, status;
  static char chunk[CHUNK];
  if (argc < 4) { fprintf(stderr, "usage: pty ROWS COLUMNS COMMAND [ARGUMENT...]\n"); return 2; }
  size.ws_row = (unsigned short)atoi(argv[1]);
  size.ws_col = (unsigned short)atoi(argv[2]);
  pid_t child = forkpty(&terminal, 0, 0, &size);
  if (child < 0) { perror("pty"); return 1; }
  if (child == 0) {
    close(3);
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    _exit(127);
  }
  signal(SIGPIPE, SIG_IGN);
  struct pollfd ready[3] = {{.fd = 0, .events = POLLIN}, {.fd = terminal, .events = POLLIN}, {.fd = 3, .events = POLLIN}};
  for (;;) {
    if (poll(ready, 3, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (ready[1].revents) {
      ssize_t n = read(terminal, chunk, sizeof chunk);
      if (n <= 0 && !(n < 0 && errno == EINTR)) break;  // EIO: the last process of the terminal ended
      if (n > 0 && write_all(1, chunk, n)) break;
    }
    if (ready[0].revents) {
      ssize_t n = read(0, chunk, sizeof chunk);
      if (n > 0) write_all(terminal, chunk, n);
      else if (n == 0) { write_all(terminal, "\004", 1); ready[0].fd = -1; }
    }
    if (ready[2].revents) {
      ssize_t n = read(3, chunk, 64);
      if (n > 0) { chunk[n] = 0; resize(terminal, chunk); }
      else ready[2].fd = -1;
    }
  }
  close(terminal);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
