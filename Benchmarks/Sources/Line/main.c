// Slaves on a serial line that is as slow as a real one: a pseudo-terminal whose bytes go by in the
// time that they take on a wire. Each request is answered 3.5 characters and the slave's delay after
// its last bit; a register holds how many requests there have been.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "recording.h"

#define REQUEST_SIZE 8
#define ANSWER_OVERHEAD 5
#define REGISTERS_MAXIMUM 125
#define BITS_A_CHARACTER 11
// What a UART hands over at once.
#define PIECE 8
// A request may come so much before the line has been silent for 3.5 characters: clocks of two
// processes.
#define SILENCE_TOLERANCE_NS 200000

struct line {
  int controller;
  int64_t character_ns, silence_ns, delay_ns;
  long units, dead;
  FILE *records;
  uint64_t requests, answered, early;
  // When the last bit was on the line.
  int64_t busy_until_ns;
};

static volatile sig_atomic_t is_ended;

static void end(int signal) {
  (void)signal;
  is_ended = 1;
}

static uint16_t checksum(const uint8_t *bytes, size_t size) {
  uint16_t value = 0xFFFF;
  for (size_t i = 0; i < size; i++) {
    value ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xA001 : value >> 1;
  }
  return value;
}

static void put_checksum(uint8_t *bytes, size_t size) {
  uint16_t value = checksum(bytes, size);
  bytes[size] = (uint8_t)value;
  bytes[size + 1] = (uint8_t)(value >> 8);
}

static void sleep_until(int64_t time_ns) {
  struct timespec due = {time_ns / NANOSECONDS_PER_SECOND, time_ns % NANOSECONDS_PER_SECOND};
  while (!is_ended && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
  }
}

static int open_terminal(const char *link) {
  int controller = posix_openpt(O_RDWR | O_NOCTTY);
  if (controller < 0 || grantpt(controller) || unlockpt(controller)) die_errno("posix_openpt");
  const char *path = ptsname(controller);
  // Kept open: the terminal is never hung up, whoever comes and goes at its other end.
  int device = open(path, O_RDWR | O_NOCTTY);
  struct termios settings;
  if (device < 0 || tcgetattr(device, &settings)) die_errno(path);
  cfmakeraw(&settings);
  // A speed that nobody asks for: glibc takes it for an error if parity, which no pseudo-terminal
  // has, is the only change that is asked for.
  cfsetspeed(&settings, B50);
  if (tcsetattr(device, TCSANOW, &settings)) die_errno("tcsetattr");
  unlink(link);
  if (symlink(path, link)) die_errno(link);
  return controller;
}

static size_t make_answer(struct line *line, const uint8_t *request, uint8_t *answer) {
  size_t count = (size_t)(request[4] << 8 | request[5]);
  if (request[1] != 3 && request[1] != 4) die("function %d is not known here", request[1]);
  if (count < 1 || count > REGISTERS_MAXIMUM) die("%zu registers were asked for", count);
  answer[0] = request[0];
  answer[1] = request[1];
  answer[2] = (uint8_t)(2 * count);
  for (size_t i = 0; i < count; i++) {
    answer[3 + 2 * i] = (uint8_t)(line->requests >> 8);
    answer[4 + 2 * i] = (uint8_t)line->requests;
  }
  put_checksum(answer, 3 + 2 * count);
  return ANSWER_OVERHEAD + 2 * count;
}

static void serve(struct line *line, const uint8_t *request, int64_t arrival_ns) {
  line->requests++;
  bool is_early = arrival_ns < line->busy_until_ns + line->silence_ns - SILENCE_TOLERANCE_NS;
  line->early += is_early;
  bool answers = request[0] >= 1 && request[0] <= line->units && request[0] != line->dead;
  // The request's first bit began when it came.
  line->busy_until_ns = arrival_ns + REQUEST_SIZE * line->character_ns;
  if (answers) {
    uint8_t answer[ANSWER_OVERHEAD + 2 * REGISTERS_MAXIMUM];
    size_t size = make_answer(line, request, answer), sent = 0;
    int64_t start_ns = line->busy_until_ns + line->silence_ns + line->delay_ns;
    while (sent < size && !is_ended) {
      size_t piece = size - sent < PIECE ? size - sent : PIECE;
      sleep_until(start_ns + (int64_t)(sent + piece) * line->character_ns);
      if (write(line->controller, answer + sent, piece) < 0) die_errno("write");
      sent += piece;
    }
    line->busy_until_ns = start_ns + (int64_t)size * line->character_ns;
    line->answered++;
  }
  fprintf(line->records, "%lld %d %d %d\n", (long long)arrival_ns, request[0], answers, is_early);
}

static void run(struct line *line) {
  uint8_t received[REQUEST_SIZE];
  size_t used = 0;
  while (!is_ended) {
    struct pollfd entry = {.fd = line->controller, .events = POLLIN};
    if (poll(&entry, 1, 500) <= 0) continue;
    ssize_t count = read(line->controller, received + used, sizeof received - used);
    if (count < 0 && errno != EINTR) die_errno("read");
    used += count > 0 ? (size_t)count : 0;
    if (used < sizeof received) continue;
    used = 0;
    if (checksum(received, sizeof received)) die("a request with a wrong checksum");
    serve(line, received, monotonic_ns());
  }
}

int main(int argc, char **argv) {
  long baud, delay_us;
  const char *link, *records;
  struct line line = {0};
  const struct option_spec options[] = {{"link", 0, 0, NULL, &link},
                                        {"baud", 300, 921600, &baud, NULL},
                                        {"units", 1, 247, &line.units, NULL},
                                        {"dead", 0, 247, &line.dead, NULL},
                                        {"delay-us", 0, 1000000, &delay_us, NULL},
                                        {"records", 0, 0, NULL, &records}};
  read_options(argc, argv, options, sizeof options / sizeof *options);
  line.character_ns = BITS_A_CHARACTER * NANOSECONDS_PER_SECOND / baud;
  // 1.75 ms above 19,200 Bd (Modbus over serial line V1.02, section 2.5.1.1).
  line.silence_ns = baud > 19200 ? 1750000 : line.character_ns * 7 / 2;
  line.delay_ns = delay_us * 1000;
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  line.records = fopen(records, "w");
  if (!line.records) die_errno(records);
  line.controller = open_terminal(link);
  puts("ready");
  fflush(stdout);
  run(&line);
  fclose(line.records);
  unlink(link);
  printf("{\"requests\": %llu, \"answered\": %llu, \"early\": %llu, \"cpu_seconds\": %.6f}\n",
         (unsigned long long)line.requests, (unsigned long long)line.answered,
         (unsigned long long)line.early, cpu_seconds());
  return 0;
}
