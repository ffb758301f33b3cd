/*
 * 802.1Q tags between an interface that carries several VLANs and one port for each of them: vlan INTERFACE [VLAN=PORT ...]
 * The kernel need not have the 8021q module: two small programs of its packet classifier do it, which stay with the interfaces when this program has ended.
 *
 *   from INTERFACE: a tagged frame goes to the port of its VLAN without its tag; of a VLAN without a port, or with a second tag inside, it is dropped; an untagged
 *                   frame (tag 0 as well) goes on as if nothing were here. The announcement of an address (RARP, as a hypervisor sends it after a move) goes to all.
 *   from PORT:      every frame gets the tag and goes out through INTERFACE.
 *
 * A port is one end of a veth pair; the other end is joined to the bridge of its VLAN. What was attached before is replaced. Called in the interfaces' network
 * namespace by src/system/network.ts and src/vios/sea.ts. Exit status 1 with one line on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An adapter has at most 20 additional VLANs, a shared Ethernet adapter as many. */
enum { PORTS_MAX = 32, CODE_MAX = 16 + PORTS_MAX * 16, PRIORITY = 1, HANDLE = 1 };

static void fail(const char *form, ...) {
  va_list words;
  va_start(words, form);
  fprintf(stderr, "vlan: ");
  vfprintf(stderr, form, words);
  fprintf(stderr, "\n");
  exit(1);
}

/* --- programs --- */

static struct bpf_insn code[CODE_MAX];
static int length;

