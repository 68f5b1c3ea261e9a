/*
 * What a run may ask of the kernel: two seccomp filters that refuse what is listed here.
 *
 * The long one is installed once, by the process that starts the jails, and holds for all of them. What a
 * jail is built with comes last, in a short one of each jail's own: the kernel translates a filter when it
 * is installed, and tries it on every system call there is.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int denied[] = {
    /* namespaces and mounts: the way to a larger attack surface */
    SYS_unshare, SYS_setns, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen,
    SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_open_tree, SYS_move_mount, SYS_mount_setattr,
    SYS_setdomainname, SYS_quotactl, SYS_swapon, SYS_swapoff, SYS_acct,
    SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init, SYS_inotify_init1,
    /* other processes */
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_kcmp,
    SYS_process_madvise, SYS_migrate_pages, SYS_move_pages,
    /* network: there is none, and sockets are the largest part of the kernel; socketpair stays */
    SYS_socket,
    /* objects that outlive a run or hide memory */
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget,
    SYS_semop, SYS_semctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_mq_open,
    SYS_memfd_secret,
#ifdef DENY_MEMFD
    SYS_memfd_create, /* a cgroup counts what it holds, a look at the processes does not */
#endif
    /* kernel subsystems with a record */
    SYS_bpf, SYS_perf_event_open, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    SYS_userfaultfd, SYS_landlock_create_ruleset, SYS_vmsplice, SYS_personality,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_syslog,
    /* the scheduler and the clock */
    SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_ioprio_set,
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_inotify_init,
#endif
};

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter knows x86-64 and arm64 only"
#endif

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
                    CLONE_NEWPID | CLONE_NEWNET)
#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(what))
#define LOAD_NR LOAD(offsetof(struct seccomp_data, nr))
#define LOAD_ARG(n) LOAD(offsetof(struct seccomp_data, args) + 8 * (n)) /* low half */
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, count)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define DENY(code) RETURN(SECCOMP_RET_ERRNO | (code))
#define ALLOW RETURN(SECCOMP_RET_ALLOW)

static const struct sock_filter head[] = {
    LOAD(offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS), /* int 0x80 */
    LOAD_NR,
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS), /* x32 */
};

/* its flags are behind a pointer; libc falls back to clone */
static const struct sock_filter on_clone3[] = {DENY(ENOSYS)};

static const struct sock_filter on_clone[] = {
    LOAD_ARG(0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1), DENY(EPERM), ALLOW,
};

/* only its own limits: init and its siblings run under the same user */
static const struct sock_filter on_prlimit[] = {LOAD_ARG(0), SKIP_UNLESS(0, 1), ALLOW, DENY(EPERM)};

/* what is done to init, the next run in its jail would inherit */
static const struct sock_filter on_setaffinity[] = {
    LOAD_ARG(0), SKIP_UNLESS(1, 1), DENY(EPERM), ALLOW,
};
static const struct sock_filter on_setpriority[] = {
    LOAD_ARG(0), SKIP_UNLESS(PRIO_USER, 1), DENY(EPERM),
    LOAD_ARG(1), SKIP_UNLESS(1, 1), DENY(EPERM), ALLOW,
};

/* typing into a terminal */
static const struct sock_filter on_ioctl[] = {
    LOAD_ARG(1), SKIP_UNLESS(TIOCSTI, 1), DENY(EPERM), SKIP_UNLESS(TIOCLINUX, 1), DENY(EPERM), ALLOW,
};

static const struct sock_filter on_denied[] = {DENY(EPERM)};

struct rule {
    int number;
    const struct sock_filter *code; /* returns in every case */
    unsigned short length;
};

#define RULE(number, code) {number, code, sizeof code / sizeof *code}
#define COUNT(array) (sizeof array / sizeof *array)

static const struct rule special[] = {
    RULE(SYS_clone3, on_clone3),
    RULE(SYS_prlimit64, on_prlimit),
    RULE(SYS_sched_setaffinity, on_setaffinity),
    RULE(SYS_setpriority, on_setpriority),
    RULE(SYS_ioctl, on_ioctl),
};

/* What a jail is built with, and its filter installed. */
static const struct rule building[] = {
    RULE(SYS_clone, on_clone),
    RULE(SYS_mount, on_denied),
    RULE(SYS_sethostname, on_denied),
    RULE(SYS_seccomp, on_denied),
};

static struct rule rules[COUNT(special) + COUNT(denied)];

struct filter {
    unsigned short length;
    struct sock_filter code[COUNT(head) + 10 * COUNT(rules)];
};

static struct filter of_all, of_jail;

static struct sock_filter *emit(struct filter *filter, struct sock_filter instruction) {
    filter->code[filter->length] = instruction;
    return &filter->code[filter->length++];
}

static void emit_each(struct filter *filter, const struct rule *found, size_t count) {
    for (size_t i = 0; i < count; i++) {
        emit(filter, (struct sock_filter)SKIP_UNLESS(found[i].number, found[i].length));
        for (size_t k = 0; k < found[i].length; k++) emit(filter, found[i].code[k]);
    }
    emit(filter, (struct sock_filter)ALLOW);
}

static void emit_search(struct filter *filter, const struct rule *found, size_t count) {
    if (count <= 4) {
        emit_each(filter, found, count);
        return;
    }
    size_t half = count / 2;
    uint32_t number = (uint32_t)found[half].number;
    struct sock_filter *branch =
        emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, number, 0, 0));
    unsigned short start = filter->length;
    emit_search(filter, found, half);
    branch->jt = (uint8_t)(filter->length - start); /* below 256: half of some 90 rules */
    emit_search(filter, found + half, count - half);
}

static int by_number(const void *a, const void *b) {
    return ((const struct rule *)a)->number - ((const struct rule *)b)->number;
}

/* Once, before any run. */
static void prepare_filters(void) {
    for (size_t i = 0; i < COUNT(head); i++) emit(&of_all, head[i]);
    memcpy(rules, special, sizeof special);
    for (size_t i = 0; i < COUNT(denied); i++)
        rules[COUNT(special) + i] = (struct rule)RULE(denied[i], on_denied);
    qsort(rules, COUNT(rules), sizeof *rules, by_number);
    emit_search(&of_all, rules, COUNT(rules));
    emit(&of_jail, (struct sock_filter)LOAD_NR); /* of this architecture, or the other one kills */
    emit_each(&of_jail, building, COUNT(building));
}

/* 0, or -1 with errno. Without SPEC_ALLOW every run would pay for speculation barriers. */
static int install_filter(struct filter *filter) {
    struct sock_fprog program = {.len = filter->length, .filter = filter->code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                        &program);
}
