/* The clock of a program, moved by as many microseconds as a file says, from one moment to the next.
 *
 * Preloaded; the program sees it as it would see its clock set. What measures durations goes on as it did. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *moved;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("MOVED_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        moved = mapped;
}

int clock_gettime(clockid_t id, struct timespec *time)
{
    int outcome = syscall(SYS_clock_gettime, id, time);
    if (outcome != 0 || !moved || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return outcome;
    int64_t us = (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000 + *moved;
    time->tv_nsec = us % 1000000 * 1000 + time->tv_nsec % 1000;
    time->tv_sec = us / 1000000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}
