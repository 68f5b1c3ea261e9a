/*
 * The jail: what needs C. jail_serve() starts one run after the other, by jail_spawn().
 *
 *   caller (spawner) --clone(new user, pid, mount, ipc, uts namespaces)--> init (pid 1)
 *   init --builds the root, then fork()--> run (pid 2): limits, no capability, filter, exec or return
 *
 * init outlives the run by a moment: it kills whatever the run left behind, copies one artifact or the
 * named output files out, reports how the run ended on `status_fd`, and exits, upon which the kernel
 * kills every process of its pid namespace. To end a run early, kill init.
 *
 * If another run of the same program is to follow, and this one left the jail's files as it found them,
 * init takes the next request from the channel instead: building a jail is a good part of a short run.
 *
 * init stays out of the run's reach: it is pid 1 of the run's namespace (signals without a handler
 * do not reach it), not dumpable (no ptrace, no /proc/1/mem), and holds no secret.
 *
 * Errors before the run starts are reported on `status_fd` as "setup STEP ERRNO\n"; the end of a run
 * as "end WAIT_STATUS CPU_MICROSECONDS PEAK_KIB IS_SURVIVED IS_LEFT\n": whether other processes of the
 * run were still at work when its first one had ended, and whether the jail waits for the next run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter.h"
#include "request.h"
#include "root.h"

static void drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    check((int)syscall(SYS_capset, &header, none), "capset");
}

static void limit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit value = {soft, hard};
    check(setrlimit(resource, &value), "setrlimit");
}

/* ---- the two processes of a run ----------------------------------------------------------- */

enum { STATUS = 5, OWN }; /* descriptors of a run, and the first that is not one of its own */

/* What the caller is sent must not lie where a run will have its own. */
static void occupy_own(void) {
    int fd;
    do fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < OWN);
    check(fd, "open");
    close(fd);
}

/* Everything from 3 on is closed, but for the result channel at 3, the link to another run at 4 and
 * the status pipe at 5, which an exec closes. */
static void arrange_descriptors(const struct jail_spec *spec) {
    int given[STATUS] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd, spec->result_fd,
                         spec->link_fd};
    int end = spec->argv ? OWN : STATUS;
    while (!spec->argv && end > 3 && given[end - 1] < 0) end--;
    for (int i = 0; i < end && i < STATUS; i++) {
        if (given[i] < 0)
            close(i);
        else
            check(dup2(given[i], i), "dup2");
    }
    if (spec->argv) {
        check(dup3(status_fd, STATUS, O_CLOEXEC), "dup3");
        status_fd = STATUS;
    }
    check((int)syscall(SYS_close_range, end, ~0U, 0), "close_range");
}

/* What a run must not do, init gives up before: each run inherits it, and need not pay for it. */
static void renounce(const struct jail_spec *spec) {
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_NOFILE, 512, 512);
    limit(RLIMIT_NPROC, spec->processes + 1, spec->processes + 1); /* init counts, too */
    limit(RLIMIT_STACK, spec->stack_bytes, spec->stack_bytes);
    limit(RLIMIT_MSGQUEUE, 0, 0);
    limit(RLIMIT_SIGPENDING, 1024, 1024); /* the kernel counts it for all slots together */
    drop_capabilities();
    check(install_filter(&of_jail), "seccomp");
}

static void become_run(const struct jail_spec *spec) {
    if (setsid() < 0) fail("setsid");
    check(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable"); /* for the file below */
    /* when memory runs out the kernel takes this process, never init or the agent */
    write_file("/proc/self/oom_score_adj", "1000");
    limit(RLIMIT_CPU, spec->cpu_s, spec->cpu_s + 1);
    limit(RLIMIT_FSIZE, spec->disk_bytes, spec->disk_bytes);
    arrange_descriptors(spec);
    if (!spec->argv) return;
    signal(SIGPIPE, SIG_DFL); /* Python ignores both, and ignoring survives exec */
    signal(SIGXFSZ, SIG_DFL);
    execve(spec->argv[0], spec->argv, spec->envp);
    fail("exec");
}

static void copy_artifact(const struct jail_spec *spec) {
    struct stat info;
    int fd = open(spec->artifact, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) return;
    if ((uint64_t)info.st_size > spec->artifact_max_bytes) return;
    copy_fd(fd, spec->artifact_fd, (uint64_t)info.st_size);
}

enum { MISSING = -1, TOO_LARGE = -2 };

/* Each output file as its size in eight bytes and its content; MISSING or TOO_LARGE and nothing. */
static void copy_outputs(const struct jail_spec *spec) {
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    uint64_t room = spec->artifact_max_bytes;
    for (const char *const *name = spec->outputs; *name; name++) {
        struct stat info;
        int64_t size = MISSING;
        int fd = (int)syscall(SYS_openat2, AT_FDCWD, *name, &how, sizeof how);
        if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
            size = info.st_size;
            if ((uint64_t)size > spec->output_max_bytes || (uint64_t)size > room) size = TOO_LARGE;
        }
        if (write(spec->artifact_fd, &size, sizeof size) != sizeof size) fail("copy");
        if (size > 0) {
            copy_fd(fd, spec->artifact_fd, (uint64_t)size);
            room -= (uint64_t)size;
        }
        if (fd >= 0) close(fd);
    }
}

