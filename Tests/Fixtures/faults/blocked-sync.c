// For LD_PRELOAD: while the file named by BLOCK_SYNC exists, fsync and fdatasync do not return, as
// on a card that died. Beside it a file `….reached` tells that one was called.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void block(void) {
  const char *path = getenv("BLOCK_SYNC");
  if (path == NULL || access(path, F_OK) != 0) return;
  char reached[4096];
  snprintf(reached, sizeof reached, "%s.reached", path);
  int descriptor = open(reached, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor >= 0) close(descriptor);
  while (access(path, F_OK) == 0) usleep(10000);
}

int fsync(int descriptor) {
  block();
  return (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
  block();
  return (int)syscall(SYS_fdatasync, descriptor);
}
