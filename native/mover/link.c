#define _GNU_SOURCE
#include "link.h"
#include "common.h"
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// The whole greeting of a peer is there within this.
enum { HELLO_MS = 5000 };

static struct addrinfo *resolve(const char *host, const char *port, int passive) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)}, *found;
  if (getaddrinfo(host, port, &hints, &found)) fail("not an address", 0);
  return found;
}
static void tune(int fd) {
  int one = 1, unanswered = PATIENCE_MS;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
}
int connect_peer(const char *host, const char *port) {
  struct addrinfo *to = resolve(host, port, 0);
  int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", 1);
  tune(fd);
  if (connect(fd, to->ai_addr, to->ai_addrlen)) fail("connecting to the peer mover", 1);
  freeaddrinfo(to);
  return fd;
}
int listen_for_peer(const char *host, int window) {
  struct addrinfo *at = resolve(host, "0", 1);
  struct sockaddr_storage bound;
  socklen_t size = sizeof bound;
  int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", 1);
  tune(fd);
  if (window) setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &window, sizeof window);  // without the privilege the kernel's own choice stays
  if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 4) || getsockname(fd, (struct sockaddr *)&bound, &size)) fail("listening for the peer mover", 1);
  freeaddrinfo(at);
  say("{\"port\":%d}", ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port : ((struct sockaddr_in *)&bound)->sin_port));
  return fd;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int comes_from(const struct sockaddr_storage *from, const char *host) {
  char text[INET6_ADDRSTRLEN] = "";
  if (from->ss_family == AF_INET6) inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, text, sizeof text);
  else inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, text, sizeof text);
  return !strcmp(text, host);
}
// True for a peer whose whole greeting, under our key, is there in time. Nothing is read before all of it is there, so that nobody stays by sending a byte now and then.
static int greets(struct seal *in, int fd, const char *greeting, int64_t ms) {
  unsigned char ahead[HEADER + 64 + TAG];
  int whole = HEADER + (int)strlen(greeting) + TAG, one = 1;
  enum type type;
  uint32_t size;
  struct pollfd come = {.fd = fd, .events = POLLIN};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &whole, sizeof whole)) return 0;
  if (poll(&come, 1, (int)ms) <= 0 || recv(fd, ahead, whole, MSG_PEEK | MSG_DONTWAIT) != whole) return 0;
  memcpy(&size, ahead, 4);
  if (ntohl(size) != strlen(greeting) || setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one)) return 0;
  return receive_record(in, fd, &type, &size) == 1 && type == HELLO && !memcmp(in->buffer, greeting, size);
}

int accept_peer(int listener, const char *host, struct seal *in, const unsigned char *key, const char *greeting) {
  for (int64_t end = now_ms() + PATIENCE_MS;;) {
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    int64_t left = end - now_ms();
    if (left <= 0 || poll(&ready, 1, (int)left) <= 0) fail("no peer mover came", 0);
    int fd = accept4(listener, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (comes_from(&from, host) && greets(in, fd, greeting, least(HELLO_MS, end - now_ms()))) {
      tune(fd);
      return fd;
    }
    close(fd);
    seal_free(in);
    seal_init(in, key, 0);
  }
}
