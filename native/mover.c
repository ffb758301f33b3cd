// The data path of a mover service partition: carries one migration stream between a hypervisor and the mover of the other system.
//   mover send HAND-SOCKET HOST PORT WAY    fetch QEMU's channel (one descriptor by SCM_RIGHTS), connect to the peer
//   mover receive HOST PEER TAKE-SOCKET WAY listen at HOST (port chosen, printed); when somebody at PEER has proved the key, give the waiting QEMU its
//                                           channel (one descriptor by SCM_RIGHTS to native/channel, which answers `ok`)
// WAY `sealed`: records as below. `direct`, for links that the operator trusts: only the greeting is sealed. The source's bytes are written to the link as
// they are, and the destination's QEMU gets the connection itself. The source's QEMU does not: it would let the partition run on
// by itself when the connection breaks, also after the hand-over.
// Standard input: 32 bytes, the key source -> destination and the key back, fresh for this migration. Standard output: JSON lines for the process
// that started it: port, connected, counters five times a second, and how it ended.
//
// Record: u32 length, u8 type, 3 zero bytes (together the authenticated header), that many bytes of AES-128-GCM ciphertext, 16 bytes tag. The
// nonce counts the records of a direction and ends the stream before it would repeat. Types: 0 hello, 1 data, 2 end. Only a sealed `end`
// closes QEMU's side in order; a connection that just breaks does not look like one. Memory: one record a direction, whatever the peer's speed.
#define _GNU_SOURCE
#include "mover/common.h"
#include "mover/hand.h"
#include "mover/link.h"
#include "mover/seal.h"
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// WINDOW: what waits here to be opened is waited for by a partition that stands still. 4 MiB carry 10 Gbit/s over 3 ms.
enum { WINDOW = 4 << 20, BLOCK = 512 << 10, SOCKET_BUFFER = 256 << 10, WATCH_MS = 10 };
static const char *const GREETING[] = {"openlpm mover 1 sealed", "openlpm mover 1 direct"};

static atomic_ullong bytes_in, bytes_out;

static _Noreturn void *counters(void *unused) {
  (void)unused;
  for (;;) {
    usleep(200000);
    say("{\"in\":%llu,\"out\":%llu,\"link\":%llu}", atomic_load(&bytes_in), atomic_load(&bytes_out), atomic_load(&bytes_link));
  }
}

struct way { struct seal seal; int from, to; };

