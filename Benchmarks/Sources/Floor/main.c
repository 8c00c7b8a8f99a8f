// As little as can be between libmodbus and libmosquitto: the floor under every contestant.
#define _GNU_SOURCE
#include <errno.h>
#include <modbus/modbus.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recording.h"

#define POINTS_A_REQUEST 62
#define UNITS_MAXIMUM 247
#define POINTS_MAXIMUM 32768
// libmodbus waits with select, which takes no descriptor beyond.
#define STATIONS_MAXIMUM 1000
// "%.9g" of a float32, its sign and exponent, and the space.
#define VALUE_TEXT_MAXIMUM 17
#define KEEP_ALIVE_SECONDS 60

struct station {
  modbus_t *bus;
  bool is_connected;
};

struct floor {
  long stations, units, points, interval_ms, broker_port;
  struct station *all;
  struct mosquitto *client;
  bool has_connected;
  char *payload;
  uint64_t cycles, missed, failed;
};

static volatile sig_atomic_t is_ended;

static void end(int signal) {
  (void)signal;
  is_ended = 1;
}

static void make_stations(struct floor *floor, long first_port) {
  floor->all = calloc((size_t)floor->stations, sizeof *floor->all);
  floor->payload = malloc((size_t)floor->points * VALUE_TEXT_MAXIMUM);
  if (!floor->all || !floor->payload) die_errno("malloc");
  for (long i = 0; i < floor->stations; i++) {
    floor->all[i].bus = modbus_new_tcp("127.0.0.1", (int)(first_port + i));
    if (!floor->all[i].bus) die_errno("modbus_new_tcp");
    modbus_set_response_timeout(floor->all[i].bus, 1, 0);
  }
}

static bool read_device(struct floor *floor, struct station *station, size_t *used) {
  uint16_t registers[2 * POINTS_A_REQUEST];
  *used = 0;
  for (long first = 0; first < floor->points; first += POINTS_A_REQUEST) {
    long points = floor->points - first;
    if (points > POINTS_A_REQUEST) points = POINTS_A_REQUEST;
    int wanted = (int)(2 * points);
    if (modbus_read_registers(station->bus, (int)(2 * first), wanted, registers) != wanted) {
      return false;
    }
    for (long i = 0; i < points; i++) {
      *used += (size_t)sprintf(floor->payload + *used, "%.9g ",
                               (double)modbus_get_float_abcd(registers + 2 * i));
    }
  }
  *used -= 1;
  return true;
}

static void read_station(struct floor *floor, long number) {
  struct station *station = &floor->all[number];
  if (!station->is_connected) station->is_connected = !modbus_connect(station->bus);
  for (int unit = 1; station->is_connected && !is_ended && unit <= floor->units; unit++) {
    size_t used;
    modbus_set_slave(station->bus, unit);
    if (!read_device(floor, station, &used)) {
      floor->failed++;
      // A late answer would be taken for the next one's: begin anew.
      modbus_close(station->bus);
      station->is_connected = false;
      return;
    }
    char topic[48];
    snprintf(topic, sizeof topic, "floor/%ld/%d", number, unit);
    mosquitto_publish(floor->client, NULL, topic, (int)used, floor->payload, 1, false);
  }
  if (!station->is_connected && !is_ended) floor->failed++;
}

static struct mosquitto *make_client(void) {
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new("floor", false, NULL);
  if (!client) die_errno("mosquitto_new");
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  // No limit: it never waits for an acknowledgement.
  mosquitto_max_inflight_messages_set(client, 0);
  mosquitto_reconnect_delay_set(client, 1, 1, false);
  return client;
}

// The library's thread connects again by itself, but only after a first connection was begun.
static void connect_to_broker(struct floor *floor) {
  int result = mosquitto_connect_async(floor->client, "127.0.0.1", (int)floor->broker_port,
                                       KEEP_ALIVE_SECONDS);
  if (result) return;
  result = mosquitto_loop_start(floor->client);
  if (result) die("mosquitto_loop_start: %s", mosquitto_strerror(result));
  floor->has_connected = true;
}

// Sleeps until the next cycle begins; counts those that are over already.
static void wait_for_cycle(struct floor *floor, int64_t *due_ns) {
  int64_t interval_ns = floor->interval_ms * 1000000L, now = monotonic_ns();
  *due_ns += interval_ns;
  while (*due_ns + interval_ns <= now) {
    *due_ns += interval_ns;
    floor->missed++;
  }
  struct timespec due = {*due_ns / NANOSECONDS_PER_SECOND, *due_ns % NANOSECONDS_PER_SECOND};
  while (!is_ended && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
  }
}

static void run(struct floor *floor) {
  int64_t due_ns = monotonic_ns();
  while (!is_ended) {
    if (!floor->has_connected) connect_to_broker(floor);
    for (long i = 0; i < floor->stations && !is_ended; i++) read_station(floor, i);
    floor->cycles++;
    wait_for_cycle(floor, &due_ns);
  }
}

static void close_all(struct floor *floor) {
  mosquitto_disconnect(floor->client);
  if (floor->has_connected) mosquitto_loop_stop(floor->client, false);
  mosquitto_destroy(floor->client);
  mosquitto_lib_cleanup();
  for (long i = 0; i < floor->stations; i++) {
    if (floor->all[i].is_connected) modbus_close(floor->all[i].bus);
    modbus_free(floor->all[i].bus);
  }
  free(floor->all);
  free(floor->payload);
}

int main(int argc, char **argv) {
  struct floor floor = {0};
  long first_port;
  const struct option_spec options[] = {
      {"first-port", 1, 65535, &first_port, NULL},
      {"stations", 1, STATIONS_MAXIMUM, &floor.stations, NULL},
      {"units", 1, UNITS_MAXIMUM, &floor.units, NULL},
      {"points", 1, POINTS_MAXIMUM, &floor.points, NULL},
      {"interval-ms", 1, 3600000, &floor.interval_ms, NULL},
      {"broker-port", 1, 65535, &floor.broker_port, NULL}};
  read_options(argc, argv, options, sizeof options / sizeof *options);
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  make_stations(&floor, first_port);
  floor.client = make_client();
  run(&floor);
  close_all(&floor);
  printf("{\"cycles\": %llu, \"missed\": %llu, \"failed\": %llu}\n",
         (unsigned long long)floor.cycles, (unsigned long long)floor.missed,
         (unsigned long long)floor.failed);
  return 0;
}
