/*
 * floor: what the operating system alone takes of a forwarder's work at a fixed rate.  It sleeps for 5 ms, reads what has
 * come from all senders, and writes it on as one request; it looks at no byte of it.  `bun bench/floor.ts` runs it.
 *
 *     floor PORT SINK_PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 1024
#define ROOM (4 << 20)

static char request[ROOM];

static void die(const char *what) { perror(what); exit(1); }

static void watch(int ep, int fd) {
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: floor PORT SINK_PORT\n"); return 2; }
    int one = 1, sink = socket(AF_INET, SOCK_STREAM, 0), door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(sink, (void *)&to, sizeof to)) die("connect");
    setsockopt(sink, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    to.sin_port = htons(atoi(argv[1]));
    if (bind(door, (void *)&to, sizeof to) || listen(door, 1024)) die("listen");
    int ep = epoll_create1(0);
    watch(ep, door);
    watch(ep, sink);
    static struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);
        size_t bytes = 4;
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == door) {
                for (int s; (s = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0;) watch(ep, s);
            } else {
                char answer[4096];
                int isSink = fd == sink;
                ssize_t r = recv(fd, isSink ? answer : request + bytes, isSink ? sizeof answer : ROOM - bytes, MSG_DONTWAIT);
                if (r == 0 && isSink) return 0;
                if (r == 0) close(fd);
                else if (r > 0 && !isSink) bytes += r;
            }
        }
        if (bytes > 4) {
            *(uint32_t *)request = htonl(bytes - 4);
            if (write(sink, request, bytes) < 0) return 0;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
}
