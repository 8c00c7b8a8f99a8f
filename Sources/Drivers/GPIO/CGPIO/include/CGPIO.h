#ifndef CGPIO_H
#define CGPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One face of libgpiod 1.x and 2.x, whose functions have little in common; which of them it is, is
// decided by the header that this is compiled with. Functions that fail return NULL or -1 and leave
// errno set.

// The major version of the header: 1 or 2.
int CGPIO_header_major(void);
// The version of the library that the program runs with, such as "1.6.3".
const char *CGPIO_library_version(void);

// Names of the kernel, which cuts them at 31 bytes.
#define CGPIO_NAME_SIZE 32

typedef struct CGPIO_chip CGPIO_chip;

struct CGPIO_chip_info {
  char name[CGPIO_NAME_SIZE];
  char label[CGPIO_NAME_SIZE];
  uint32_t line_count;
};

struct CGPIO_line_info {
  char name[CGPIO_NAME_SIZE];
  char consumer[CGPIO_NAME_SIZE];
  bool is_used;
  bool is_output;
};

CGPIO_chip *CGPIO_chip_open(const char *path);
void CGPIO_chip_close(CGPIO_chip *chip);
int CGPIO_chip_info(CGPIO_chip *chip, struct CGPIO_chip_info *info);
int CGPIO_chip_line_info(CGPIO_chip *chip, uint32_t offset, struct CGPIO_line_info *info);

typedef struct CGPIO_line CGPIO_line;

enum CGPIO_bias {
  CGPIO_BIAS_AS_IS,
  CGPIO_BIAS_NONE,
  CGPIO_BIAS_PULL_UP,
  CGPIO_BIAS_PULL_DOWN
};

struct CGPIO_request {
  const char *consumer;
  uint32_t offset;
  bool is_active_low;
  // Whether both edges are to be told; the line's descriptor is readable when there are some.
  bool has_edges;
  enum CGPIO_bias bias;
  // By the kernel; fails with ENOTSUP in 1.x, whose interface has no debounce. 0: none.
  uint32_t debounce_us;
  // How many edges the kernel is to keep at least; 1.x always has 16.
  uint32_t queue_size;
};

struct CGPIO_edge {
  int64_t nanoseconds;
  // Of this line's edges, from 1 on; 0 in 1.x, whose interface has none.
  uint32_t sequence;
  bool is_rising;
};

// The most edges that one read gives.
#define CGPIO_READ_MAX 64
// How many edges of a line the kernel keeps with 1.x; what comes then, it drops.
#define CGPIO_QUEUE_V1 16

// Opens the chip at `path` and requests a line of it as input.
CGPIO_line *CGPIO_line_open(const char *path, const struct CGPIO_request *request);
// Gives the line and its descriptors back.
void CGPIO_line_close(CGPIO_line *line);
// The descriptor to poll; only of lines with edges. It belongs to the line.
int CGPIO_line_descriptor(CGPIO_line *line);
// 1 while the line is active, 0 while it is not.
int CGPIO_line_value(CGPIO_line *line);
// Reads edges without waiting; how many there were, at most `size` and CGPIO_READ_MAX.
int CGPIO_line_read(CGPIO_line *line, struct CGPIO_edge *edges, size_t size);

#endif
