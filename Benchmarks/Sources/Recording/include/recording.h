// What the programs of the load have in common: clocks, options, a file of records.
#ifndef RECORDING_H
#define RECORDING_H

#include <stddef.h>
#include <stdint.h>

#define NANOSECONDS_PER_SECOND 1000000000LL
// How long a record may wait in memory.
#define FLUSH_INTERVAL_MS 100

// CLOCK_MONOTONIC.
int64_t monotonic_ns(void);
// CPU time of this process, all its threads.
double cpu_seconds(void);

// Ends the program with a message in the manner of perror, or of printf.
_Noreturn void die_errno(const char *what);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// One `--name VALUE` of a command line. Give `number` or `text`; all options are required.
struct option_spec {
  const char *name;
  long minimum, maximum;
  long *number;
  const char **text;
};

// Reads the whole command line; ends the program with a usage line where it is wrong.
void read_options(int argc, char **argv, const struct option_spec *specs, size_t count);

// A file written in large pieces: adding a record is no system call until the buffer is full.
struct recording {
  int fd;
  size_t used, capacity;
  uint8_t *bytes;
};

void recording_open(struct recording *recording, const char *path);
// Room for `size` bytes (at most RECORDING_MAXIMUM) at the end.
uint8_t *recording_add(struct recording *recording, size_t size);
void recording_flush(struct recording *recording);
void recording_close(struct recording *recording);

// MQTT's largest packet is 256 MiB; nothing here comes near this.
#define RECORDING_MAXIMUM (4u << 20)

#endif
