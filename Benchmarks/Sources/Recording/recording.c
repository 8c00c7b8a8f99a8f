#define _GNU_SOURCE
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

int64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

double cpu_seconds(void) { return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9; }

void die_errno(const char *what) { die("%s: %s", what, strerror(errno)); }

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "%s: ", program_invocation_short_name);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static _Noreturn void usage(const struct option_spec *specs, size_t count) {
  fprintf(stderr, "usage: %s", program_invocation_short_name);
  for (size_t i = 0; i < count; i++) {
    fprintf(stderr, specs[i].number ? " --%s N" : " --%s TEXT", specs[i].name);
  }
  fputc('\n', stderr);
  exit(64);
}

static void read_option(const struct option_spec *spec, const char *text) {
  if (!spec->number) {
    *spec->text = text;
    return;
  }
  char *end;
  errno = 0;
  *spec->number = strtol(text, &end, 10);
  if (errno || end == text || *end || *spec->number < spec->minimum ||
      *spec->number > spec->maximum) {
    die("--%s is %s, expected %ld to %ld", spec->name, text, spec->minimum, spec->maximum);
  }
}

void read_options(int argc, char **argv, const struct option_spec *specs, size_t count) {
  uint64_t seen = 0;
  for (int i = 1; i < argc; i += 2) {
    size_t found = 0;
    while (found < count &&
           (strncmp(argv[i], "--", 2) || strcmp(argv[i] + 2, specs[found].name))) {
      found++;
    }
    if (found == count || i + 1 == argc) usage(specs, count);
    read_option(&specs[found], argv[i + 1]);
    seen |= 1ull << found;
  }
  if (seen != (1ull << count) - 1) usage(specs, count);
}

void recording_open(struct recording *recording, const char *path) {
  recording->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (recording->fd < 0) die_errno(path);
  recording->used = 0;
  recording->capacity = RECORDING_MAXIMUM;
  recording->bytes = malloc(recording->capacity);
  if (!recording->bytes) die_errno("malloc");
}

uint8_t *recording_add(struct recording *recording, size_t size) {
  if (size > recording->capacity) die("a record of %zu bytes", size);
  if (size > recording->capacity - recording->used) recording_flush(recording);
  uint8_t *room = recording->bytes + recording->used;
  recording->used += size;
  return room;
}

void recording_flush(struct recording *recording) {
  size_t written = 0;
  while (written < recording->used) {
    ssize_t count =
        write(recording->fd, recording->bytes + written, recording->used - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) die_errno("write");
    written += (size_t)count;
  }
  recording->used = 0;
}

void recording_close(struct recording *recording) {
  recording_flush(recording);
  close(recording->fd);
  free(recording->bytes);
}
