/*
 * A collector for OTLP over HTTP that reads, counts and forgets, so that it never is what is slow.
 *
 * usage: sink
 * Prints the port it listens on, on loopback. For each line on stdin it prints
 * "REQUESTS BYTES SPANS OTHERS UNREAD CPU_NS": SPANS are spans that have a parent, OTHERS those
 * that have none, UNREAD requests that are compressed or no protobuf.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 16384
#define BODY_BYTES (64L << 20)

static atomic_long requests, received, spans, others, unread;

struct bytes {
    const uint8_t *at, *end;
};

static int varint(struct bytes *in, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

/* The next field: its number, and its content if it is of variable length. 0: none; -1: broken. */
static int field(struct bytes *in, struct bytes *content)
{
    uint64_t key, length;
    if (in->at == in->end)
        return 0;
    if (!varint(in, &key))
        return -1;
    switch (key & 7) {
    case 0:
        length = 0;
        if (!varint(in, &(uint64_t){0}))
            return -1;
        break;
    case 1: length = 8; break;
    case 5: length = 4; break;
    case 2:
        if (!varint(in, &length))
            return -1;
        break;
    default: return -1;
    }
    if (length > (uint64_t)(in->end - in->at))
        return -1;
    *content = (struct bytes){in->at, in->at + length};
    in->at += length;
    return key >> 3;
}

static int has_parent(struct bytes span)
{
    struct bytes content;
    for (int number; (number = field(&span, &content)) > 0;)
        if (number == 4)
            return content.at < content.end;
    return 0;
}

/* ExportTraceServiceRequest.resource_spans (1) .scope_spans (2) .spans (2) */
static int count_spans(struct bytes body)
{
    struct bytes resource, scope, span;
    int a, b, c;
    while ((a = field(&body, &resource)) > 0)
        while (a == 1 && (b = field(&resource, &scope)))
            if (b < 0)
                return -1;
            else
                while (b == 2 && (c = field(&scope, &span)))
                    if (c < 0)
                        return -1;
                    else if (c == 2)
                        (*(has_parent(span) ? &spans : &others))++;
    return a;
}

static int fill(int fd, uint8_t *into, long count)
{
    while (count > 0) {
        ssize_t got = read(fd, into, count);
        if (got <= 0)
            return 0;
        into += got;
        count -= got;
    }
    return 1;
}

static int read_head(int fd, char *head)
{
    int length = 0;
    while (length < HEAD_BYTES - 1) {
        ssize_t got = recv(fd, head + length, HEAD_BYTES - 1 - length, MSG_PEEK);
        if (got <= 0)
            return 0;
        head[length + got] = 0;
        char *end = strstr(head, "\r\n\r\n");
        int ours = end ? end + 4 - head - length : got;
        if (!fill(fd, (uint8_t *)head + length, ours))
            return 0;
        length += ours;
        head[length] = 0;
        if (end)
            return 1;
    }
    return 0;
}

static void *serve(void *argument)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                                 "Content-Length: 0\r\n\r\n";
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int fd = (int)(intptr_t)argument;
    char *head = malloc(HEAD_BYTES);
    uint8_t *body = malloc(BODY_BYTES);
    while (read_head(fd, head)) {
        char *length_text = strcasestr(head, "\r\ncontent-length:");
        long length = length_text ? atol(length_text + 17) : -1;
        if (length < 0 || length > BODY_BYTES)
            break;
        if (strcasestr(head, "\r\nexpect:") && write(fd, go_on, sizeof go_on - 1) < 0)
            break;
        if (!fill(fd, body, length))
            break;
        received += length;
        if (strcasestr(head, "\r\ncontent-encoding:") ||
            count_spans((struct bytes){body, body + length}) < 0)
            unread++;
        requests++;
        if (write(fd, answer, sizeof answer - 1) < 0)
            break;
    }
    free(head);
    free(body);
    close(fd);
    return NULL;
}

static void *report(void *unused)
{
    char line[16];
    struct timespec cpu;
    while (fgets(line, sizeof line, stdin)) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        printf("%ld %ld %ld %ld %ld %lld\n", requests, received, spans, others, unread,
               cpu.tv_sec * 1000000000LL + cpu.tv_nsec);
        fflush(stdout);
    }
    exit(0);
    return unused;
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof here;
    if (bind(listener, (struct sockaddr *)&here, size) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&here, &size))
        return perror("sink"), 1;
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, NULL, report, NULL);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd);
        pthread_detach(thread);
    }
    return 0;
}
