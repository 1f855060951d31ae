/* The first process of a pod: waits, buries the orphans of a shared pid namespace, and ends when
 * it is told to. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal)
{
    (void)signal;
    _exit(0);
}

static void bury(int signal)
{
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int main(void)
{
    struct sigaction ending = { .sa_handler = end };
    struct sigaction burying = { .sa_handler = bury, .sa_flags = SA_NOCLDSTOP };
    sigaction(SIGTERM, &ending, NULL);
    sigaction(SIGINT, &ending, NULL);
    sigaction(SIGCHLD, &burying, NULL);
    for (;;)
        pause();
}
