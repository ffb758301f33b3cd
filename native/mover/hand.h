// Descriptors by SCM_RIGHTS: the mover fetches QEMU's channel from the holder on the source, and gives the waiting QEMU its channel on the destination (native/channel).
#pragma once

// Returns when QEMU has it.
void give_channel(const char *path, int fd);
int fetch_channel(const char *path);
