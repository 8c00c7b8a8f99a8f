// For LD_PRELOAD: a board without a battery. While the file named by UNSET_CLOCK exists, the wall
// clock began with 1970 at the boot and is not synchronised; without it, it is set and
// synchronised.
// The machine's own clock is only read.
#define _GNU_SOURCE
#include <string.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int is_unset(void) {
  const char *path = getenv("UNSET_CLOCK");
  return path != NULL && access(path, F_OK) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (clock == CLOCK_REALTIME && is_unset()) clock = CLOCK_BOOTTIME;
  return (int)syscall(SYS_clock_gettime, clock, time);
}

int adjtimex(struct timex *state) {
  // Only ever asked, never set.
  memset(state, 0, sizeof *state);
  state->status = is_unset() ? STA_UNSYNC : 0;
  return is_unset() ? TIME_ERROR : TIME_OK;
}
