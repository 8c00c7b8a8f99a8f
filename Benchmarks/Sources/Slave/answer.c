#include "answer.h"

#include <endian.h>
#include <string.h>

enum exception {
  ILLEGAL_FUNCTION = 1,
  ILLEGAL_DATA_ADDRESS = 2,
  ILLEGAL_DATA_VALUE = 3,
  GATEWAY_TARGET_FAILED_TO_RESPOND = 11,
};

enum function { READ_HOLDING_REGISTERS = 3, READ_INPUT_REGISTERS = 4 };

static uint16_t word(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static void put_word(uint8_t *bytes, size_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

int request_size(const uint8_t *bytes, size_t size) {
  if (size < HEADER_SIZE + 1) return 0;
  size_t length = word(bytes + 4);
  // Unit and function at least; an application data unit has at most 260 bytes.
  if (word(bytes + 2) != 0 || length < 2 || length > 254) return -1;
  return size < 6 + length ? 0 : (int)(6 + length);
}

static int exception_of(const struct counters *counters, const uint8_t *request, size_t size) {
  uint8_t unit = request[6], function = request[7];
  if (unit < 1 || unit > counters->units) return GATEWAY_TARGET_FAILED_TO_RESPOND;
  if (function != READ_HOLDING_REGISTERS && function != READ_INPUT_REGISTERS) {
    return ILLEGAL_FUNCTION;
  }
  if (size != 12) return ILLEGAL_DATA_VALUE;
  uint16_t address = word(request + 8), count = word(request + 10);
  if (count < 1 || count > REGISTERS_MAXIMUM || count % 2) return ILLEGAL_DATA_VALUE;
  if (address % 2 || address + count > 2 * PAIRS_A_UNIT) return ILLEGAL_DATA_ADDRESS;
  return 0;
}

static void put_values(uint8_t *bytes, uint32_t *counters, size_t pairs) {
  for (size_t i = 0; i < pairs; i++) {
    // High word first, each word big-endian: a big-endian float.
    float value = (float)++counters[i];
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = htobe32(bits);
    memcpy(bytes + 4 * i, &bits, sizeof bits);
  }
}

size_t answer(struct counters *counters, int station, const uint8_t *request, size_t size,
              uint8_t *reply, struct served *served) {
  memcpy(reply, request, HEADER_SIZE + 1);
  int exception = exception_of(counters, request, size);
  if (exception) {
    served->count = 0;
    put_word(reply + 4, 3);
    reply[7] |= 0x80;
    reply[8] = (uint8_t)exception;
    return HEADER_SIZE + 2;
  }
  *served = (struct served){request[6], request[7], word(request + 8), word(request + 10)};
  put_word(reply + 4, 3 + 2u * served->count);
  reply[8] = (uint8_t)(2 * served->count);
  uint32_t *device = counters_of(counters, station, served->unit);
  put_values(reply + 9, device + served->address / 2, served->count / 2);
  return HEADER_SIZE + 2 + 2u * served->count;
}
