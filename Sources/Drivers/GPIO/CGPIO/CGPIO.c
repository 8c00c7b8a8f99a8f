#define _GNU_SOURCE
#include "CGPIO.h"

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <stdlib.h>
#include <string.h>

// Neither version says in its header which it is; this macro is 1.x's alone.
#if defined(GPIOD_LINE_BULK_MAX_LINES)
#define IS_V1 1
#else
#define IS_V1 0
#endif

int CGPIO_header_major(void) { return IS_V1 ? 1 : 2; }

static void copy_name(char *to, const char *from) {
  memset(to, 0, CGPIO_NAME_SIZE);
  if (from != NULL) strncpy(to, from, CGPIO_NAME_SIZE - 1);
}

// A read that finds nothing must not wait: one thread serves all lines.
static int make_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

#if IS_V1

const char *CGPIO_library_version(void) { return gpiod_version_string(); }

CGPIO_chip *CGPIO_chip_open(const char *path) { return (CGPIO_chip *)gpiod_chip_open(path); }

void CGPIO_chip_close(CGPIO_chip *chip) { gpiod_chip_close((struct gpiod_chip *)chip); }

int CGPIO_chip_info(CGPIO_chip *opaque, struct CGPIO_chip_info *info) {
  struct gpiod_chip *chip = (struct gpiod_chip *)opaque;
  copy_name(info->name, gpiod_chip_name(chip));
  copy_name(info->label, gpiod_chip_label(chip));
  info->line_count = gpiod_chip_num_lines(chip);
  return 0;
}

int CGPIO_chip_line_info(CGPIO_chip *chip, uint32_t offset, struct CGPIO_line_info *info) {
  struct gpiod_line *line = gpiod_chip_get_line((struct gpiod_chip *)chip, offset);
  if (line == NULL) return -1;
  copy_name(info->name, gpiod_line_name(line));
  copy_name(info->consumer, gpiod_line_consumer(line));
  info->is_used = gpiod_line_is_used(line);
  info->is_output = gpiod_line_direction(line) == GPIOD_LINE_DIRECTION_OUTPUT;
  return 0;
}

struct CGPIO_line {
  struct gpiod_chip *chip;  // A line lives no longer than its chip.
  struct gpiod_line *line;
};

static int flags_of(const struct CGPIO_request *request) {
  int flags = request->is_active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
  switch (request->bias) {
    case CGPIO_BIAS_AS_IS: return flags;
    case CGPIO_BIAS_NONE: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE;
    case CGPIO_BIAS_PULL_UP: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP;
    case CGPIO_BIAS_PULL_DOWN: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN;
  }
  return flags;
}

CGPIO_line *CGPIO_line_open(const char *path, const struct CGPIO_request *request) {
  if (request->debounce_us > 0) {
    errno = ENOTSUP;
    return NULL;
  }
  CGPIO_line *line = calloc(1, sizeof *line);
  if (line == NULL) return NULL;
  line->chip = gpiod_chip_open(path);
  if (line->chip == NULL) goto failed;
  line->line = gpiod_chip_get_line(line->chip, request->offset);
  if (line->line == NULL) goto failed;
  int flags = flags_of(request);
  int result =
      request->has_edges
          ? gpiod_line_request_both_edges_events_flags(line->line, request->consumer, flags)
          : gpiod_line_request_input_flags(line->line, request->consumer, flags);
  if (result == -1) goto failed;
  if (request->has_edges && make_nonblocking(gpiod_line_event_get_fd(line->line)) == -1) {
    goto failed;
  }
  return line;
failed:;
  int error = errno;
  CGPIO_line_close(line);
  errno = error;
  return NULL;
}

void CGPIO_line_close(CGPIO_line *line) {
  // Releases its lines.
  if (line->chip != NULL) gpiod_chip_close(line->chip);
  free(line);
}

int CGPIO_line_descriptor(CGPIO_line *line) { return gpiod_line_event_get_fd(line->line); }

int CGPIO_line_value(CGPIO_line *line) { return gpiod_line_get_value(line->line); }

int CGPIO_line_read(CGPIO_line *line, struct CGPIO_edge *edges, size_t size) {
  struct gpiod_line_event events[CGPIO_QUEUE_V1];
  size_t wanted = size < CGPIO_QUEUE_V1 ? size : CGPIO_QUEUE_V1;
  int count = gpiod_line_event_read_multiple(line->line, events, wanted);
  if (count == -1) return errno == EAGAIN ? 0 : -1;
  for (int index = 0; index < count; index++) {
    const struct gpiod_line_event *event = &events[index];
    edges[index] = (struct CGPIO_edge){
        .nanoseconds = (int64_t)event->ts.tv_sec * 1000000000 + event->ts.tv_nsec,
        .is_rising = event->event_type == GPIOD_LINE_EVENT_RISING_EDGE,
    };
  }
  return count;
}

#else

const char *CGPIO_library_version(void) { return gpiod_api_version(); }

CGPIO_chip *CGPIO_chip_open(const char *path) { return (CGPIO_chip *)gpiod_chip_open(path); }

void CGPIO_chip_close(CGPIO_chip *chip) { gpiod_chip_close((struct gpiod_chip *)chip); }

int CGPIO_chip_info(CGPIO_chip *chip, struct CGPIO_chip_info *info) {
  struct gpiod_chip_info *found = gpiod_chip_get_info((struct gpiod_chip *)chip);
  if (found == NULL) return -1;
  copy_name(info->name, gpiod_chip_info_get_name(found));
  copy_name(info->label, gpiod_chip_info_get_label(found));
  info->line_count = (uint32_t)gpiod_chip_info_get_num_lines(found);
  gpiod_chip_info_free(found);
  return 0;
}

