/*
 * System calls, as many as asked for and no others worth mentioning.
 *
 * usage: workload serve CPUS MIX [own-namespace]
 *            for each line "CALLS RATE" on stdin a round, and a line "WALL_NS CPU_NS" on stdout
 *        workload once CPUS MIX CALLS
 *            a round at full speed, and the line
 *
 * A round makes CALLS system calls on each of CPUS ("1" or "0,1"), RATE a second on each (0: at
 * full speed). MIX is "getppid", the worst case for any tracer, or "mix": getppid, openat, read,
 * write, futex, close, an openat that fails, getppid.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_CPUS 64
#define MIX_CALLS 8
#define SECOND 1000000000LL

struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    long calls, rate;
    int cpu, mixed;
    int64_t began, ended, cpu_ns;
};

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void stay_on(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void make_mix(void)
{
    static int nobody_waits;
    char bytes[64] = {0};
    syscall(SYS_getppid);
    int fd = syscall(SYS_openat, AT_FDCWD, "/dev/zero", O_RDWR);
    syscall(SYS_read, fd, bytes, sizeof bytes);
    syscall(SYS_write, fd, bytes, sizeof bytes);
    syscall(SYS_futex, &nobody_waits, FUTEX_WAKE, 1, NULL, NULL, 0);
    syscall(SYS_close, fd);
    syscall(SYS_openat, AT_FDCWD, "/dev/there-is-no-such-file", O_RDONLY);
    syscall(SYS_getppid);
}

static void make(long calls, int mixed)
{
    if (mixed)
        for (long i = 0; i < calls; i += MIX_CALLS)
            make_mix();
    else
        for (long i = 0; i < calls; i++)
            syscall(SYS_getppid);
}

/* Calls come in bursts, a millisecond apart or more, with a sleep after each. */
static void make_paced(long calls, int mixed, long rate)
{
    long burst = rate / 1000 ? rate / 1000 : 1;
    if (mixed)
        burst = (burst + MIX_CALLS - 1) / MIX_CALLS * MIX_CALLS;
    int64_t next = now(CLOCK_MONOTONIC);
    for (long made = 0; made < calls; made += burst) {
        make(calls - made < burst ? calls - made : burst, mixed);
        next += burst * SECOND / rate;
        struct timespec until = {next / SECOND, next % SECOND};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

static void *work(void *argument)
{
    struct worker *me = argument;
    stay_on(me->cpu);
    if (me->start)
        pthread_barrier_wait(me->start);
    me->began = now(CLOCK_MONOTONIC);
    me->cpu_ns = now(CLOCK_THREAD_CPUTIME_ID);
    if (me->rate)
        make_paced(me->calls, me->mixed, me->rate);
    else
        make(me->calls, me->mixed);
    me->cpu_ns = now(CLOCK_THREAD_CPUTIME_ID) - me->cpu_ns;
    me->ended = now(CLOCK_MONOTONIC);
    return NULL;
}

static void make_round(struct worker *workers, int count, long calls, long rate)
{
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, count);
    for (int i = 0; i < count; i++) {
        workers[i].start = count > 1 ? &start : NULL;
        workers[i].calls = calls;
        workers[i].rate = rate;
        if (i && pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            exit(3);
    }
    work(&workers[0]);
    int64_t began = workers[0].began, ended = workers[0].ended, cpu_ns = workers[0].cpu_ns;
    for (int i = 1; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        began = workers[i].began < began ? workers[i].began : began;
        ended = workers[i].ended > ended ? workers[i].ended : ended;
        cpu_ns += workers[i].cpu_ns;
    }
    printf("%lld %lld\n", (long long)(ended - began), (long long)cpu_ns);
    fflush(stdout);
}

static int take_cpus(char *list, struct worker *workers, int mixed)
{
    int count = 0;
    for (char *cpu = strtok(list, ","); cpu && count < MOST_CPUS; cpu = strtok(NULL, ","))
        workers[count++] = (struct worker){.cpu = atoi(cpu), .mixed = mixed};
    return count;
}

static int enter_namespace(void)
{
    if (unshare(CLONE_NEWPID))
        return perror("workload: unshare"), 1;
    pid_t child = fork();
    if (child) {
        waitpid(child, NULL, 0);
        exit(0);
    }
    return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int main(int count, char **words)
{
    static struct worker workers[MOST_CPUS];
    if (count < 4)
        return fprintf(stderr, "usage: workload serve|once CPUS MIX [...]\n"), 2;
    int cpus = take_cpus(words[2], workers, !strcmp(words[3], "mix"));
    if (!cpus)
        return fprintf(stderr, "workload: no CPU to work on\n"), 2;
    stay_on(workers[0].cpu);
    if (!strcmp(words[1], "once")) {
        make_round(workers, cpus, count > 4 ? atol(words[4]) : 0, 0);
        return 0;
    }
    if (count > 4 && enter_namespace())
        return 1;
    char line[64];
    long calls, rate;
    while (fgets(line, sizeof line, stdin) && sscanf(line, "%ld %ld", &calls, &rate) == 2)
        make_round(workers, cpus, calls, rate);
    return 0;
}
