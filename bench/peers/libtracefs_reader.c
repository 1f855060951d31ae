/*
 * The C library for tracefs as it is meant to be used: a callback for each raw event.
 *
 * usage: libtracefs_reader INSTANCE
 * Prints "ready"; reads every 20 ms until a line comes on stdin, then to the end, and prints
 * "EVENTS CPU_NS": the entries and returns of system calls it was called back for.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <event-parse.h>
#include <tracefs.h>

static int count(struct tep_event *event, struct tep_record *record, int cpu, void *events)
{
    (void)record, (void)cpu;
    *(long *)events += !strncmp(event->name, "sys_", 4);
    return 0;
}

static long long cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **words)
{
    const char *systems[] = {"syscalls", NULL};
    if (argc != 2)
        return 2;
    struct tep_handle *formats = tracefs_local_events_system(NULL, systems);
    struct tracefs_instance *instance = tracefs_instance_create(words[1]);
    if (!formats || !instance)
        return perror("libtracefs_reader"), 1;
    long events = 0, before;
    puts("ready");
    fflush(stdout);
    long long began = cpu_ns();
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (!poll(&input, 1, 20))
        tracefs_iterate_raw_events(formats, instance, NULL, 0, count, &events);
    do {
        before = events;
        tracefs_iterate_raw_events(formats, instance, NULL, 0, count, &events);
    } while (events > before);
    printf("%ld %lld\n", events, cpu_ns() - began);
    return 0;
}
