#pragma once

#include <stdint.h>

// What one thread asked of the heap between begin and end.
struct CAllocations_tally {
  // Calls that returned memory: malloc, calloc, realloc, posix_memalign, aligned_alloc.
  uint64_t allocations;
  // What they were asked for, not what they were given.
  uint64_t bytes;
};

// Begins to count the calling thread's allocations, from zero.
void CAllocations_begin(void);

// Ends it and returns what was counted.
struct CAllocations_tally CAllocations_end(void);
