// The data path of a mover service partition: carries one migration stream between a hypervisor and the mover of the other system.
//   mover send HAND-SOCKET HOST PORT WAY    fetch QEMU's channel (one descriptor by SCM_RIGHTS), connect to the peer
//   mover receive HOST PEER TAKE-SOCKET WAY listen at HOST (port chosen, printed); when somebody at PEER has proved the key, give the waiting QEMU its
//                                           channel (one descriptor by SCM_RIGHTS to native/channel, which answers `ok`)
// WAY `sealed`: records as below. `direct`, for links that the operator trusts: only the greeting is sealed. The source's bytes go from QEMU's channel
// to the link inside the kernel, and the destination's QEMU gets the connection itself. The source's QEMU does not: it would let the partition run on
// by itself when the connection breaks, also after the hand-over.
// Standard input: 32 bytes, the key source -> destination and the key back, fresh for this migration. Standard output: JSON lines for the process
// that started it: port, connected, counters five times a second, and how it ended.
//
// Record: u32 length, u8 type, 3 zero bytes (together the authenticated header), that many bytes of AES-128-GCM ciphertext, 16 bytes tag. The
// nonce counts the records of a direction and ends the stream before it would repeat. Types: 0 hello, 1 data, 2 end. Only a sealed `end`
// closes QEMU's side in order; a connection that just breaks does not look like one. Memory: one record a direction, whatever the peer's speed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = 1 << 20, HEADER = 8, TAG = 16, KEY = 16, PIPE = 1 << 20, SOCKET_BUFFER = 256 << 10, HELLO_MS = 5000, PATIENCE_MS = 30000, WATCH_MS = 10 };
enum type { HELLO, DATA, END };
static const char *const GREETING[] = {"openlpm mover 1 sealed", "openlpm mover 1 direct"};

static atomic_ullong bytes_in, bytes_out, bytes_link;
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *format, ...) {
  va_list words;
  pthread_mutex_lock(&printing);
  va_start(words, format);
  vprintf(format, words);
  va_end(words);
  putchar('\n');
  fflush(stdout);
  pthread_mutex_unlock(&printing);
}

// Ends the program: the peer and QEMU see their connections break, which is what a failed stream must look like.
static void fail(const char *what, int with_errno) {
  say("{\"state\":\"failed\",\"detail\":\"%s%s%s\"}", what, with_errno ? ": " : "", with_errno ? strerror(errno) : "");
  _exit(1);
}

static _Noreturn void *counters(void *unused) {
  (void)unused;
  for (;;) {
    usleep(200000);
    say("{\"in\":%llu,\"out\":%llu,\"link\":%llu}", atomic_load(&bytes_in), atomic_load(&bytes_out), atomic_load(&bytes_link));
  }
}

static int write_all(int fd, const unsigned char *data, size_t size) {
  while (size) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    data += n;
    size -= n;
  }
  return 0;
}
// 1: whole; 0: the end came first; -1: error
static int read_all(int fd, unsigned char *data, size_t size) {
  while (size) {
    ssize_t n = recv(fd, data, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) return 0;
    data += n;
    size -= n;
  }
  return 1;
}

// One direction's cipher and counter.
struct seal { EVP_CIPHER_CTX *context; uint64_t count; unsigned char *buffer; };
static void seal_init(struct seal *seal, const unsigned char *key, int encrypt) {
  seal->context = EVP_CIPHER_CTX_new();
  seal->count = 0;
  seal->buffer = malloc(HEADER + RECORD + TAG);
  if (!seal->context || !seal->buffer || EVP_CipherInit_ex(seal->context, EVP_aes_128_gcm(), 0, key, 0, encrypt) != 1) fail("cipher", 0);
}
static void next_nonce(struct seal *seal, unsigned char nonce[12]) {
  if (seal->count == UINT32_MAX) fail("too many records for one key", 0);  // 4 PiB; a nonce must never repeat
  memset(nonce, 0, 12);
  uint32_t network = htonl((uint32_t)seal->count++);
  memcpy(nonce + 8, &network, 4);
}

// Seals `size` bytes that lie in the seal's buffer after the header, in place, and sends them.
static int send_record(struct seal *seal, int peer, enum type type, uint32_t size) {
  unsigned char nonce[12], *out = seal->buffer;
  int done;
  uint32_t network = htonl(size);
  memcpy(out, &network, 4);
  memset(out + 4, 0, 4);
  out[4] = (unsigned char)type;
  next_nonce(seal, nonce);
  if (EVP_EncryptInit_ex(seal->context, 0, 0, 0, nonce) != 1 || EVP_EncryptUpdate(seal->context, 0, &done, out, HEADER) != 1 ||
      (size && EVP_EncryptUpdate(seal->context, out + HEADER, &done, out + HEADER, (int)size) != 1) || EVP_EncryptFinal_ex(seal->context, out + HEADER + size, &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_GCM_GET_TAG, TAG, out + HEADER + size) != 1)
    fail("sealing", 0);
  if (write_all(peer, out, HEADER + size + TAG)) return -1;
  atomic_fetch_add(&bytes_link, HEADER + size + TAG);
  return 0;
}

