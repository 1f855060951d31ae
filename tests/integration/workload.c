/* A program that makes system calls in known numbers, as it is told on its standard input:
 *
 *   calls N         each thread made at the start makes N rounds
 *   thread N        a new thread makes N rounds and ends
 *   child N         a new process makes N rounds, and a thread of it N more; it ends
 *   storm COUNT N   COUNT processes, eight at a time, make N rounds each and end
 *   spin            the threads make rounds until the next line comes
 *   pace            the same, with a tenth of a millisecond between rounds
 *
 * Each is answered with "ok", the rounds made by the threads, and the tids of whom it made.
 * A round is: read 7 bytes, read from no file, write 5 bytes, open and close /dev/null, open what
 * does not exist, seek to a place of its own, getppid.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, AT_ONCE = 8 };

static int zero, null, file;
static struct { _Atomic int count; int tids[MOST]; } *made;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turn, wanted, busy, rounds;
static atomic_int stop, paced;

static void round_of_calls(long place)
{
    char bytes[16];
    syscall(SYS_read, zero, bytes, 7);
    syscall(SYS_read, -1, bytes, 11);
    syscall(SYS_write, null, bytes, 5);
    syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY));
    syscall(SYS_openat, AT_FDCWD, "/does-not-exist", O_RDONLY);
    syscall(SYS_lseek, file, place, SEEK_SET);
    syscall(SYS_getppid);
}

static void rounds_of_calls(long count)
{
    long own = syscall(SYS_gettid) << 32;
    for (long i = 0; i < count; i++)
        round_of_calls(own + i);
}

static void note_self(void) { made->tids[made->count++ % MOST] = syscall(SYS_gettid); }

static void *early(void *unused)
{
    long done = 0, place = syscall(SYS_gettid) << 32;
    struct timespec pause = { 0, 100000 };
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (turn == done)
            pthread_cond_wait(&changed, &mutex);
        done = turn;
        long count = wanted, own = 0;
        pthread_mutex_unlock(&mutex);
        for (; own < count || (count < 0 && !stop); own++) {
            round_of_calls(place++);
            if (paced)
                nanosleep(&pause, NULL);
        }
        pthread_mutex_lock(&mutex);
        rounds += own;
        busy--;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void begin(long count, long threads)
{
    pthread_mutex_lock(&mutex);
    wanted = count, busy = threads, rounds = 0, turn++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void finish(void)
{
    pthread_mutex_lock(&mutex);
    while (busy)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void *late(void *count)
{
    note_self();
    rounds_of_calls((long)count);
    return NULL;
}

static void in_thread(long count)
{
    pthread_t thread;
    pthread_create(&thread, NULL, late, (void *)count);
    pthread_join(thread, NULL);
}

static void in_child(long count, int thread_too)
{
    if (fork())
        return;
    note_self();
    rounds_of_calls(count);
    if (thread_too)
        in_thread(count);
    _exit(0);
}

static void storm(long count, long each)
{
    for (long i = 0; i < count; i++) {
        if (i >= AT_ONCE)
            wait(NULL);
        in_child(each, 0);
    }
    while (wait(NULL) > 0)
        ;
}

static void answer(void)
{
    static char text[MOST * 12];
    int length = sprintf(text, "ok %ld", rounds);
    for (int i = 0; i < made->count && i < MOST; i++)
        length += sprintf(text + length, " %d", made->tids[i]);
    text[length++] = '\n';
    for (int sent = 0; sent < length;)
        sent += write(1, text + sent, length - sent);
}

static int next_line(char *line, int size)
{
    int length = 0;
    while (length < size - 1 && read(0, line + length, 1) == 1)
        if (line[length++] == '\n')
            break;
    line[length] = 0;
    return length;
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? atol(argv[1]) : 0, count, each;
    char line[64];
    pthread_t thread;
    zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    file = memfd_create("places", 0);
    made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < threads; i++)
        pthread_create(&thread, NULL, early, NULL);
    answer();
    while (next_line(line, sizeof line)) {
        made->count = rounds = 0;
        if (sscanf(line, "calls %ld", &count) == 1)
            begin(count, threads), finish();
        else if (sscanf(line, "thread %ld", &count) == 1)
            in_thread(count);
        else if (sscanf(line, "child %ld", &count) == 1)
            in_child(count, 1), wait(NULL);
        else if (sscanf(line, "storm %ld %ld", &count, &each) == 2)
            storm(count, each);
        else {
            stop = 0;
            paced = line[0] == 'p';
            begin(-1, threads);
            answer();
            next_line(line, sizeof line);
            stop = 1;
            finish();
            paced = 0;
        }
        answer();
    }
    return 0;
}
