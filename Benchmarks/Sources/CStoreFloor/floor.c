#include "CStoreFloor.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { record_bytes = 100, page_bytes = 4096, fill_bytes = 1 << 20 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int write_at(int descriptor, const char *bytes, size_t count, off_t offset) {
  while (count > 0) {
    ssize_t written = pwrite(descriptor, bytes, count, offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    bytes += written;
    count -= (size_t)written;
    offset += written;
  }
  return 0;
}

static int make_file(const char *path, long bytes) {
  int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return -1;
  static char zeros[fill_bytes];
  for (long done = 0; done < bytes; done += fill_bytes) {
    long count = bytes - done < fill_bytes ? bytes - done : fill_bytes;
    if (write_at(descriptor, zeros, (size_t)count, done) != 0) goto failed;
  }
  if (fsync(descriptor) == 0) return descriptor;
failed:
  close(descriptor);
  return -1;
}

double CStoreFloor_append(
    const char *path, long records, long group, int is_synced, int is_filled) {
  int descriptor = make_file(path, is_filled ? records * record_bytes : 0);
  char *buffer = malloc((size_t)(group * record_bytes));
  if (descriptor < 0 || buffer == NULL) return -1;
  char record[record_bytes] = {0};
  double begin = now();
  off_t offset = 0;
  for (long done = 0; done < records; done += group) {
    for (long index = 0; index < group; index++) {
      long number = done + index;
      memcpy(record, &number, sizeof number);
      memcpy(buffer + index * record_bytes, record, record_bytes);
    }
    size_t count = (size_t)(group * record_bytes);
    if (write_at(descriptor, buffer, count, offset) != 0) return -1;
    if (is_synced && fdatasync(descriptor) != 0) return -1;
    offset += (off_t)count;
  }
  double seconds = now() - begin;
  free(buffer);
  close(descriptor);
  return seconds;
}

double CStoreFloor_sqlite(const char *path, long rows, long group, int is_synced) {
  sqlite3 *base;
  sqlite3_stmt *insert = NULL;
  double seconds = -1;
  if (sqlite3_open(path, &base) != SQLITE_OK) goto done;
  const char *setup = is_synced ? "pragma journal_mode=wal; pragma synchronous=full;"
                                : "pragma journal_mode=wal; pragma synchronous=off;";
  const char *table = "create table sample (point integer, time integer, value real)";
  if (sqlite3_exec(base, setup, NULL, NULL, NULL) != SQLITE_OK) goto done;
  if (sqlite3_exec(base, table, NULL, NULL, NULL) != SQLITE_OK) goto done;
  if (sqlite3_prepare_v2(base, "insert into sample values (?, ?, ?)", -1, &insert, NULL) !=
      SQLITE_OK) {
    goto done;
  }
  double begin = now();
  for (long done = 0; done < rows; done += group) {
    if (sqlite3_exec(base, "begin", NULL, NULL, NULL) != SQLITE_OK) goto done;
    for (long index = 0; index < group; index++) {
      sqlite3_bind_int64(insert, 1, index);
      sqlite3_bind_int64(insert, 2, 1000 * (done / group));
      sqlite3_bind_double(insert, 3, (double)(float)((double)(done + index) * 0.37));
      if (sqlite3_step(insert) != SQLITE_DONE) goto done;
      sqlite3_reset(insert);
    }
    if (sqlite3_exec(base, "commit", NULL, NULL, NULL) != SQLITE_OK) goto done;
  }
  seconds = now() - begin;
done:
  sqlite3_finalize(insert);
  sqlite3_close(base);
  return seconds;
}

int CStoreFloor_open_pages(const char *path, long pages) {
  return make_file(path, pages * page_bytes);
}

double CStoreFloor_sync_page(int descriptor, long number) {
  char page[page_bytes];
  memset(page, (int)(number & 0x7F) + 1, sizeof page);
  double begin = now();
  if (write_at(descriptor, page, sizeof page, number * page_bytes) != 0) return -1;
  if (fdatasync(descriptor) != 0) return -1;
  return now() - begin;
}
