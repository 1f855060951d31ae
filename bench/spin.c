/*
 * A trivial system call, as often as asked for: the worst case for any tracer.
 *
 * usage: spin CPU [own-namespace]
 * For each line "CALLS NANOSECONDS" on stdin: that many calls of getppid, so far apart (0: at
 * full speed), then a line "WALL_NS CPU_NS" on stdout.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void serve(void)
{
    char line[64];
    long calls, apart_ns;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%ld %ld", &calls, &apart_ns) != 2)
            exit(2);
        int64_t wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        for (long i = 0; i < calls; i++) {
            syscall(SYS_getppid);
            if (apart_ns)
                nanosleep(&(struct timespec){.tv_nsec = apart_ns}, NULL);
        }
        wall = now(CLOCK_MONOTONIC) - wall;
        cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        printf("%lld %lld\n", (long long)wall, (long long)cpu);
        fflush(stdout);
    }
}

int main(int count, char **words)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(atoi(words[1]), &one);
    sched_setaffinity(0, sizeof one, &one);
    if (count > 2) {
        if (unshare(CLONE_NEWPID))
            return perror("spin: unshare"), 1;
        pid_t child = fork();
        if (child)
            return waitpid(child, NULL, 0), 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    serve();
    return 0;
}
