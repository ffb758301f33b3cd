#define _GNU_SOURCE
#include "hand.h"
#include "common.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
void give_channel(const char *path, int fd) {
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
int fetch_channel(const char *path) {
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
