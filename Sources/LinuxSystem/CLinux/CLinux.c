#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

int CLinux_set_thread_name(const char *name) {
  return pthread_setname_np(pthread_self(), name);
}

int CLinux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int CLinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int CLinux_epoll_add(int set, int fd, uint64_t key) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
  return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

int CLinux_epoll_remove(int set, int fd) { return epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL); }

int CLinux_epoll_wait(int set, struct CLinux_epoll_ready *ready, int milliseconds) {
  struct epoll_event events[CLINUX_EPOLL_MAX];
  int count = epoll_wait(set, events, CLINUX_EPOLL_MAX, milliseconds);
  for (int index = 0; index < count; index++) {
    ready[index].key = events[index].data.u64;
    ready[index].is_readable = (events[index].events & (EPOLLERR | EPOLLHUP)) == 0;
  }
  return count;
}

int CLinux_clock_is_synchronised(void) {
  struct timex state = {0};
  if (adjtimex(&state) == -1) return -1;
  return (state.status & STA_UNSYNC) == 0;
}

static int64_t nanoseconds(clockid_t clock) {
  struct timespec now = {0, 0};
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void CLinux_clocks(int64_t *boot_ns, int64_t *real_ns) {
  *boot_ns = nanoseconds(CLOCK_BOOTTIME);
  *real_ns = nanoseconds(CLOCK_REALTIME);
}

int CLinux_try_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

int CLinux_cond_init_monotonic(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  int error = pthread_condattr_init(&attributes);
  if (error != 0) return error;
  error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  if (error == 0) error = pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return error;
}

int CLinux_open_pseudo_terminal(char *path, size_t size) {
  int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd == -1) return -1;
  if (grantpt(fd) == 0 && unlockpt(fd) == 0) {
    int error = ptsname_r(fd, path, size);
    if (error == 0) return fd;
    errno = error;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int CLinux_set_exclusive(int fd, int is_exclusive) {
  return ioctl(fd, is_exclusive ? TIOCEXCL : TIOCNXCL);
}

// Swift has no module of <linux/serial.h> and lays RS485Settings out by hand.
_Static_assert(sizeof(struct serial_rs485) == 32, "RS485Settings");
_Static_assert(offsetof(struct serial_rs485, flags) == 0, "RS485Settings");
_Static_assert(offsetof(struct serial_rs485, delay_rts_before_send) == 4, "RS485Settings");
_Static_assert(offsetof(struct serial_rs485, delay_rts_after_send) == 8, "RS485Settings");
_Static_assert(SER_RS485_ENABLED == 1, "RS485Settings");
_Static_assert(SER_RS485_RTS_ON_SEND == 2, "RS485Settings");
_Static_assert(SER_RS485_RTS_AFTER_SEND == 4, "RS485Settings");

int CLinux_terminal_control(int fd, unsigned long request, void *argument) {
  return ioctl(fd, request, argument);
}