/* Whether the jail waits for the next run. */
static int report_end(const struct jail_spec *spec, pid_t run, int can_be_left) {
    struct rusage usage = {0};
    int status = 0, is_left;
    pid_t ended, orphan;
    while ((ended = wait4(-1, &status, 0, &usage)) != run)
        if (ended < 0 && errno != EINTR) fail("wait");
    while ((orphan = waitpid(-1, NULL, WNOHANG)) > 0) {} /* 0: some are still at work */
    if (orphan == 0) { /* nothing may change the files under our hands, or meet the next run */
        kill(-1, SIGKILL);
        while (waitpid(-1, NULL, 0) > 0) {}
    }
    if (spec->outputs) copy_outputs(spec);
    else if (spec->artifact_fd >= 0 && status == 0) copy_artifact(spec);
    is_left = can_be_left && spec->has_next && is_untouched(spec);
    long long cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL +
                    usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    char words[128];
    int length = snprintf(words, sizeof words, "end %d %lld %ld %d %d\n", status, cpu,
                          usage.ru_maxrss, orphan == 0, is_left);
    check((int)write(status_fd, words, (size_t)length), "status");
    return is_left;
}

/* All that were received, but for the three that init needs; one may be -1. */
static void close_others(const struct jail_spec *spec) {
    int kept[3] = {status_fd, spec->artifact_fd, spec->has_next ? spec->channel_fd : -1};
    unsigned next = OWN, lowest;
    do {
        lowest = ~0U;
        for (int i = 0; i < 3; i++)
            if (kept[i] >= 0 && (unsigned)kept[i] >= next && (unsigned)kept[i] < lowest)
                lowest = (unsigned)kept[i];
        if (lowest > next) syscall(SYS_close_range, next, lowest - 1, 0);
        next = lowest + 1;
    } while (lowest != ~0U);
}

/* The caller gets a descriptor of init before anything can go wrong. */
static void announce(int channel_fd) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char text[] = "{}";
    struct iovec payload = {.iov_base = text, .iov_len = 2};
    struct msghdr message = {.msg_iov = &payload, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    check(pidfd, "pidfd");
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &pidfd, sizeof(int));
    check((int)sendmsg(channel_fd, &message, 0), "announce");
    close(pidfd);
}

static void *caller[5]; /* where the run goes on if it is no exec */
static char init_stack[256 * 1024] __attribute__((aligned(64)));

/* The next run's specification instead of the last one's; 0 if none comes. */
static int next_run(struct jail_spec *spec) {
    static struct jail_file files[MAX_FILES];
    static int fds[MAX_FILES];
    int channel_fd = spec->channel_fd;
    if (receive(channel_fd, fds, MAX_FILES) < 0) return 0;
    decode(spec, files, fds);
    spec->channel_fd = channel_fd;
    status_fd = spec->status_fd;
    return 1;
}

static int init_main(void *argument) {
    struct jail_spec *spec = argument;
    status_fd = spec->status_fd;
    check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "pdeathsig");
    check(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable"); /* for the files below */
    announce(spec->channel_fd);
    map_ourselves(spec->uid, spec->gid);
    umask(022);
    build_root(spec);
    /* Before the run exists: init's memory is the caller's, and nothing of it may be opened. */
    check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable");
    renounce(spec);
    int can_be_left = spec->has_next && note_changes(spec), is_left;
    do {
        pid_t run = fork();
        check(run, "fork");
        if (run == 0) {
            become_run(spec);
            __builtin_longjmp(caller, 1);
        }
        close_others(spec);
        is_left = report_end(spec, run, can_be_left);
    } while (is_left && next_run(spec));
    _exit(0);
}

/* Start a run and wait for its end. `channel_fd` is sent a descriptor of init. Returns init's pid
 * to the caller, -1 with errno set if there can be no jail, and 0 in the run itself if the
 * specification names no command.
 *
 * init shares the caller's memory, and the caller sleeps as long as init lives (CLONE_VFORK): one
 * copy of the caller's page tables is saved, the dearest part of a run. The run has its own copy. */
static pid_t jail_spawn(struct jail_spec *spec) {
    int spaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    spec->uid = getuid();
    spec->gid = getgid();
    if (__builtin_setjmp(caller)) return 0;
    return clone(init_main, init_stack + sizeof init_stack, spaces | CLONE_VM | CLONE_VFORK | SIGCHLD,
                 spec);
}

/* ---- one after the other ------------------------------------------------------------------- */

enum { PLAIN = 0, ENDED = 1, OTHER = 2 };

/* Start a run for every request on the channel and wait for its end. Returns ENDED when the channel's
 * other end is closed. In a run whose request names no command, PLAIN says that its role is `main`
 * and its standard input no file, which saves most runs from asking. */
int jail_serve(int channel_fd) {
    struct jail_file files[MAX_FILES];
    struct jail_spec spec;
    int fds[MAX_FILES], count;
    status_fd = channel_fd; /* what cannot be prepared is said instead of an answer */
    occupy_own();
    find_out_stamps();
    prepare_root("/opt/rulegrade/root");
    prepare_filters();
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    check(install_filter(&of_all), "seccomp");
    if (write(channel_fd, "ready", 5) != 5) return ENDED;
    while ((count = receive(channel_fd, fds, MAX_FILES)) >= 0) {
        decode(&spec, files, fds);
        spec.channel_fd = channel_fd;
        if (received.request.is_next) { /* the kernel took its jail in the meantime */
            dprintf(spec.status_fd, "setup jail %d\n", ESRCH);
        } else {
            pid_t init = jail_spawn(&spec);
            if (init == 0) {
                struct stat input;
                int is_file = fstat(0, &input) == 0 && S_ISREG(input.st_mode);
                return is_file || strcmp(role[0], "main") ? OTHER : PLAIN;
            }
            if (init < 0) dprintf(channel_fd, "no namespaces: %s", strerror(errno));
            else waitpid(init, NULL, 0);
        }
        for (int i = 0; i < count; i++) close(fds[i]);
    }
    return ENDED;
}
