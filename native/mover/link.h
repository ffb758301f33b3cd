// The connection between the two movers.
#pragma once
#include "seal.h"

enum { PATIENCE_MS = 30000 };

int connect_peer(const char *host, const char *port);
// Prints the port that was chosen.
int listen_for_peer(const char *host);
// Takes the first connection from the peer's address that opens with the greeting under our key; anybody else is turned away.
int accept_peer(int listener, const char *host, struct seal *in, const unsigned char *key, const char *greeting);
