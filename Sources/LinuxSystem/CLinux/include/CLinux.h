#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>

// What Swift's Glibc module does not show, because glibc hides it behind feature macros or
// because it is a macro itself. Every function returns what the call it names returns; on failure
// errno is set.

// pthread_setname_np is _GNU_SOURCE only. Names are cut by the kernel at 15 bytes.
int CLinux_set_thread_name(const char *name);

// <sys/eventfd.h> has no module. Counter, non-blocking, closed on exec.
int CLinux_eventfd(void);

// <sys/epoll.h> has no module. The set is closed on exec; a descriptor is told by its `key`.
int CLinux_epoll_create(void);
int CLinux_epoll_add(int set, int fd, uint64_t key);
int CLinux_epoll_remove(int set, int fd);
#define CLINUX_EPOLL_MAX 64
struct CLinux_epoll_ready {
  uint64_t key;
  // Whether it can be read; hung up or broken if not (EPOLLERR, EPOLLHUP).
  int is_readable;
};
// At most CLINUX_EPOLL_MAX; the others are told by the next call.
int CLinux_epoll_wait(int set, struct CLinux_epoll_ready *ready, int milliseconds);

// clock_adjtime's state word: 1 if the kernel clock is synchronised, 0 if not, -1 on failure.
int CLinux_clock_is_synchronised(void);

// CLOCK_BOOTTIME and CLOCK_REALTIME read as close together as two calls can be.
void CLinux_clocks(int64_t *boot_ns, int64_t *real_ns);

// <sys/file.h>'s flock: 0, or -1 with EWOULDBLOCK when another process holds the lock.
int CLinux_try_lock(int fd);

// posix_openpt, grantpt, unlockpt and ptsname_r in one; Swift sees none of them. Returns the
// controlling side's descriptor, non-blocking and closed on exec, and the terminal's path.
int CLinux_open_pseudo_terminal(char *path, size_t size);

// ioctl is variadic. TIOCEXCL (1) or TIOCNXCL (0): whether others may open the terminal.
int CLinux_set_exclusive(int fd, int is_exclusive);

// ioctl is variadic: one whose argument is a pointer.
int CLinux_terminal_control(int fd, unsigned long request, void *argument);

// A condition variable that waits on CLOCK_MONOTONIC: the default waits on wall time, which steps.
#include <pthread.h>
int CLinux_cond_init_monotonic(pthread_cond_t *condition);

#endif
