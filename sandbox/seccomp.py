"""
The system calls of a sandbox container: an allow-list, everything else is refused.

Docker's own profile cannot be used: it ties the calls that build a jail to CAP_SYS_ADMIN, which our
containers do not have and do not need inside a user namespace of their own. This one allows those
calls (`_JAIL`) and nothing else that is not plain computing. Runs inside a jail lose `_JAIL` again,
by the filter in agent/jail.c.
"""

import json

_FILES = """
    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat
    faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync
    fgetxattr flistxattr flock fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64
    getxattr ioctl lchown lgetxattr link linkat listxattr llistxattr lseek lstat mkdir mkdirat
    mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2
    read readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat
    statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat
    utime utimensat utimes write writev
"""
_MEMORY = """
    brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync
    munlock munlockall munmap get_mempolicy mbind pkey_alloc pkey_free pkey_mprotect rseq
    set_mempolicy
"""
_PROCESSES = """
    arch_prctl capget capset clone execve execveat exit exit_group fork getegid geteuid getgid
    getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit
    get_robust_list getrusage getsid get_thread_area gettid getuid ioprio_get kill pidfd_open
    pidfd_send_signal prctl prlimit64 restart_syscall sched_getaffinity sched_getattr
    sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
    sched_rr_get_interval sched_setaffinity sched_yield setfsgid setfsuid setgid setgroups
    setpgid setpriority setregid setresgid setresuid setreuid setrlimit set_robust_list setsid
    set_thread_area set_tid_address setuid sysinfo tgkill time times tkill uname vfork wait4
    waitid
"""
_SIGNALS_AND_TIME = """
    alarm clock_getres clock_gettime clock_nanosleep futex futex_waitv getitimer gettimeofday
    nanosleep pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack signalfd signalfd4
    timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
    timerfd_gettime timerfd_settime
"""
_WAITING_AND_PIPES = """
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
    getrandom pipe pipe2 poll ppoll pselect6
    select
"""
# Over a socketpair only: `socket` itself is missing, so no address can ever be reached.
_SOCKETPAIRS = """
    getpeername getsockname getsockopt recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto
    setsockopt shutdown socketpair
"""
_JAIL = "mount umount2 pivot_root seccomp sethostname unshare"


def allowed_calls() -> list[str]:
    """Names of all calls on the list; not every architecture has all of them."""
    groups = (
        _FILES,
        _MEMORY,
        _PROCESSES,
        _SIGNALS_AND_TIME,
        _WAITING_AND_PIPES,
        _SOCKETPAIRS,
        _JAIL,
    )
    return " ".join(groups).split()


def profile() -> str:
    """The profile as JSON, as the engine's API wants it."""
    refuse, absent = 1, 38  # EPERM, ENOSYS
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": refuse,
            "archMap": [
                {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
            ],
            "syscalls": [
                {"names": allowed_calls(), "action": "SCMP_ACT_ALLOW"},
                # Its flags are behind a pointer, out of a filter's sight; libc falls back to clone.
                {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": absent},
            ],
        }
    )
