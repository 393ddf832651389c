/* Power-loss model: a preloaded shim that keeps a shadow of one directory, holding only what was made durable.
 *
 * POWERLOSS_DIR     the directory that is watched (no trailing slash, no subdirectories)
 * POWERLOSS_SHADOW  where the shadow is kept, and cuts: SHADOW/now, SHADOW/cut-000001, ...
 * POWERLOSS_LIE     when set, an fsync of the write-ahead log is answered with success and does nothing
 *
 * While SHADOW/fail exists, an fsync of the write-ahead log fails with EIO and makes nothing durable.
 *
 * Contents become durable by fsync or fdatasync of the file; names and deletions by fsync of the directory.
 * A durable file without a durable name is kept aside until its directory is synced. `-shm` is never durable.
 * After every fsync of anything in the directory, the shadow is cut: a copy of what a power loss at this moment would
 * leave. SHADOW/count grows by a byte with each cut, so that the program can tell which cut is the newest.
 *
 * SHADOW/now/NAME exists while the name is durable; SHADOW/now/.NAME tells which inode it names. SHADOW/aside/INODE
 * holds durable contents by inode, whatever the name.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int cuts;

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void die(const char *what) {
    perror(what);
    _exit(97);
}

__attribute__((constructor)) static void start(void) {
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

static const char *watched(void) { return getenv("POWERLOSS_DIR"); }
static const char *shadow(void) { return getenv("POWERLOSS_SHADOW"); }

/* Copies a file as it is now. The copy is written whole under another name, so that a reader never sees half. */
static void copy(const char *from, const char *to) {
    char part[PATH_MAX + 8];
    snprintf(part, sizeof part, "%s.part", to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) die(from);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0) die(part);
    char buffer[1 << 16];
    ssize_t n;
    while ((n = read(in, buffer, sizeof buffer)) > 0)
        if (write(out, buffer, n) != n) die(part);
    if (n < 0) die(from);
    close(in);
    close(out);
    if (rename(part, to) != 0) die(to);
}

static int skipped(const char *name) {
    size_t length = strlen(name);
    return name[0] == '.' || (length >= 4 && strcmp(name + length - 4, "-shm") == 0) ||
           (length >= 5 && strcmp(name + length - 5, ".part") == 0);
}

/* What a power loss would leave now. */
static void cut(void) {
    char now[PATH_MAX], to[PATH_MAX];
    snprintf(now, sizeof now, "%s/now", shadow());
    cuts++;
    snprintf(to, sizeof to, "%s/cut-%06d.part", shadow(), cuts);
    if (mkdir(to, 0700) != 0) die(to);
    DIR *directory = opendir(now);
    if (!directory) die(now);
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (skipped(entry->d_name)) continue;
        char a[2 * PATH_MAX], b[2 * PATH_MAX];
        snprintf(a, sizeof a, "%s/%s", now, entry->d_name);
        snprintf(b, sizeof b, "%s/%s", to, entry->d_name);
        copy(a, b);
    }
    closedir(directory);
    char done[PATH_MAX];
    snprintf(done, sizeof done, "%s/cut-%06d", shadow(), cuts);
    if (rename(to, done) != 0) die(done);
    snprintf(done, sizeof done, "%s/count", shadow());
    int count = open(done, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (count < 0 || write(count, "x", 1) != 1) die(done);
    close(count);
}

/* The directory was synced: its names are those of now, each with its last durable contents (empty, if it has none). */
static void sync_names(void) {
    char now[PATH_MAX];
    snprintf(now, sizeof now, "%s/now", shadow());
    DIR *directory = opendir(now);
    if (!directory) die(now);
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.') continue;
        char path[2 * PATH_MAX], real[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", now, entry->d_name);
        snprintf(real, sizeof real, "%s/%s", watched(), entry->d_name);
        if (access(real, F_OK) != 0 && unlink(path) != 0) die(path);
    }
    closedir(directory);
    directory = opendir(watched());
    if (!directory) die(watched());
    while ((entry = readdir(directory))) {
        if (skipped(entry->d_name)) continue;
        char real[2 * PATH_MAX], aside[PATH_MAX], to[2 * PATH_MAX], mark[2 * PATH_MAX], inode[32];
        struct stat at;
        snprintf(real, sizeof real, "%s/%s", watched(), entry->d_name);
        if (stat(real, &at) != 0 || !S_ISREG(at.st_mode)) continue;
        snprintf(aside, sizeof aside, "%s/aside/%lu", shadow(), (unsigned long)at.st_ino);
        snprintf(to, sizeof to, "%s/%s", now, entry->d_name);
        if (access(aside, F_OK) == 0) {
            copy(aside, to);
        } else {
            int empty = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            if (empty < 0) die(to);
            close(empty);
        }
        snprintf(mark, sizeof mark, "%s/.%s", now, entry->d_name);
        snprintf(inode, sizeof inode, "%lu", (unsigned long)at.st_ino);
        unlink(mark);
        if (symlink(inode, mark) != 0) die(mark);
    }
    closedir(directory);
}

/* A file is synced: its contents become durable; it can be found after a power loss if its name is durable, too. */
static void sync_contents(const char *path, const struct stat *at) {
    char aside[PATH_MAX], named[2 * PATH_MAX], mark[2 * PATH_MAX], inode[32], marked[32];
    snprintf(inode, sizeof inode, "%lu", (unsigned long)at->st_ino);
    snprintf(aside, sizeof aside, "%s/aside/%s", shadow(), inode);
    copy(path, aside);
    const char *name = strrchr(path, '/') + 1;
    snprintf(named, sizeof named, "%s/now/%s", shadow(), name);
    snprintf(mark, sizeof mark, "%s/now/.%s", shadow(), name);
    ssize_t length = readlink(mark, marked, sizeof marked - 1);
    if (length > 0) {
        marked[length] = 0;
        if (strcmp(marked, inode) == 0) copy(path, named);
    }
}

/* Where a descriptor leads, if that is the directory or in it. */
static int leads_in(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(watched());
    return strncmp(path, watched(), prefix) == 0 && (path[prefix] == 0 || path[prefix] == '/');
}

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    struct stat at;
    if (!watched() || !shadow() || !leads_in(fd, path) || fstat(fd, &at) != 0) return real(fd);
    size_t length = strlen(path);
    int log = length >= 4 && strcmp(path + length - 4, "-wal") == 0;
    if (log && getenv("POWERLOSS_LIE")) return 0;
    char fail[PATH_MAX];
    snprintf(fail, sizeof fail, "%s/fail", shadow());
    if (log && access(fail, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    /* What is written from here on is not promised by this sync. A sync that fails ends the program: the model has no
     * word for it. */
    if (S_ISREG(at.st_mode) && !skipped(strrchr(path, '/') + 1)) sync_contents(path, &at);
    if (S_ISDIR(at.st_mode)) sync_names();
    if (real(fd) != 0) die("fsync");
    cut();
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }
