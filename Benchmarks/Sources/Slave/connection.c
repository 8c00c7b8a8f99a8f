#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "slave.h"

#define TRUTH_SIZE 16
#define SMALLEST_REQUEST (HEADER_SIZE + 1)
// The answers to all requests that fit into one connection's input.
#define REPLIES_SIZE (INPUT_SIZE / SMALLEST_REQUEST * (HEADER_SIZE + 2) + \
                      INPUT_SIZE / 12 * ANSWER_MAXIMUM)

void connections_accept(struct slave *slave, const struct source *listener) {
  for (;;) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)) return;
    if (fd < 0) die_errno("accept");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = malloc(sizeof *connection);
    if (!connection) die_errno("malloc");
    connection->source = (struct source){CONNECTION, fd, listener->station};
    connection->input_used = 0;
    connection->output = NULL;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(slave->epoll, EPOLL_CTL_ADD, fd, &event)) die_errno("epoll_ctl");
    slave->connections++;
  }
}

static void connection_close(struct connection *connection) {
  close(connection->source.fd);
  free(connection->output);
  free(connection);
}

// Sends what it can; returns how much, or -1 when the connection is broken.
static ssize_t send_some(int fd, const uint8_t *bytes, size_t size) {
  ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  return sent;
}

static void wait_for(struct slave *slave, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(slave->epoll, EPOLL_CTL_MOD, connection->source.fd, &event)) {
    die_errno("epoll_ctl");
  }
}

static void record(struct slave *slave, int station, const struct served *all, size_t count) {
  uint64_t now = htole64((uint64_t)monotonic_ns());
  for (size_t i = 0; i < count; i++) {
    uint8_t *bytes = recording_add(&slave->truth, TRUTH_SIZE);
    uint16_t words[] = {htole16((uint16_t)station), 0, htole16(all[i].address),
                        htole16(all[i].count)};
    memcpy(bytes, &now, sizeof now);
    memcpy(bytes + 8, words, sizeof words);
    bytes[10] = all[i].unit;
    bytes[11] = all[i].function;
  }
}

// Answers the whole requests of the input; returns the size of the answers, or -1 when what came
// is not Modbus TCP.
static ssize_t answer_all(struct slave *slave, struct connection *connection, uint8_t *replies) {
  static struct served served[INPUT_SIZE / SMALLEST_REQUEST];
  size_t used = 0, taken = 0, count = 0;
  int size;
  while ((size = request_size(connection->input + taken, connection->input_used - taken)) > 0) {
    slave->requests++;
    used += answer(&slave->counters, connection->source.station, connection->input + taken,
                   (size_t)size, replies + used, &served[count]);
    if (served[count].count) count++;
    taken += (size_t)size;
  }
  connection->input_used -= taken;
  memmove(connection->input, connection->input + taken, connection->input_used);
  if (count) record(slave, connection->source.station, served, count);
  return size < 0 ? -1 : (ssize_t)used;
}

// Puts aside what the socket did not take.
static void keep(struct slave *slave, struct connection *connection, const uint8_t *bytes,
                 size_t size) {
  connection->output = malloc(size);
  if (!connection->output) die_errno("malloc");
  memcpy(connection->output, bytes, size);
  connection->output_used = size;
  connection->output_sent = 0;
  wait_for(slave, connection, EPOLLOUT);
}

static void serve_input(struct slave *slave, struct connection *connection) {
  static uint8_t replies[REPLIES_SIZE];
  ssize_t got = recv(connection->source.fd, connection->input + connection->input_used,
                     INPUT_SIZE - connection->input_used, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return connection_close(connection);
  connection->input_used += (size_t)got;
  ssize_t size = answer_all(slave, connection, replies);
  if (size < 0) return connection_close(connection);
  if (size == 0) return;
  ssize_t sent = send_some(connection->source.fd, replies, (size_t)size);
  if (sent < 0) return connection_close(connection);
  if (sent < size) keep(slave, connection, replies + sent, (size_t)(size - sent));
}

static void serve_output(struct slave *slave, struct connection *connection) {
  ssize_t sent = send_some(connection->source.fd, connection->output + connection->output_sent,
                           connection->output_used - connection->output_sent);
  if (sent < 0) return connection_close(connection);
  connection->output_sent += (size_t)sent;
  if (connection->output_sent < connection->output_used) return;
  free(connection->output);
  connection->output = NULL;
  wait_for(slave, connection, EPOLLIN);
}

void connection_serve(struct slave *slave, struct connection *connection) {
  if (connection->output) {
    serve_output(slave, connection);
  } else {
    serve_input(slave, connection);
  }
}