int CGPIO_chip_line_info(CGPIO_chip *chip, uint32_t offset, struct CGPIO_line_info *info) {
  struct gpiod_line_info *found = gpiod_chip_get_line_info((struct gpiod_chip *)chip, offset);
  if (found == NULL) return -1;
  copy_name(info->name, gpiod_line_info_get_name(found));
  copy_name(info->consumer, gpiod_line_info_get_consumer(found));
  info->is_used = gpiod_line_info_is_used(found);
  info->is_output = gpiod_line_info_get_direction(found) == GPIOD_LINE_DIRECTION_OUTPUT;
  gpiod_line_info_free(found);
  return 0;
}

struct CGPIO_line {
  struct gpiod_line_request *request;
  struct gpiod_edge_event_buffer *buffer;
  uint32_t offset;
};

static enum gpiod_line_bias bias_of(const struct CGPIO_request *request) {
  switch (request->bias) {
    case CGPIO_BIAS_AS_IS: return GPIOD_LINE_BIAS_AS_IS;
    case CGPIO_BIAS_NONE: return GPIOD_LINE_BIAS_DISABLED;
    case CGPIO_BIAS_PULL_UP: return GPIOD_LINE_BIAS_PULL_UP;
    case CGPIO_BIAS_PULL_DOWN: return GPIOD_LINE_BIAS_PULL_DOWN;
  }
  return GPIOD_LINE_BIAS_AS_IS;
}

// The library copies what it is given, so all of it is freed again.
static struct gpiod_line_request *request_line(
    struct gpiod_chip *chip, const struct CGPIO_request *request) {
  struct gpiod_line_request *result = NULL;
  struct gpiod_line_settings *settings = gpiod_line_settings_new();
  struct gpiod_line_config *lines = gpiod_line_config_new();
  struct gpiod_request_config *config = gpiod_request_config_new();
  if (settings == NULL || lines == NULL || config == NULL) {
    errno = ENOMEM;
    goto done;
  }
  enum gpiod_line_edge edges = request->has_edges ? GPIOD_LINE_EDGE_BOTH : GPIOD_LINE_EDGE_NONE;
  gpiod_line_settings_set_active_low(settings, request->is_active_low);
  gpiod_line_settings_set_debounce_period_us(settings, request->debounce_us);
  if (gpiod_line_settings_set_direction(settings, GPIOD_LINE_DIRECTION_INPUT) == -1 ||
      gpiod_line_settings_set_edge_detection(settings, edges) == -1 ||
      gpiod_line_settings_set_bias(settings, bias_of(request)) == -1 ||
      gpiod_line_config_add_line_settings(lines, &request->offset, 1, settings) == -1) {
    goto done;
  }
  gpiod_request_config_set_consumer(config, request->consumer);
  gpiod_request_config_set_event_buffer_size(config, request->queue_size);
  result = gpiod_chip_request_lines(chip, config, lines);
done:;
  int error = errno;
  if (config != NULL) gpiod_request_config_free(config);
  if (lines != NULL) gpiod_line_config_free(lines);
  if (settings != NULL) gpiod_line_settings_free(settings);
  errno = error;
  return result;
}

CGPIO_line *CGPIO_line_open(const char *path, const struct CGPIO_request *request) {
  struct gpiod_chip *chip = NULL;
  CGPIO_line *line = calloc(1, sizeof *line);
  if (line == NULL) return NULL;
  line->offset = request->offset;
  if (request->has_edges) {
    line->buffer = gpiod_edge_event_buffer_new(CGPIO_READ_MAX);
    if (line->buffer == NULL) goto failed;
  }
  chip = gpiod_chip_open(path);
  if (chip == NULL) goto failed;
  line->request = request_line(chip, request);
  if (line->request == NULL) goto failed;
  if (make_nonblocking(gpiod_line_request_get_fd(line->request)) == -1) goto failed;
  gpiod_chip_close(chip);
  return line;
failed:;
  int error = errno;
  if (chip != NULL) gpiod_chip_close(chip);
  CGPIO_line_close(line);
  errno = error;
  return NULL;
}

void CGPIO_line_close(CGPIO_line *line) {
  if (line->request != NULL) gpiod_line_request_release(line->request);
  if (line->buffer != NULL) gpiod_edge_event_buffer_free(line->buffer);
  free(line);
}

int CGPIO_line_descriptor(CGPIO_line *line) { return gpiod_line_request_get_fd(line->request); }

int CGPIO_line_value(CGPIO_line *line) {
  return gpiod_line_request_get_value(line->request, line->offset);
}

int CGPIO_line_read(CGPIO_line *line, struct CGPIO_edge *edges, size_t size) {
  size_t wanted = size < CGPIO_READ_MAX ? size : CGPIO_READ_MAX;
  int count = gpiod_line_request_read_edge_events(line->request, line->buffer, wanted);
  if (count == -1) return errno == EAGAIN ? 0 : -1;
  for (int index = 0; index < count; index++) {
    struct gpiod_edge_event *event =
        gpiod_edge_event_buffer_get_event(line->buffer, (unsigned long)index);
    edges[index] = (struct CGPIO_edge){
        .nanoseconds = (int64_t)gpiod_edge_event_get_timestamp_ns(event),
        .sequence = (uint32_t)gpiod_edge_event_get_line_seqno(event),
        .is_rising =
            gpiod_edge_event_get_event_type(event) == GPIOD_EDGE_EVENT_RISING_EDGE,
    };
  }
  return count;
}

#endif
