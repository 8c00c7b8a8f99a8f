#ifndef CSTOREFLOOR_H
#define CSTOREFLOOR_H

// What the store is compared with. Each function returns seconds, or -1 with errno set.

/// Appends `records` of 100 bytes to a new file, `group` of them with one write, and with
/// `is_synced` an fdatasync after each. With `is_filled` the file was zero-filled and synced before.
double CStoreFloor_append(
    const char *path, long records, long group, int is_synced, int is_filled);

/// Inserts `rows` of point, time and value into a new SQLite database in WAL mode, `group` in a
/// transaction; with `is_synced` each transaction is durable (synchronous=FULL).
double CStoreFloor_sqlite(const char *path, long rows, long group, int is_synced);

/// Makes a zero-filled file of `pages`, synced; returns its descriptor, or -1.
int CStoreFloor_open_pages(const char *path, long pages);

/// Writes 4 KiB at page `number` and syncs them.
double CStoreFloor_sync_page(int descriptor, long number);

#endif
