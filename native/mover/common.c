#define _GNU_SOURCE
#include "common.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

void say(const char *format, ...) {
  va_list words;
  pthread_mutex_lock(&printing);
  va_start(words, format);
  vprintf(format, words);
  va_end(words);
  putchar('\n');
  fflush(stdout);
  pthread_mutex_unlock(&printing);
}

void fail(const char *what, int with_errno) {
  say("{\"state\":\"failed\",\"detail\":\"%s%s%s\"}", what, with_errno ? ": " : "", with_errno ? strerror(errno) : "");
  _exit(1);
}

int write_all(int fd, const unsigned char *data, size_t size) {
  while (size) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    data += n;
    size -= n;
  }
  return 0;
}
int read_all(int fd, unsigned char *data, size_t size) {
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
