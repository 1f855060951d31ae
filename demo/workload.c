/*
 * A container without a container runtime, doing known amounts of work.
 *
 * It moves into namespaces of its own, starts PROCESSES processes of THREADS threads each, and
 * waits. Each SIGUSR1 makes every thread do one round of calls, and every process some forks;
 * then a line is written (with writev, which is not among the calls that are counted).
 * SIGTERM to the first process ends all.
 *
 * Calls go through syscall(2), so that no C library adds or leaves out any.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int processes, threads, reads, writes, opens, failures, forks;

static struct shared {
    atomic_int rounds; /* how many were asked for */
    atomic_int ready;  /* threads that wait for the first */
    atomic_int done;   /* threads that did the last */
} *shared;

static void die(const char *what)
{
    fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void another_round(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&shared->rounds, 1);
}

static void pause_a_little(void)
{
    struct timespec two_ms = {.tv_nsec = 2000000};
    nanosleep(&two_ms, NULL);
}

static void make_calls(void)
{
    char buffer[256] = {0};
    int zero = (int)syscall(SYS_openat, AT_FDCWD, "/dev/zero", O_RDONLY | O_CLOEXEC, 0);
    int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC, 0);
    for (int i = 0; i < reads; i++)
        syscall(SYS_read, zero, buffer, sizeof buffer);
    for (int i = 0; i < writes; i++)
        syscall(SYS_write, null, buffer, 64);
    for (int i = 2; i < opens; i++)
        syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0));
    for (int i = 0; i < failures; i++)
        syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY, 0);
    syscall(SYS_close, zero);
    syscall(SYS_close, null);
}

static void make_children(void)
{
    for (int i = 0; i < forks; i++) {
        pid_t child = fork();
        if (child == 0) {
            syscall(SYS_getppid);
            _exit(i % 2);
        }
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

static void *thread(void *forking)
{
    int did = 0;
    atomic_fetch_add(&shared->ready, 1);
    for (;;) {
        while (atomic_load(&shared->rounds) == did)
            pause_a_little();
        did++;
        make_calls();
        if (forking)
            make_children();
        atomic_fetch_add(&shared->done, 1);
    }
    return NULL;
}

static void process(void)
{
    pthread_t other;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGUSR1, SIG_IGN);
    for (int i = 1; i < threads; i++)
        if (pthread_create(&other, NULL, thread, NULL))
            die("pthread_create");
    thread("forks too");
}

static void say(const char *word)
{
    struct iovec line = {.iov_base = (void *)word, .iov_len = strlen(word)};
    if (writev(STDOUT_FILENO, &line, 1) < 0)
        die("writev");
}

static void first_process(void)
{
    int all = processes * threads;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGUSR1, another_round);
    signal(SIGTERM, SIG_DFL);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
        die("mount");
    for (int i = 0; i < processes; i++)
        if (fork() == 0)
            process();
    while (atomic_load(&shared->ready) < all)
        pause_a_little();
    say("ready\n");
    for (int round = 1;; round++) {
        while (atomic_load(&shared->done) < round * all)
            pause_a_little();
        say("done\n");
    }
}

int main(int count, char **words)
{
    if (count != 8) {
        fprintf(stderr, "usage: workload PROCESSES THREADS READS WRITES OPENS FAILURES FORKS\n");
        return 2;
    }
    int *numbers[] = {&processes, &threads, &reads, &writes, &opens, &failures, &forks};
    for (int i = 0; i < 7; i++)
        *numbers[i] = atoi(words[i + 1]);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET))
        die("unshare");
    const char *name = getenv("HOSTNAME");
    if (name && sethostname(name, strlen(name)))
        die("sethostname");
    pid_t first = fork();
    if (first == 0)
        first_process();
    printf("%d\n", first);
    fflush(stdout);
    waitpid(first, NULL, 0);
    return 0;
}
