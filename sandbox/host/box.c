/*
 * The box: what a container engine would do for one slot, on a host that has none.
 *
 *   box ROOT UID [CONTROLLER=DIRECTORY ...]
 *
 *   keeper (this process) --clone(pid, mount, ipc, uts, net namespaces)--> process 1: builds the
 *   root directory, enters a user namespace, becomes an unprivileged user, loses the calls that the
 *   agent does not need, and goes on as the agent, which talks on stdin and stdout.
 *
 * A plain user must enter the user namespace first. Root must not: the kernel refuses one in a
 * chroot, which process 1 leaves when it has built its root.
 *
 * ROOT is a directory laid out by build.py. UID is who the agent is outside its user namespace;
 * inside it is user 10000, as in a container. Each DIRECTORY is the slot's cgroup of a controller
 * (of all of them if CONTROLLER is empty); the keeper removes it at the end.
 *
 * The slot ends with the service: when the other end of stdin is closed, by kill -9 too, the keeper
 * kills process 1, upon which the kernel ends the namespaces with every process and mount in them.
 * When the keeper is killed, process 1 is, too.
 *
 * Errors are written to stderr as "box: STEP: REASON".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> cannot be included together everywhere. */
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
enum { BIND = 4096, REC = 16384, PRIVATE = 1 << 18, NOSUID = 2, NODEV = 4, NOEXEC = 8, DETACH = 2 };

enum { INSIDE_ID = 10000, FAILED = 125, REMOVAL_TRIES = 500 };

static void check(long result, const char *step) {
    if (result >= 0) return;
    dprintf(STDERR_FILENO, "box: %s: %s\n", step, strerror(errno));
    _exit(FAILED);
}

static void write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd, path);
    check(write(fd, text, strlen(text)), path);
    close(fd);
}

/* ---- process 1 ---------------------------------------------------------------------------- */

static void bind_mount(const char *from, const char *to, uint64_t attributes) {
    struct mount_attr attr = {.attr_set = attributes};
    check(mount(from, to, NULL, BIND | REC, NULL), from);
    check(syscall(SYS_mount_setattr, AT_FDCWD, to, AT_RECURSIVE, &attr, sizeof attr), from);
}

/* Entering a mount namespace, its own too, leads to the root of it. */
static void leave_chroot(void) {
    int namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    check(namespace, "/proc/self/ns/mnt");
    check(setns(namespace, CLONE_NEWNS), "setns");
    close(namespace);
}

static int open_place(const char *path) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    check(fd, path);
    return fd;
}

/* What is mounted here must not appear on the host. */
static void detach_from_host(void) {
    int before = open_place("/");
    leave_chroot();
    check(mount(NULL, "/", NULL, REC | PRIVATE, NULL), "private");
    check(fchdir(before), "fchdir");
    check(chroot("."), "chroot");
}

static void make_this_the_root(void) {
    int here = open_place(".");
    leave_chroot();
    check(fchdir(here), "fchdir");
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", DETACH), "umount");
    check(chdir("/"), "chdir");
}

static void build_root(const char *root, char *const *cgroups) {
    static const char *const devices[] = {"dev/null", "dev/zero", "dev/full", "dev/random",
                                          "dev/urandom"};
    const uint64_t inert = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    char from[4096], to[4096];
    detach_from_host();
    bind_mount(root, root, inert);
    check(chdir(root), "root");
    bind_mount("/usr", "usr", inert);
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(from, sizeof from, "/%s", devices[i]);
        bind_mount(from, devices[i], MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    }
    for (; *cgroups; cgroups++) {
        const char *directory = strchr(*cgroups, '=') + 1;
        snprintf(to, sizeof to, "sys/fs/cgroup/%.*s", (int)(directory - 1 - *cgroups), *cgroups);
        bind_mount(directory, to, inert | MOUNT_ATTR_NOEXEC);
    }
    check(mount("proc", "proc", "proc", NOSUID | NODEV | NOEXEC, NULL), "proc");
    make_this_the_root();
    check(sethostname("box", 3), "hostname");
}

static void become_agents_user(void) {
    /* A plain user cannot give groups up: a directory may be closed to a group. */
    if (setgroups(0, NULL) < 0 && errno != EPERM) check(-1, "setgroups");
    check(setresgid(INSIDE_ID, INSIDE_ID, INSIDE_ID), "setresgid");
    check(setresuid(INSIDE_ID, INSIDE_ID, INSIDE_ID), "setresuid");
    check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig"); /* a change of user clears it */
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static const int allowed[] = {
#include "allowed.h" /* the names of sandbox/seccomp.py that this architecture has */
};

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter knows x86-64 and arm64 only"
#endif

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(what))
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, count)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

/* The list that containers get from the engine. A list this long costs nothing: the kernel
 * remembers which calls are allowed whatever their arguments. */