// 1: a record of *type and *size is opened in place in the seal's buffer; 0: the connection ended between records; -1: broken or not sealed with our key
static int receive_record(struct seal *seal, int peer, enum type *type, uint32_t *size) {
  unsigned char header[HEADER], nonce[12], *data = seal->buffer;
  int done, got = read_all(peer, header, HEADER);
  if (got <= 0) return got;
  memcpy(size, header, 4);
  *size = ntohl(*size);
  *type = header[4];
  if (*size > RECORD || header[4] > END || header[5] || header[6] || header[7]) return -1;
  if (read_all(peer, seal->buffer, *size + TAG) != 1) return -1;
  next_nonce(seal, nonce);
  if (EVP_DecryptInit_ex(seal->context, 0, 0, 0, nonce) != 1 || EVP_DecryptUpdate(seal->context, 0, &done, header, HEADER) != 1 ||
      (*size && EVP_DecryptUpdate(seal->context, data, &done, data, (int)*size) != 1) ||
      EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_GCM_SET_TAG, TAG, data + *size) != 1 || EVP_DecryptFinal_ex(seal->context, data + *size, &done) != 1)
    return -1;
  atomic_fetch_add(&bytes_link, HEADER + *size + TAG);
  return 1;
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

// hypervisor -> peer, direct: the kernel moves the pages from socket to socket through a pipe that holds at most PIPE bytes. No byte comes here.
static void outward_direct(int from, int to) {
  int hose[2];
  if (pipe2(hose, O_CLOEXEC)) fail("pipe", 1);
  fcntl(hose[0], F_SETPIPE_SZ, PIPE);
  for (;;) {
    ssize_t n = splice(from, 0, hose[1], 0, PIPE, SPLICE_F_MOVE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("reading from the hypervisor", 1);
    if (n == 0) break;
    for (ssize_t left = n; left;) {
      ssize_t gone = splice(hose[0], 0, to, 0, left, SPLICE_F_MOVE);
      if (gone < 0 && errno == EINTR) continue;
      if (gone <= 0) fail("sending to the peer mover", 1);
      left -= gone;
    }
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

static struct sockaddr_un local_address(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path) { errno = ENAMETOOLONG; fail("socket path", 1); }
  memcpy(a.sun_path, path, strlen(path));
  return a;
}
static int connect_local(const char *path) {
  struct sockaddr_un a = local_address(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) fail("connecting to the hypervisor's holder", 1);
  return fd;
}
union control { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; };
// Gives the waiting QEMU its channel; returns when QEMU has it.
static void give_channel(const char *path, int fd) {
  union control control = {0};
  char answer[2];
  struct iovec part = {"c", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  int holder = connect_local(path);
  if (sendmsg(holder, &message, MSG_NOSIGNAL) != 1) fail("giving the channel to the hypervisor", 1);
  if (read_all(holder, (unsigned char *)answer, 2) != 1 || memcmp(answer, "ok", 2)) fail("the hypervisor did not take the channel", 0);
  close(holder);
}
static int fetch_channel(const char *path) {
  union control control;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  int holder = connect_local(path), fd = -1;
  if (recvmsg(holder, &message, MSG_CMSG_CLOEXEC) < 0) fail("fetching the channel", 1);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(header), sizeof fd);
  if (fd < 0) fail("the holder gave no channel", 0);
  close(holder);
  return fd;
}
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
static int connect_peer(const char *host, const char *port) {
  struct addrinfo *to = resolve(host, port, 0);
  int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", 1);
  tune(fd);
  if (connect(fd, to->ai_addr, to->ai_addrlen)) fail("connecting to the peer mover", 1);
  freeaddrinfo(to);
  return fd;
}
static int listen_for_peer(const char *host) {
  struct addrinfo *at = resolve(host, "0", 1);
  struct sockaddr_storage bound;
  socklen_t size = sizeof bound;
  int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", 1);
  tune(fd);
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

// Takes the first connection from the peer's address that opens with the greeting under our key; anybody else is turned away.
static int accept_peer(int listener, const char *host, struct seal *in, const unsigned char *key, const char *greeting) {
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
    EVP_CIPHER_CTX_free(in->context);
    free(in->buffer);
    seal_init(in, key, 0);
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
    int listener = listen_for_peer(argv[2]);
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
