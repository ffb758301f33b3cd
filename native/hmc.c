// The HMC's commands inside the restricted shell: a client of the console over the session's socket (HMC_SOCKET). The name it is called by is the command.
// Frames: type byte, length (u32, big endian), payload; what each means is in src/console/doors/frames.ts. Keep in step with it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, PAYLOAD_MAX = 2 << 20 };

static int console = -1;
static struct termios cooked;
static int raw;
static volatile sig_atomic_t interrupted, resized;
static void on_interrupt(int signal) { (void)signal; interrupted = 1; }
static void on_resize(int signal) { (void)signal; resized = 1; }

static void restore(void) {
  if (raw) tcsetattr(0, TCSADRAIN, &cooked);
  raw = 0;
}
static void set_raw(int on) {
  struct termios keys;
  if (on == raw || !isatty(0)) return;
  if (!on) { restore(); return; }
  if (tcgetattr(0, &cooked)) return;
  keys = cooked;
  cfmakeraw(&keys);
  raw = tcsetattr(0, TCSADRAIN, &keys) == 0;
}
static void die(const char *what) {
  restore();
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static void write_all(int fd, const void *data, size_t size) {
  const char *at = data;
  while (size) {
    ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && fd != console) return;  // nobody reads our output any more; the status still counts
    if (n <= 0) die("the management console went away");
    at += n;
    size -= n;
  }
}
static void send_frame(char type, const void *data, size_t size) {
  unsigned char head[5] = {type};
  uint32_t length = htonl((uint32_t)size);
  memcpy(head + 1, &length, 4);
  write_all(console, head, sizeof head);
  write_all(console, data, size);
}

// A growing text.
static char *text;
static size_t used, room;
static void add(const char *piece, size_t size) {
  if (used + size + 1 > room && !(text = realloc(text, room = 2 * (used + size + 1)))) die("memory");
  memcpy(text + used, piece, size);
  text[used += size] = 0;
}
static void add_text(const char *piece) { add(piece, strlen(piece)); }
static void add_string(const char *value) {
  char escape[8];
  add("\"", 1);
  for (; *value; value++) {
    unsigned char c = (unsigned char)*value;
    if (c == '"' || c == '\\') { escape[0] = '\\'; escape[1] = (char)c; add(escape, 2); }
    else if (c < 0x20) add(escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
    else add((const char *)&c, 1);
  }
  add("\"", 1);
}
static void add_size(void) {
  struct winsize size;
  char numbers[64];
  if (ioctl(1, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row) { size.ws_col = 80; size.ws_row = 24; }
  snprintf(numbers, sizeof numbers, "{\"columns\":%d,\"rows\":%d}", size.ws_col, size.ws_row);
  add_text(numbers);
}

static void request(int argc, char **argv) {
  const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], *term = getenv("TERM");
  int first = strcmp(name, "hmc") == 0 ? 1 : 0, tty = isatty(1);
  add_text("{\"kind\":\"argv\",\"argv\":[");
  for (int i = first; i < argc; i++) {
    if (i > first) add_text(",");
    add_string(i == 0 ? name : argv[i]);
  }
  add_text("],\"tty\":");
  if (tty) add_size();
  else add_text("null");
  add_text(",\"color\":");
  add_text(tty && !getenv("NO_COLOR") && term && strcmp(term, "dumb") ? "true" : "false");
  add_text("}");
  send_frame('R', text, used);
}

static unsigned char *inbox;
static size_t filled;
// Handles whole frames; gives the exit status, or -1 while there is none.
static int take(int *wants_input) {
  size_t at = 0;
  int status = -1;
  while (filled - at >= 5) {
    uint32_t length;
    memcpy(&length, inbox + at + 1, 4);
    length = ntohl(length);
    if (length > PAYLOAD_MAX) { errno = EPROTO; die("the management console"); }
    if (filled - at < 5 + (size_t)length) break;
    unsigned char *payload = inbox + at + 5;
    switch (inbox[at]) {
      case 'O': write_all(1, payload, length); break;
      case 'X': write_all(2, payload, length); break;
      case 'N': *wants_input = 1; break;
      case 'T': set_raw(length && payload[0]); break;
      case 'S': status = length ? payload[0] : 1; break;
    }
    at += 5 + length;
  }
  memmove(inbox, inbox + at, filled - at);
  filled -= at;
  return status;
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct sigaction action = {.sa_handler = on_interrupt}, size = {.sa_handler = on_resize};
  const char *path = getenv("HMC_SOCKET");
  char *chunk = malloc(CHUNK);
  int wants_input = 0;
  inbox = malloc(5 + PAYLOAD_MAX + CHUNK);
  if (!path || strlen(path) >= sizeof address.sun_path) { fprintf(stderr, "%s: HMC_SOCKET names no socket\n", argv[0]); return 1; }
  strcpy(address.sun_path, path);
  console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!chunk || !inbox || console < 0 || connect(console, (struct sockaddr *)&address, sizeof address)) die("the management console can not be reached");
  signal(SIGPIPE, SIG_IGN);
  sigaction(SIGINT, &action, 0);
  sigaction(SIGTERM, &action, 0);
  sigaction(SIGHUP, &action, 0);
  sigaction(SIGWINCH, &size, 0);
  request(argc, argv);
  for (;;) {
    struct pollfd ready[2] = {{.fd = console, .events = POLLIN}, {.fd = wants_input ? 0 : -1, .events = POLLIN}};
    if (interrupted) { interrupted = 0; send_frame('K', "", 0); }
    if (resized) { resized = 0; used = 0; add_size(); send_frame('W', text, used); }
    if (poll(ready, 2, -1) < 0) {
      if (errno == EINTR) continue;
      die("poll");
    }
    if (ready[0].revents) {
      ssize_t n = read(console, inbox + filled, CHUNK);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) die("the management console went away");
      filled += n;
      int status = take(&wants_input);
      if (status >= 0) { restore(); return status; }
    }
    if (ready[1].revents) {
      ssize_t n = read(0, chunk, CHUNK);
      if (n < 0 && errno == EINTR) continue;
      if (n > 0) send_frame('I', chunk, n);
      else { send_frame('E', "", 0); wants_input = 0; }
    }
  }
}
