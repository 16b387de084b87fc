/* Follows what a program syncs: preloaded into it, this keeps a copy of every file below one folder as it was when it
 * was last synced, and of every folder's names. A power cut is then a kill after which only the copies are left; see
 * power.rs, which makes the cut and says what the names in the folder of copies mean.
 *
 * It keeps no state in memory, so that processes that share the files, threads and forks are all the same. A copy is
 * written under a lock and in place: a program killed in the middle of it leaves some of what it had not yet synced,
 * as a disk does.
 *
 * SYNCED_ROOT is the folder, SYNCED_COPIES where the copies go. With SYNCED_SLOW_MS a sync takes so much longer. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A copy that is wrong would make a test that is wrong. */
static void must(int fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "synced: %s: %s\n", what, strerror(errno));
        abort();
    }
}

static long long now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (long long)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Names a file whatever it is called: its number, and when it was born, as numbers are given again. Gives 1 for a
 * file, 0 for anything else, -1 when it is gone. */
static int name_of(int folder, const char *entry, char *name, size_t size) {
    struct statx found;
    int how = AT_SYMLINK_NOFOLLOW | (*entry ? 0 : AT_EMPTY_PATH);
    if (statx(folder, entry, how, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) {
        must(errno == ENOENT, "statx");
        return -1;
    }
    long long seconds = 0;
    unsigned nanos = 0;
    if (found.stx_mask & STATX_BTIME) {
        seconds = found.stx_btime.tv_sec;
        nanos = found.stx_btime.tv_nsec;
    }
    snprintf(name, size, "%llu-%lld-%u", (unsigned long long)found.stx_ino, seconds, nanos);
    return S_ISREG(found.stx_mode);
}

static void write_all(int to, const char *bytes, size_t length, off_t at) {
    while (length > 0) {
        ssize_t written = pwrite(to, bytes, length, at);
        must(written > 0, "write of a copy");
        bytes += written;
        length -= written;
        at += written;
    }
}

static void copy(int from, int to, int grows) {
    static __thread char buffer[64 * 1024];
    struct stat copied;
    must(fstat(to, &copied) == 0, "fstat");
    off_t at = 0;
    /* What is only appended to is copied from where the last copy ended. */
    if (grows) {
        at = copied.st_size;
    }
    for (;;) {
        ssize_t read_now = pread(from, buffer, sizeof buffer, at);
        must(read_now >= 0, "read of what was synced");
        if (read_now == 0) {
            break;
        }
        write_all(to, buffer, read_now, at);
        at += read_now;
    }
    struct stat whole;
    must(fstat(from, &whole) == 0, "fstat");
    if (whole.st_size < copied.st_size) {
        must(ftruncate(to, whole.st_size) == 0, "truncate of a copy");
    }
}

/* Held until it is given back, or its process is killed. */
static int lock_of(const char *copies, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/lock-%s", copies, name);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(lock >= 0 && flock(lock, LOCK_EX) == 0, "lock of a copy");
    return lock;
}

static void keep_file(int fd, const char *path, const char *copies, const char *name) {
    char kept[PATH_MAX], fresh[PATH_MAX], link[64];
    snprintf(kept, sizeof kept, "%s/file-%s", copies, name);
    snprintf(fresh, sizeof fresh, "%s/fresh-%s", copies, name);
    /* The first copy is there when it is whole: until then what was there before the program is what there is. */
    int first = access(kept, F_OK) != 0;
    int to = open(first ? fresh : kept, O_RDWR | O_CREAT | O_CLOEXEC | (first ? O_TRUNC : 0), 0600);
    must(to >= 0, "open of a copy");
    /* What was opened to write alone is opened again to be read. Nothing else is: closing a file gives back every lock
     * that the process has on it. */
    int flags = fcntl(fd, F_GETFL), from = fd;
    if ((flags & O_ACCMODE) == O_WRONLY) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        from = open(link, O_RDONLY | O_CLOEXEC);
        must(from >= 0, path);
    }
    copy(from, to, flags & O_APPEND);
    must(!first || rename(fresh, kept) == 0, "rename of a copy");
    if (from != fd) {
        close(from);
    }
    close(to);
}

static void keep_names(int fd, const char *path, const char *copies, const char *name) {
    char kept[PATH_MAX], fresh[PATH_MAX], entry_name[96];
    snprintf(kept, sizeof kept, "%s/names-%s", copies, name);
    snprintf(fresh, sizeof fresh, "%s/fresh-%s", copies, name);
    FILE *to = fopen(fresh, "we");
    must(to != NULL, "open of names");
    fprintf(to, "%s\n", path);
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again >= 0 ? fdopendir(again) : NULL;
    must(folder != NULL, path);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (name_of(fd, entry->d_name, entry_name, sizeof entry_name) == 1) {
            fprintf(to, "%s\t%s\n", entry_name, entry->d_name);
        }
    }
    closedir(folder);
    must(fclose(to) == 0 && rename(fresh, kept) == 0, "write of names");
}

/* One line for each sync that has ended: when it began, and of what. */
static void write_down(const char *copies, const char *path, long long began) {
    char file[PATH_MAX], line[PATH_MAX + 32];
    snprintf(file, sizeof file, "%s/log", copies);
    int log = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    must(log >= 0, "open of the log");
    int length = snprintf(line, sizeof line, "%lld\t%s\n", began, path);
    must(write(log, line, length) == length, "write of the log");
    close(log);
}

static void keep(int fd, long long began) {
    const char *root = getenv("SYNCED_ROOT"), *copies = getenv("SYNCED_COPIES"), *slow = getenv("SYNCED_SLOW_MS");
    char link[64], path[PATH_MAX], name[96];
    if (root == NULL || copies == NULL) {
        return;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    must(length > 0, "readlink");
    path[length] = 0;
    size_t of_root = strlen(root);
    if (strncmp(path, root, of_root) != 0 || (path[of_root] != '/' && path[of_root] != 0)) {
        return;
    }
    if (slow != NULL) {
        usleep((useconds_t)atol(slow) * 1000);
    }
    int is_file = name_of(fd, "", name, sizeof name);
    must(is_file >= 0, path);
    int lock = lock_of(copies, name);
    if (is_file) {
        keep_file(fd, path, copies, name);
    } else {
        keep_names(fd, path, copies, name);
    }
    /* Said, as a fork may have it open too. */
    flock(lock, LOCK_UN);
    close(lock);
    write_down(copies, path, began);
}

static int sync_one(long number, int fd) {
    long long began = now_us();
    int outcome = (int)syscall(number, fd);
    if (outcome == 0) {
        int before = errno;
        keep(fd, began);
        errno = before;
    }
    return outcome;
}

int fsync(int fd) { return sync_one(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_one(SYS_fdatasync, fd); }
