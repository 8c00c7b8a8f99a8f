// The slave: its sockets, what it counts and what it writes.
#ifndef SLAVE_H
#define SLAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "recording.h"

enum source_kind { LISTENER, CONNECTION, TIMER, SIGNALS };

// What an event of epoll points to.
struct source {
  enum source_kind kind;
  int fd;
  int station;
};

#define INPUT_SIZE 4096

struct connection {
  struct source source;
  size_t input_used;
  // What the socket did not take; nothing more is read until it is empty.
  uint8_t *output;
  size_t output_used, output_sent;
  uint8_t input[INPUT_SIZE];
};

struct slave {
  int epoll;
  struct counters counters;
  struct recording truth;
  uint64_t requests, connections;
};

// Takes every connection that waits at a listener.
void connections_accept(struct slave *slave, const struct source *listener);
// Reads requests and answers them, or goes on with what the socket did not take.
void connection_serve(struct slave *slave, struct connection *connection);

#endif
