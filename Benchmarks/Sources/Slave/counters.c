#include "counters.h"

#include <stdlib.h>

#include "recording.h"

void counters_make(struct counters *counters, long stations, long units) {
  counters->stations = stations;
  counters->units = units;
  counters->of_device = calloc((size_t)(stations * units), sizeof(uint32_t *));
  if (!counters->of_device) die_errno("calloc");
}

uint32_t *counters_of(struct counters *counters, int station, int unit) {
  uint32_t **device = &counters->of_device[station * counters->units + unit - 1];
  if (!*device) {
    // Of the 128 KiB only the pages that are read take memory.
    *device = calloc(PAIRS_A_UNIT, sizeof(uint32_t));
    if (!*device) die_errno("calloc");
  }
  return *device;
}