static void install_filter(void) {
    static const struct sock_filter head[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(offsetof(struct seccomp_data, nr)),
        /* its flags are behind a pointer; libc falls back to clone */
        SKIP_UNLESS(SYS_clone3, 1), RETURN(SECCOMP_RET_ERRNO | ENOSYS),
    };
    const size_t count = sizeof allowed / sizeof *allowed;
    struct sock_filter filter[sizeof head / sizeof *head + 2 * sizeof allowed / sizeof *allowed + 1];
    size_t length = sizeof head / sizeof *head;
    memcpy(filter, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        filter[length++] = (struct sock_filter)SKIP_UNLESS(allowed[i], 1);
        filter[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    }
    filter[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog program = {.len = (unsigned short)length, .filter = filter};
    check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program),
          "seccomp");
}

/* The keeper writes the map of users, when process 1 says that it is in its namespace. */
static void await_map(int keeper) {
    char word = 'm';
    check(write(keeper, &word, 1), "keeper");
    if (read(keeper, &word, 1) != 1) _exit(FAILED); /* it is gone, or has said why */
}

static void become_agent(const char *root, char *const *cgroups, int keeper, int is_privileged) {
    char *const argv[] = {"/usr/bin/python3", "-s", "-P", "-m", "sandbox.agent.front", NULL};
    char *const env[] = {"PYTHONPATH=/opt/rulegrade", "PATH=/usr/bin:/bin", NULL};
    umask(022);
    check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    if (!is_privileged) await_map(keeper);
    build_root(root, cgroups);
    if (is_privileged) {
        check(unshare(CLONE_NEWUSER), "user namespace");
        await_map(keeper);
    }
    become_agents_user();
    install_filter();
    check(syscall(SYS_close_range, 3, ~0U, 0), "close_range");
    execve(argv[0], argv, env);
    check(-1, argv[0]);
}

/* ---- the keeper --------------------------------------------------------------------------- */

static void map_user(pid_t agent, const char *uid) {
    char path[64], map[64];
    if (geteuid() != 0) {
        snprintf(path, sizeof path, "/proc/%d/setgroups", agent);
        write_text(path, "deny");
    }
    snprintf(path, sizeof path, "/proc/%d/uid_map", agent);
    snprintf(map, sizeof map, "%d %s 1", INSIDE_ID, uid);
    write_text(path, map);
    if (geteuid() != 0) snprintf(map, sizeof map, "%d %u 1", INSIDE_ID, getegid());
    snprintf(path, sizeof path, "/proc/%d/gid_map", agent);
    write_text(path, map);
}

static void enter_cgroups(pid_t agent, char *const *cgroups) {
    char path[4096], pid[16];
    snprintf(pid, sizeof pid, "%d", agent);
    for (; *cgroups; cgroups++) {
        snprintf(path, sizeof path, "%s/cgroup.procs", strchr(*cgroups, '=') + 1);
        write_text(path, pid);
    }
}

/* Return when process 1 has ended by itself, or because the service has. */
static void keep(pid_t agent) {
    struct pollfd ends[2] = {{.fd = STDIN_FILENO},
                             {.fd = (int)syscall(SYS_pidfd_open, agent, 0), .events = POLLIN}};
    check(ends[1].fd, "pidfd");
    while (poll(ends, 2, -1) < 0 && errno == EINTR) {}
    kill(agent, SIGKILL);
    while (waitpid(agent, NULL, 0) < 0 && errno == EINTR) {}
}

/* The kernel needs a moment to let go of processes that have ended. */
static void remove_cgroups(char *const *cgroups) {
    for (; *cgroups; cgroups++)
        for (int i = 0; i < REMOVAL_TRIES && rmdir(strchr(*cgroups, '=') + 1) < 0; i++) {
            if (errno != EBUSY) break;
            usleep(10000);
        }
}

static pid_t start(int *is_privileged) {
    const unsigned long spaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
                                 CLONE_NEWNET | SIGCHLD;
    *is_privileged = 1;
    pid_t agent = (pid_t)syscall(SYS_clone, spaces, 0, 0, 0, 0);
    if (agent < 0 && errno == EPERM) {
        *is_privileged = 0;
        agent = (pid_t)syscall(SYS_clone, spaces | CLONE_NEWUSER, 0, 0, 0, 0);
    }
    check(agent, "namespaces");
    return agent;
}

int main(int argc, char **argv) {
    char *const *cgroups = argv + 3;
    int channel[2], is_privileged;
    char word;
    if (argc < 3) return FAILED;
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), "socketpair");
    pid_t agent = start(&is_privileged);
    if (agent == 0) {
        close(channel[0]);
        become_agent(argv[1], cgroups, channel[1], is_privileged);
    }
    close(channel[1]);
    enter_cgroups(agent, cgroups);
    if (read(channel[0], &word, 1) == 1) {
        map_user(agent, argv[2]);
        check(write(channel[0], "g", 1), "go");
    }
    close(channel[0]);
    close(STDOUT_FILENO);
    keep(agent);
    remove_cgroups(cgroups);
    return 0;
}
