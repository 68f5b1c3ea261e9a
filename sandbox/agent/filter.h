/*
 * What a run may ask of the kernel: a seccomp filter that refuses what is listed here.
 *
 * The list is searched by halves. The kernel tries a filter that is installed on every system call
 * there is, so a plain list of this length would cost each run a tenth of a millisecond.
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
#include <sys/syscall.h>
#include <unistd.h>

static int denied[] = {
    /* namespaces and mounts: the way to a larger attack surface */
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen,
    SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_open_tree, SYS_move_mount, SYS_mount_setattr,
    SYS_sethostname, SYS_setdomainname, SYS_quotactl, SYS_swapon, SYS_swapoff, SYS_acct,
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
    SYS_userfaultfd, SYS_seccomp, SYS_landlock_create_ruleset, SYS_vmsplice, SYS_personality,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_syslog,
    /* the scheduler and the clock */
    SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
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

static const struct sock_filter head[] = {
    LOAD(offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS), /* int 0x80 */
    LOAD_NR,
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS), /* x32 */
    /* its flags are behind a pointer; libc falls back to clone */
    SKIP_UNLESS(SYS_clone3, 1), DENY(ENOSYS),
    SKIP_UNLESS(SYS_clone, 4), LOAD_ARG(0),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1), DENY(EPERM), LOAD_NR,
    /* only its own limits: init and its siblings run under the same user */
    SKIP_UNLESS(SYS_prlimit64, 4), LOAD_ARG(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), DENY(EPERM), LOAD_NR,
    SKIP_UNLESS(SYS_ioctl, 5), LOAD_ARG(1), /* typing into a terminal */
    SKIP_UNLESS(TIOCSTI, 1), DENY(EPERM), SKIP_UNLESS(TIOCLINUX, 1), DENY(EPERM), LOAD_NR,
};

enum { DENIED = sizeof denied / sizeof *denied, HEAD = sizeof head / sizeof *head };

static struct sock_filter filter[HEAD + 4 * DENIED];
static unsigned short filter_length;

static struct sock_filter *emit(struct sock_filter instruction) {
    filter[filter_length] = instruction;
    return &filter[filter_length++];
}

static void emit_search(const int *numbers, size_t count) {
    if (count <= 4) {
        for (size_t i = 0; i < count; i++) {
            emit((struct sock_filter)SKIP_UNLESS(numbers[i], 1));
            emit((struct sock_filter)DENY(EPERM));
        }
        emit((struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
        return;
    }
    size_t half = count / 2;
    struct sock_filter middle = BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)numbers[half], 0, 0);
    struct sock_filter *branch = emit(middle);
    unsigned short start = filter_length;
    emit_search(numbers, half);
    branch->jt = (uint8_t)(filter_length - start); /* below 256: half of some 80 numbers */
    emit_search(numbers + half, count - half);
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Once, before any run. */
static void prepare_filter(void) {
    filter_length = 0;
    for (size_t i = 0; i < HEAD; i++) emit(head[i]);
    qsort(denied, DENIED, sizeof *denied, by_number);
    emit_search(denied, DENIED);
}

/* 0, or -1 with errno. Without SPEC_ALLOW every run would pay for speculation barriers. */
static int install_filter(void) {
    struct sock_fprog program = {.len = filter_length, .filter = filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                        &program);
}
