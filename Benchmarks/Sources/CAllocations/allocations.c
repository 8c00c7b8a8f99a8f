// The heap functions of the C library, with a count in front. A program that links this uses them
// everywhere, shared libraries included: the dynamic linker looks in the program first. glibc only,
// because it offers its own functions under second names.

#include "CAllocations.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static _Thread_local bool is_counting;
static _Thread_local struct CAllocations_tally tally;

static void *counted(void *memory, size_t bytes) {
  if (is_counting && memory) {
    tally.allocations += 1;
    tally.bytes += bytes;
  }
  return memory;
}

void CAllocations_begin(void) {
  tally = (struct CAllocations_tally){0, 0};
  is_counting = true;
}

struct CAllocations_tally CAllocations_end(void) {
  is_counting = false;
  return tally;
}

void *malloc(size_t size) { return counted(__libc_malloc(size), size); }

void *calloc(size_t count, size_t size) {
  return counted(__libc_calloc(count, size), count * size);
}

void *realloc(void *memory, size_t size) {
  return counted(__libc_realloc(memory, size), size);
}

void *memalign(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) || (alignment & (alignment - 1)) || !alignment) return EINVAL;
  void *memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void *memory) { __libc_free(memory); }
