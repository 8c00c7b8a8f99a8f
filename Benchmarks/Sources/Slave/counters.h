// How often each pair of registers was read, by station and unit.
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

#define UNITS_MAXIMUM 247
#define PAIRS_A_UNIT 32768

struct counters {
  long stations, units;
  uint32_t **of_device;
};

void counters_make(struct counters *counters, long stations, long units);
// The counters of a device, PAIRS_A_UNIT of them; made when first asked for.
uint32_t *counters_of(struct counters *counters, int station, int unit);

#endif
