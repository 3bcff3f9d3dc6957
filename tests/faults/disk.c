/* Preloaded before libc: writes down what is written to a disk, or has every write fail.
 *
 * CAPI_DISK_NAME   part of the names of the files that are meant
 * CAPI_DISK_TRACE  where records go: operation, length of the name, offset, length, name, data
 * CAPI_DISK_FAIL   while this file exists, writes and syncs fail with EIO
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct record {
    int32_t operation, name;
    int64_t offset, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_meant(int descriptor, char *name, size_t size) {
    char link[64];
    const char *part = getenv("CAPI_DISK_NAME");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = part ? readlink(link, name, size - 1) : -1;
    if (length < 0)
        return 0;
    name[length] = 0;
    return strstr(name, part) != NULL;
}

static int happens(int operation, int descriptor, const void *data, int64_t length, int64_t offset) {
    static int trace = -1;
    char name[4096];
    if (!is_meant(descriptor, name, sizeof name))
        return 0;
    const char *fail = getenv("CAPI_DISK_FAIL");
    if (fail && access(fail, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    const char *path = getenv("CAPI_DISK_TRACE");
    if (!path)
        return 0;
    pthread_mutex_lock(&lock);
    if (trace < 0)
        trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct record record = {operation, (int32_t)strlen(name), offset, length};
    struct iovec parts[3] = {
        {&record, sizeof record}, {name, strlen(name)}, {(void *)data, data ? length : 0}};
    ssize_t written = writev(trace, parts, 3);
    pthread_mutex_unlock(&lock);
    return written < 0 ? -1 : 0;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    if (happens('w', descriptor, data, length, offset))
        return -1;
    return REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(descriptor, data, length, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    if (happens('w', descriptor, data, length, offset))
        return -1;
    return REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(descriptor, data, length, offset);
}

ssize_t write(int descriptor, const void *data, size_t length) {
    if (happens('a', descriptor, data, length, 0))
        return -1;
    return REAL(ssize_t, write, int, const void *, size_t)(descriptor, data, length);
}

int ftruncate64(int descriptor, off64_t length) {
    if (happens('t', descriptor, NULL, length, 0))
        return -1;
    return REAL(int, ftruncate64, int, off64_t)(descriptor, length);
}

int ftruncate(int descriptor, off_t length) {
    if (happens('t', descriptor, NULL, length, 0))
        return -1;
    return REAL(int, ftruncate, int, off_t)(descriptor, length);
}

int fsync(int descriptor) {
    if (happens('s', descriptor, NULL, 0, 0))
        return -1;
    return REAL(int, fsync, int)(descriptor);
}

int fdatasync(int descriptor) {
    if (happens('s', descriptor, NULL, 0, 0))
        return -1;
    return REAL(int, fdatasync, int)(descriptor);
}
