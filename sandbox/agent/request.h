/*
 * A request to a spawner: how it comes over the channel, and as what jail.c takes it.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

struct jail_file {
    const char *name; /* relative to the work directory; its directories are made */
    int fd;           /* its content, from offset 0 */
    int mode;
};

struct jail_spec {
    const struct jail_file *files;
    int file_count;
    int stdin_fd, stdout_fd, stderr_fd;
    int status_fd;
    int channel_fd;                /* a socket that is sent init's pidfd */
    int result_fd;                 /* becomes descriptor 3 of the run; -1: none */
    int link_fd;                   /* becomes descriptor 4 of the run; -1: none */
    int artifact_fd;               /* receives `artifact` or `outputs`; -1: none */
    const char *artifact;          /* plain file name in the work directory */
    uint64_t artifact_max_bytes;   /* of all that artifact_fd receives */
    const char *const *outputs;    /* NULL-terminated file names; NULL: none */
    uint64_t output_max_bytes;     /* of one of them */
    uint64_t cpu_s, stack_bytes, disk_bytes, processes;
    int has_next;                  /* whether another run is to follow in the same jail */
    char *const *argv;             /* NULL: return 0 in the run, for an interpreter to go on */
    char *const *envp;
    uid_t uid;                     /* set by jail_spawn */
    gid_t gid;
};

enum { MAX_REQUEST = 1 << 17, MAX_FILES = 64, FIXED_FDS = 6 };

/* As request.py packs it. Descriptors beside it: stdin, stdout, stderr, status, artifact, result,
 * the link if there is one, and the files' contents. */
struct jail_request {
    uint32_t is_next, has_next; /* for the jail of the run before; another one follows this one */
    uint64_t cpu_s, stack_bytes, disk_bytes, processes, artifact_max_bytes, output_max_bytes;
    uint32_t has_result, has_link, has_artifact, files, outputs, words, variables;
    uint32_t modes[MAX_FILES];
    char text[]; /* zero-terminated: role, its argument, artifact, names of files and outputs,
                    argv, environment */
};

static union {
    struct jail_request request;
    char bytes[MAX_REQUEST + 1];
} received;

static const char *role[2];

/* What to do in the caller's interpreter, and its argument: meant for the run. */
const char *jail_role(int index) {
    return role[index];
}

static char *next_string(char **cursor) {
    char *string = *cursor;
    *cursor += strlen(string) + 1;
    return string;
}

static char **next_strings(char **cursor, uint32_t count) {
    static char *pointers[MAX_REQUEST], **free_pointer;
    if (*cursor == received.request.text) free_pointer = pointers;
    char **strings = free_pointer;
    for (uint32_t i = 0; i < count; i++) strings[i] = next_string(cursor);
    strings[count] = NULL;
    free_pointer += count + 1;
    return strings;
}

static void decode(struct jail_spec *spec, struct jail_file *files, const int *fds) {
    const struct jail_request *request = &received.request;
    char *cursor = received.request.text;
    char **fixed = next_strings(&cursor, 3);
    role[0] = fixed[0], role[1] = fixed[1];
    const int *contents = fds + FIXED_FDS + request->has_link;
    for (uint32_t i = 0; i < request->files; i++)
        files[i] = (struct jail_file){next_string(&cursor), contents[i], (int)request->modes[i]};
    char **outputs = next_strings(&cursor, request->outputs);
    char **argv = next_strings(&cursor, request->words);
    *spec = (struct jail_spec){
        .files = files,
        .file_count = (int)request->files,
        .stdin_fd = fds[0], .stdout_fd = fds[1], .stderr_fd = fds[2], .status_fd = fds[3],
        .artifact_fd = request->has_artifact || request->outputs ? fds[4] : -1,
        .result_fd = request->has_result ? fds[5] : -1,
        .link_fd = request->has_link ? fds[6] : -1,
        .artifact = request->has_artifact ? fixed[2] : NULL,
        .artifact_max_bytes = request->artifact_max_bytes,
        .outputs = request->outputs ? (const char *const *)outputs : NULL,
        .output_max_bytes = request->output_max_bytes,
        .cpu_s = request->cpu_s, .stack_bytes = request->stack_bytes,
        .disk_bytes = request->disk_bytes, .processes = request->processes,
        .has_next = (int)request->has_next,
        .argv = request->words ? argv : NULL,
        .envp = next_strings(&cursor, request->variables),
    };
}

/* One request and its descriptors; their number, or -1 if there is none that could be served. */
static int receive(int channel_fd, int *fds, int max_fds) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_FILES * sizeof(int))];
    } control;
    struct iovec payload = {.iov_base = received.bytes, .iov_len = MAX_REQUEST};
    struct msghdr message = {.msg_iov = &payload, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE((size_t)max_fds * sizeof(int))};
    ssize_t length;
    do length = recvmsg(channel_fd, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < (ssize_t)sizeof(struct jail_request)) return -1;
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) return -1;
    received.bytes[length] = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS) return -1;
    size_t size = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(header), size);
    return (int)(size / sizeof(int));
}