// hypervisor -> peer: what is at hand, never waiting for more
static void *outward(void *argument) {
  struct way *way = argument;
  unsigned char *data = way->seal.buffer + HEADER;
  for (;;) {
    ssize_t n = recv(way->from, data, RECORD, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("reading from the hypervisor", 1);
    if (n == 0) break;
    while (n < RECORD) {
      ssize_t more = recv(way->from, data + n, RECORD - n, MSG_DONTWAIT);
      if (more <= 0) break;
      n += more;
    }
    atomic_fetch_add(&bytes_in, n);
    if (send_record(&way->seal, way->to, DATA, (uint32_t)n)) fail("sending to the peer mover", 1);
  }
  if (send_record(&way->seal, way->to, END, 0)) fail("sending to the peer mover", 1);
  return 0;
}

// peer -> hypervisor
static void inward(struct way *way) {
  enum type type;
  uint32_t size;
  for (;;) {
    int got = receive_record(&way->seal, way->from, &type, &size);
    if (got < 0) fail("the peer mover's stream broke or was changed on the way", 0);
    if (got == 0) fail("the peer mover went away before the end of the stream", 0);
    if (type == END) break;
    if (type != DATA) fail("the peer mover sent a record out of order", 0);
    if (write_all(way->to, way->seal.buffer, size)) fail("writing to the hypervisor", 1);
    atomic_fetch_add(&bytes_out, size);
  }
  shutdown(way->to, SHUT_WR);
}

// hypervisor -> peer, direct: through a block that stays in the processor's cache. Splicing the pages from socket to socket instead costs more: they go on in
// fragments of 4 KiB (docs/mover.md).
static void outward_direct(int from, int to) {
  static unsigned char block[BLOCK];
  for (;;) {
    ssize_t n = recv(from, block, BLOCK, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("reading from the hypervisor", 1);
    if (n == 0) break;
    if (write_all(to, block, n)) fail("sending to the peer mover", 1);
    atomic_fetch_add(&bytes_in, n);
    atomic_fetch_add(&bytes_link, n);
  }
  shutdown(to, SHUT_WR);
  // The peer says nothing on this connection; it closes when its QEMU has read everything.
  char byte;
  ssize_t end;
  while ((end = recv(to, &byte, 1, 0)) > 0 || (end < 0 && errno == EINTR)) {}
  if (end < 0) fail("the peer mover went away before it had read everything", 1);
}
// peer -> hypervisor, direct: QEMU reads the connection; here it is only watched until everything that the peer sent is read.
static void watch_direct(int peer) {
  int unread = 0;
  struct tcp_info info;
  socklen_t size = sizeof info;
  unsigned long long before = getsockopt(peer, IPPROTO_TCP, TCP_INFO, &info, &size) ? 0 : info.tcpi_bytes_received;
  for (int over = 0; !over;) {
    struct pollfd end = {.fd = peer, .events = POLLRDHUP};
    if (poll(&end, 1, unread ? WATCH_MS : 10 * WATCH_MS) < 0 && errno != EINTR) fail("watching the connection", 1);
    if (end.revents & (POLLERR | POLLNVAL)) fail("the peer mover's connection broke", 0);
    if (ioctl(peer, SIOCINQ, &unread)) fail("watching the connection", 1);
    size = sizeof info;
    if (getsockopt(peer, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
      // The end of the connection counts as one byte of its sequence.
      unsigned long long got = info.tcpi_bytes_received - before - ((end.revents & POLLRDHUP) ? 1 : 0);
      atomic_store(&bytes_link, got);
      atomic_store(&bytes_out, got > (unsigned)unread ? got - unread : 0);
    }
    over = (end.revents & POLLRDHUP) && unread == 0;
    if ((end.revents & POLLRDHUP) && unread) usleep(WATCH_MS * 1000);
  }
}

// A pair of sockets with room; the hypervisor gets one end.
static void make_pair(int pair[2]) {
  int size = SOCKET_BUFFER;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) fail("socketpair", 1);
  for (int end = 0; end < 2; end++)
    if (setsockopt(pair[end], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)) setsockopt(pair[end], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void carry_sealed(struct way *out, struct way *in) {
  pthread_t sending;
  if (pthread_create(&sending, 0, outward, out)) fail("thread", 1);
  inward(in);
  pthread_join(sending, 0);
}

int main(int argc, char **argv) {
  unsigned char keys[2 * KEY];
  struct way out = {0}, in = {0};
  pthread_t counting;
  int pair[2], hypervisor, peer, source = argc == 6 && !strcmp(argv[1], "send");
  int direct = argc > 1 && !strcmp(argv[argc - 1], "direct");
  if ((!source && !(argc == 6 && !strcmp(argv[1], "receive"))) || (!direct && strcmp(argv[argc - 1], "sealed"))) { fprintf(stderr, "usage: mover send HAND-SOCKET HOST PORT sealed|direct | receive HOST PEER TAKE-SOCKET sealed|direct\n"); return 2; }
  const char *greeting = GREETING[direct];
  signal(SIGPIPE, SIG_IGN);
  for (size_t got = 0; got < sizeof keys;) {
    ssize_t n = read(0, keys + got, sizeof keys - got);
    if (n <= 0) fail("no keys on standard input", 0);
    got += n;
  }
  seal_init(&out.seal, keys + (source ? 0 : KEY), 1);
  seal_init(&in.seal, keys + (source ? KEY : 0), 0);
  if (source) {
    hypervisor = fetch_channel(argv[2]);
    peer = connect_peer(argv[3], argv[4]);
    memcpy(out.seal.buffer + HEADER, greeting, strlen(greeting));
    if (send_record(&out.seal, peer, HELLO, (uint32_t)strlen(greeting))) fail("greeting the peer mover", 1);
  } else {
    int listener = listen_for_peer(argv[2], direct ? 0 : WINDOW);
    peer = accept_peer(listener, argv[3], &in.seal, keys, greeting);
    close(listener);
    if (direct) give_channel(argv[4], hypervisor = peer);
    else {
      make_pair(pair);
      give_channel(argv[4], pair[1]);
      close(pair[1]);  // QEMU's end is QEMU's alone: its death is seen here
      hypervisor = pair[0];
    }
  }
  OPENSSL_cleanse(keys, sizeof keys);
  say("{\"state\":\"streaming\"}");
  out.from = in.to = hypervisor;
  in.from = out.to = peer;
  if (pthread_create(&counting, 0, counters, 0)) fail("thread", 1);
  if (!direct) carry_sealed(&out, &in);
  else if (source) outward_direct(hypervisor, peer);
  else watch_direct(peer);
  say("{\"in\":%llu,\"out\":%llu,\"link\":%llu}", atomic_load(&bytes_in), atomic_load(&bytes_out), atomic_load(&bytes_link));
  say("{\"state\":\"finished\"}");
  fflush(stdout);
  _exit(0);
}
