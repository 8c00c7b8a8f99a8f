// A Modbus TCP slave of many stations that is never the limit: one thread, no memory allocated and
// nothing written for a request. A pair of registers holds how many times it has been read.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "slave.h"

#define EVENTS_A_WAIT 256
#define BACKLOG 1024

// The largest share of a CPU in any second so far.
struct busyness {
  int64_t since_ns;
  double cpu_before, largest;
};

static void watch(struct slave *slave, struct source *source) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
  if (epoll_ctl(slave->epoll, EPOLL_CTL_ADD, source->fd, &event)) die_errno("epoll_ctl");
}

static int listen_at(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die_errno("socket");
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG)) {
    char where[32];
    snprintf(where, sizeof where, "listen at port %d", port);
    die_errno(where);
  }
  return fd;
}

static void listen_all(struct slave *slave, long first_port) {
  struct source *sources = calloc((size_t)slave->counters.stations, sizeof *sources);
  if (!sources) die_errno("calloc");
  for (int i = 0; i < slave->counters.stations; i++) {
    sources[i] = (struct source){LISTENER, listen_at((uint16_t)(first_port + i)), i};
    watch(slave, &sources[i]);
  }
}

static int make_signals(void) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, NULL);
  int fd = signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) die_errno("signalfd");
  return fd;
}

static int make_timer(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) die_errno("timerfd_create");
  struct timespec interval = {.tv_nsec = FLUSH_INTERVAL_MS * 1000000L};
  struct itimerspec setting = {interval, interval};
  if (timerfd_settime(fd, 0, &setting, NULL)) die_errno("timerfd_settime");
  return fd;
}

static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) die_errno("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit)) die_errno("setrlimit");
}

static void busyness_note(struct busyness *busyness) {
  int64_t now = monotonic_ns();
  if (now - busyness->since_ns < NANOSECONDS_PER_SECOND) return;
  double cpu = cpu_seconds();
  double share = (cpu - busyness->cpu_before) / ((double)(now - busyness->since_ns) / 1e9);
  if (share > busyness->largest) busyness->largest = share;
  busyness->since_ns = now;
  busyness->cpu_before = cpu;
}

static void tick(struct slave *slave, const struct source *timer, struct busyness *busyness) {
  uint64_t expirations;
  if (read(timer->fd, &expirations, sizeof expirations) < 0) return;
  if (slave->truth.used) recording_flush(&slave->truth);
  busyness_note(busyness);
}

static void run(struct slave *slave, struct busyness *busyness) {
  struct epoll_event events[EVENTS_A_WAIT];
  for (;;) {
    int count = epoll_wait(slave->epoll, events, EVENTS_A_WAIT, -1);
    if (count < 0 && errno != EINTR) die_errno("epoll_wait");
    for (int i = 0; i < count; i++) {
      struct source *source = events[i].data.ptr;
      switch (source->kind) {
        case LISTENER: connections_accept(slave, source); break;
        case CONNECTION: connection_serve(slave, (struct connection *)source); break;
        case TIMER: tick(slave, source, busyness); break;
        case SIGNALS: return;
      }
    }
  }
}

int main(int argc, char **argv) {
  long first_port, stations, units;
  const char *truth;
  const struct option_spec options[] = {{"first-port", 1, 65535, &first_port, NULL},
                                        {"stations", 1, 65535, &stations, NULL},
                                        {"units", 1, UNITS_MAXIMUM, &units, NULL},
                                        {"truth", 0, 0, NULL, &truth}};
  read_options(argc, argv, options, sizeof options / sizeof *options);
  if (first_port + stations - 1 > 65535) die("stations end beyond port 65535");
  raise_descriptor_limit();
  struct slave slave = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
  if (slave.epoll < 0) die_errno("epoll_create1");
  counters_make(&slave.counters, stations, units);
  recording_open(&slave.truth, truth);
  struct source signals = {SIGNALS, make_signals(), 0}, timer = {TIMER, make_timer(), 0};
  watch(&slave, &signals);
  watch(&slave, &timer);
  listen_all(&slave, first_port);
  puts("ready");
  fflush(stdout);
  struct busyness busyness = {.since_ns = monotonic_ns(), .cpu_before = cpu_seconds()};
  run(&slave, &busyness);
  recording_close(&slave.truth);
  printf("{\"requests\": %llu, \"connections\": %llu, \"cpu_seconds\": %.6f, "
         "\"busiest_second_cpu_share\": %.4f}\n",
         (unsigned long long)slave.requests, (unsigned long long)slave.connections,
         cpu_seconds(), busyness.largest);
  return 0;
}
