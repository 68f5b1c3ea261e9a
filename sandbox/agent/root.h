/*
 * A jail's root directory: how it is built, and whether a run left it as it found it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int status_fd = -1;

static void fail(const char *step) {
    dprintf(status_fd, "setup %s %d\n", step, errno);
    _exit(125);
}

static void check(int result, const char *step) {
    if (result < 0) fail(step);
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
    close(fd);
}

/* With what is mounted below: the kernel does not let it be left out here. */
static void bind_mount(const char *from, const char *to) {
    check(mount(from, to, NULL, MS_BIND | MS_REC, NULL), to);
}

static void bind_read_only(const char *from, const char *to) {
    bind_mount(from, to);
    check(mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), to);
}

static void copy_fd(int from, int to, uint64_t bytes) {
    off_t offset = 0;
    while ((uint64_t)offset < bytes)
        if (sendfile(to, from, &offset, bytes - (uint64_t)offset) <= 0) fail("copy");
}

static void place_file(const struct jail_file *file) {
    struct stat info;
    char path[4096];
    snprintf(path, sizeof path, "box/%s", file->name);
    for (char *slash = strchr(path + 4, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0755) < 0 && errno != EEXIST) fail("mkdir");
        *slash = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
    if (fd < 0 || fstat(file->fd, &info) < 0) fail("file");
    copy_fd(file->fd, fd, (uint64_t)info.st_size);
    close(fd);
}

/* In a new user namespace: be in it who we are outside. */
static void map_ourselves(uid_t uid, gid_t gid) {
    char map[64];
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
}

/* What all jails have in common, mounted once; each of them gets a copy, and nothing else of the
 * container's. The outer /proc is covered in every jail, whose kernel lets nobody uncover it. */
static void prepare_root(const char *root) {
    static const char *const devices[] = {"dev/null", "dev/zero", "dev/full", "dev/random",
                                          "dev/urandom"};
    char from[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    check(unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
    map_ourselves(uid, gid);
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    bind_read_only(root, root);
    check(chdir(root), "root");
    bind_read_only("/usr", "usr");
    bind_mount("/proc", "proc");
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(from, sizeof from, "/%s", devices[i]);
        bind_mount(from, devices[i]);
    }
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount");
    check(chdir("/"), "chdir");
}

/* A jail's own part. */
static void build_root(const struct jail_spec *spec) {
    char options[128];
    int flags = MS_NOSUID | MS_NODEV;
    /* Memory of both counts for the container's cgroup; sizes are far below it. */
    snprintf(options, sizeof options, "size=%llu,nr_inodes=16384,mode=755",
             (unsigned long long)spec->disk_bytes);
    check(mount("box", "box", "tmpfs", flags | MS_NOATIME, options), "box");
    check(mount("tmp", "tmp", "tmpfs", flags | MS_NOATIME, options), "tmp");
    for (int i = 0; i < spec->file_count; i++) place_file(&spec->files[i]);
    /* subset=pid hides all that describes the host: cmdline, interrupts, config.gz ... */
    check(mount("proc", "proc", "proc", flags | MS_NOEXEC, "subset=pid"), "proc");
    check(sethostname("box", 3), "hostname");
    check(chdir("/box"), "chdir");
}

/* ---- what a run may have changed ------------------------------------------------------------ */

/* When what a run can write to was changed last: its two directories, and the files in them. Whatever
 * is done to one of them sets this time, and nothing sets it back. */
static struct timespec changes[2 + MAX_FILES];

/* Whether the kernel tells any two changes apart (from 6.13 on), or only those of different ticks. */
static int has_fine_stamps;

static int is_before(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

static void find_out_stamps(void) {
    struct timespec last = {0};
    struct stat info;
    int fd = memfd_create("stamps", MFD_CLOEXEC);
    has_fine_stamps = 1;
    for (int i = 0; i < 8; i++) { /* in a few microseconds */
        has_fine_stamps &= fchmod(fd, 0600) == 0 && fstat(fd, &info) == 0 &&
                           is_before(last, info.st_ctim);
        last = info.st_ctim;
    }
    close(fd);
}

static struct timespec last_change(const struct jail_spec *spec, int index) {
    const char *path = index == 0 ? "/box" : index == 1 ? "/tmp" : spec->files[index - 2].name;
    struct stat info;
    return lstat(path, &info) < 0 ? (struct timespec){0} : info.st_ctim;
}

/* Whether is_untouched() will be able to tell, for which a tick may have to be waited for. */
static int note_changes(const struct jail_spec *spec) {
    struct timespec now, latest = {0}, while_ticking = {.tv_nsec = 500000};
    for (int i = 0; i < spec->file_count; i++) /* a directory of theirs, or a mapping, goes unseen */
        if (strchr(spec->files[i].name, '/') || spec->files[i].mode & 0222) return 0;
    for (int i = 0; i < 2 + spec->file_count; i++) {
        changes[i] = last_change(spec, i);
        if (is_before(latest, changes[i])) latest = changes[i];
    }
    for (int i = 0; !has_fine_stamps && i < 32; i++) {
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (is_before(latest, now)) return 1;
        nanosleep(&while_ticking, NULL);
    }
    return has_fine_stamps;
}

static int is_untouched(const struct jail_spec *spec) {
    for (int i = 0; i < 2 + spec->file_count; i++) {
        struct timespec now = last_change(spec, i);
        if (is_before(changes[i], now) || is_before(now, changes[i])) return 0;
    }
    return 1;
}
