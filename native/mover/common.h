// What the parts of the mover share.
#pragma once
#include <stddef.h>

enum { RECORD = 1 << 20, HEADER = 8, TAG = 16, KEY = 16 };

// One line of JSON on standard output.
void say(const char *format, ...);
// Ends the program: the peer and QEMU see their connections break, which is what a failed stream must look like.
void fail(const char *what, int with_errno);
// 0, or -1 with errno
int write_all(int fd, const unsigned char *data, size_t size);
// 1: whole; 0: the end came first; -1: error
int read_all(int fd, unsigned char *data, size_t size);
