// Nothing but libmodbus: reads each unit at each of some stations in turn, at a pace or as fast as it
// can, and tells what a request cost. The floor under the agent's cost of one request.
#define _GNU_SOURCE
#include <errno.h>
#include <modbus/modbus.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "recording.h"

#define REGISTERS_MAXIMUM 125
#define STATIONS_MAXIMUM 256

static modbus_t *connect_to(long port) {
  modbus_t *bus = modbus_new_tcp("127.0.0.1", (int)port);
  if (!bus || modbus_connect(bus)) die_errno("modbus_connect");
  return bus;
}

static void read_all(modbus_t *bus, long units, int registers, uint16_t *values) {
  for (int unit = 1; unit <= units; unit++) {
    modbus_set_slave(bus, unit);
    if (modbus_read_registers(bus, 0, registers, values) != registers) {
      die_errno("modbus_read_registers");
    }
  }
}

int main(int argc, char **argv) {
  long first_port, stations, units, registers, interval_us, seconds;
  const struct option_spec options[] = {
      {"first-port", 1, 65535, &first_port, NULL},
      {"stations", 1, STATIONS_MAXIMUM, &stations, NULL},
      {"units", 1, 247, &units, NULL},
      {"registers", 1, REGISTERS_MAXIMUM, &registers, NULL},
      // 0: without a pause.
      {"interval-us", 0, 60000000, &interval_us, NULL},
      {"seconds", 1, 3600, &seconds, NULL}};
  read_options(argc, argv, options, sizeof options / sizeof *options);
  signal(SIGPIPE, SIG_IGN);
  modbus_t *buses[STATIONS_MAXIMUM];
  for (long i = 0; i < stations; i++) buses[i] = connect_to(first_port + i);

  uint16_t values[REGISTERS_MAXIMUM];
  uint64_t requests = 0, sum = 0;
  double cpu_before = cpu_seconds();
  int64_t begin_ns = monotonic_ns(), due_ns = begin_ns;
  int64_t end_ns = begin_ns + seconds * NANOSECONDS_PER_SECOND;
  while (monotonic_ns() < end_ns) {
    for (long i = 0; i < stations; i++) {
      read_all(buses[i], units, (int)registers, values);
      sum += values[0];
      requests += (uint64_t)units;
    }
    if (!interval_us) continue;
    due_ns += interval_us * 1000;
    struct timespec due = {due_ns / NANOSECONDS_PER_SECOND, due_ns % NANOSECONDS_PER_SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
  }
  double cpu = cpu_seconds() - cpu_before;
  double elapsed = (double)(monotonic_ns() - begin_ns) / 1e9;
  for (long i = 0; i < stations; i++) {
    modbus_close(buses[i]);
    modbus_free(buses[i]);
  }
  // `sum` is printed so that the values are really read.
  printf("{\"requests\": %llu, \"requests_s\": %.1f, \"cpu_us_request\": %.3f, \"sum\": %llu}\n",
         (unsigned long long)requests, (double)requests / elapsed, cpu * 1e6 / (double)requests,
         (unsigned long long)sum);
  return 0;
}
