// The connection between the two movers.
#pragma once
#include "seal.h"

enum { PATIENCE_MS = 30000 };

int connect_peer(const char *host, const char *port);
// Prints the port that was chosen. `window`: bytes that may lie unread on this side, 0: as many as the kernel likes, which may be 32 MiB.
int listen_for_peer(const char *host, int window);
// Takes the first connection from the peer's address that opens with the greeting under our key; anybody else is turned away.
int accept_peer(int listener, const char *host, struct seal *in, const unsigned char *key, const char *greeting);
