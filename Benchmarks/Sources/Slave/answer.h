// Modbus TCP: from the bytes of a request to those of its answer.
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "counters.h"

#define HEADER_SIZE 7
#define REGISTERS_MAXIMUM 125
// Header, function, byte count, registers.
#define ANSWER_MAXIMUM (HEADER_SIZE + 2 + 2 * REGISTERS_MAXIMUM)

// What was read, for the truth file; `count` is 0 when the answer is an exception.
struct served {
  uint8_t unit, function;
  uint16_t address, count;
};

// The size of the request that `bytes` begins with, 0 when more is needed to tell or to have it
// whole, -1 when this is not Modbus TCP.
int request_size(const uint8_t *bytes, size_t size);

// Answers one whole request; returns the size of the answer (at most ANSWER_MAXIMUM).
size_t answer(struct counters *counters, int station, const uint8_t *request, size_t size,
              uint8_t *reply, struct served *served);

#endif