static int emit(uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm) {
  if (length == CODE_MAX) fail("too many VLANs");
  code[length] = (struct bpf_insn){ .code = op, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
  return length++;
}
static void copy(int to, int from) { emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
static void set(int to, int32_t value) { emit(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
static void field(int to, size_t offset) { emit(BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_6, (int16_t)offset, 0); }
static void call(int32_t helper) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
static void answer(int32_t action) { set(BPF_REG_0, action); emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
/* A jump whose end is said later. */
static int jump_if(uint8_t how, int reg, int32_t value) { return emit(BPF_JMP | how | BPF_K, reg, 0, 0, value); }
static void here(int jump) { code[jump].off = (int16_t)(length - jump - 1); }

struct port { int vlan; unsigned index; };

static void split_program(const struct port *ports, int count) {
  copy(BPF_REG_6, BPF_REG_1);
  field(BPF_REG_2, offsetof(struct __sk_buff, vlan_present));
  int untagged = jump_if(BPF_JEQ, BPF_REG_2, 0);
  field(BPF_REG_2, offsetof(struct __sk_buff, vlan_proto));
  int known = jump_if(BPF_JEQ, BPF_REG_2, htons(ETH_P_8021Q));
  answer(TC_ACT_SHOT);
  here(known);
  field(BPF_REG_7, offsetof(struct __sk_buff, vlan_tci));
  emit(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_7, 0, 0, 0xfff);
  copy(BPF_REG_1, BPF_REG_6);
  call(BPF_FUNC_skb_vlan_pop);
  /* A tag inside the tag would be read by whoever takes the frame next. */
  field(BPF_REG_2, offsetof(struct __sk_buff, vlan_present));
  int single = jump_if(BPF_JEQ, BPF_REG_2, 0);
  answer(TC_ACT_SHOT);
  here(single);
  int priority_only = jump_if(BPF_JEQ, BPF_REG_7, 0);
  for (int at = 0; at < count; at++) {
    int other = jump_if(BPF_JNE, BPF_REG_7, ports[at].vlan);
    set(BPF_REG_1, (int32_t)ports[at].index);
    set(BPF_REG_2, 0);
    call(BPF_FUNC_redirect);
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    here(other);
  }
  answer(TC_ACT_SHOT);
  here(untagged);
  field(BPF_REG_2, offsetof(struct __sk_buff, protocol));
  int ordinary = jump_if(BPF_JNE, BPF_REG_2, htons(ETH_P_RARP));
  for (int at = 0; at < count; at++) {
    copy(BPF_REG_1, BPF_REG_6);
    set(BPF_REG_2, (int32_t)ports[at].index);
    set(BPF_REG_3, 0);
    call(BPF_FUNC_clone_redirect);
  }
  here(ordinary);
  here(priority_only);
  answer(TC_ACT_OK);
}

static void join_program(const struct port *port, unsigned interface) {
  copy(BPF_REG_6, BPF_REG_1);
  set(BPF_REG_2, htons(ETH_P_8021Q));
  set(BPF_REG_3, port->vlan);
  call(BPF_FUNC_skb_vlan_push);
  int done = jump_if(BPF_JEQ, BPF_REG_0, 0);
  answer(TC_ACT_SHOT);
  here(done);
  set(BPF_REG_1, (int32_t)interface);
  set(BPF_REG_2, 0);
  call(BPF_FUNC_redirect);
  emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(void) {
  static char log[65536];
  union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS, .insn_cnt = (uint32_t)length, .insns = (uint64_t)(uintptr_t)code, .license = (uint64_t)(uintptr_t)"GPL" };
  strcpy(attr.prog_name, "openlpm_vlan");
  int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  if (fd >= 0) return fd;
  int why = errno;
  attr.log_level = 1, attr.log_buf = (uint64_t)(uintptr_t)log, attr.log_size = sizeof log;
  syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  fail("the kernel does not take the program (%s) %s", strerror(why), log);
  return -1;
}

/* --- attaching, by the routing socket --- */

struct request {
  struct nlmsghdr head;
  struct tcmsg tc;
  char space[512];
};
static void *attribute(struct request *request, int type, const void *value, size_t size) {
  struct rtattr *one = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
  one->rta_type = (unsigned short)type;
  one->rta_len = (unsigned short)RTA_LENGTH(size);
  if (size > 0) memcpy(RTA_DATA(one), value, size);
  request->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(one->rta_len));
  return one;
}
/* 0, or the kernel's error number. */
static int ask(int route, struct request *request) {
  static uint32_t number;
  char reply[4096];
  request->head.nlmsg_seq = ++number;
  request->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  if (send(route, request, request->head.nlmsg_len, 0) < 0) return errno;
  for (;;) {
    ssize_t got = recv(route, reply, sizeof reply, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < (ssize_t)sizeof(struct nlmsghdr)) return EIO;
    struct nlmsghdr *head = (struct nlmsghdr *)reply;
    if (head->nlmsg_seq == number && head->nlmsg_type == NLMSG_ERROR) return -((struct nlmsgerr *)NLMSG_DATA(head))->error;
  }
}
/* The frames that come in by this interface go through the program. */
static void attach(int route, unsigned index, const char *name, int program) {
  struct request qdisc = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)), .nlmsg_type = RTM_NEWQDISC, .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL },
                           .tc = { .tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index, .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0), .tcm_parent = TC_H_CLSACT } };
  attribute(&qdisc, TCA_KIND, "clsact", sizeof "clsact");
  int error = ask(route, &qdisc);
  if (error != 0 && error != EEXIST) fail("%s takes no packet classifier (%s)", name, strerror(error));
  struct request filter = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)), .nlmsg_type = RTM_NEWTFILTER, .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE },
                            .tc = { .tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index, .tcm_handle = HANDLE, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), .tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL)) } };
  uint32_t fd = (uint32_t)program, flags = TCA_BPF_FLAG_ACT_DIRECT;
  attribute(&filter, TCA_KIND, "bpf", sizeof "bpf");
  struct rtattr *options = attribute(&filter, TCA_OPTIONS, NULL, 0);
  attribute(&filter, TCA_BPF_FD, &fd, sizeof fd);
  attribute(&filter, TCA_BPF_NAME, "openlpm_vlan", sizeof "openlpm_vlan");
  attribute(&filter, TCA_BPF_FLAGS, &flags, sizeof flags);
  options->rta_len = (unsigned short)((char *)&filter + filter.head.nlmsg_len - (char *)options);
  if ((error = ask(route, &filter)) != 0) fail("the packet classifier of %s can not be set (%s)", name, strerror(error));
}

static unsigned index_of(const char *name) {
  unsigned index = if_nametoindex(name);
  if (index == 0) fail("there is no interface %s", name);
  return index;
}

/* INTERFACE [VLAN=PORT ...]; without ports tagged frames are only dropped */
int main(int argc, char **argv) {
  if (argc < 2 || argc - 2 > PORTS_MAX) fail("usage: vlan INTERFACE [VLAN=PORT ...]");
  struct port ports[PORTS_MAX];
  const char *names[PORTS_MAX];
  const unsigned interface = index_of(argv[1]);
  const int count = argc - 2;
  for (int at = 0; at < count; at++) {
    char *end;
    long vlan = strtol(argv[at + 2], &end, 10);
    if (*end != '=' || vlan < 1 || vlan > 4094) fail("%s is not VLAN=PORT", argv[at + 2]);
    names[at] = end + 1;
    ports[at] = (struct port){ .vlan = (int)vlan, .index = index_of(names[at]) };
  }
  int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (route < 0) fail("no routing socket (%s)", strerror(errno));
  for (int at = 0; at < count; at++) {
    length = 0;
    join_program(&ports[at], interface);
    attach(route, ports[at].index, names[at], load());
  }
  length = 0;
  split_program(ports, count);
  attach(route, interface, argv[1], load());
  return 0;
}
