/*
 * delay - a TCP proxy that makes a peer as far away as it is told (one thread, epoll).
 *
 *     delay --listen PORT --to PORT --ms X
 *
 * Every byte leaves X milliseconds after it came, in both directions: a round trip takes 2X longer. Bytes under way
 * are kept in memory, as a long line would; more than QUEUE_MAX in one direction and it stops reading that one.
 * The end of one direction is passed on behind its last byte; a broken connection ends its partner.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX (64u << 20)
#define CHUNK 65536

typedef struct Chunk { struct Chunk *next; int64_t due; size_t len, off; char data[]; } Chunk;
typedef struct Side {
    struct Side *peer, *next;    /* what is read here is written to the peer */
    int fd, ended, shut, dead, wants_out;
    size_t queued;
    Chunk *head, **tail;         /* read here, due at the peer */
} Side;

static int ep, to_port;
static int64_t delay_ns;
static Side *sides;

static int64_t now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }

static void watch(Side *s, int op) {
    int reads = !s->ended && s->queued < QUEUE_MAX;
    struct epoll_event e = { .events = (reads ? EPOLLIN : 0) | (s->wants_out ? EPOLLOUT : 0), .data.ptr = s };
    epoll_ctl(ep, op, s->fd, &e);
}

static Side *side(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Side *s = calloc(1, sizeof *s);
    s->fd = fd;
    s->tail = &s->head;
    s->next = sides;
    sides = s;
    return s;
}

static void kill_pair(Side *s) {
    s->dead = s->peer->dead = 1;
}

static void on_accept(int lfd) {
    for (;;) {
        int a = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (a < 0) return;
        int b = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(to_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        if (connect(b, (void *)&to, sizeof to)) { close(a); close(b); continue; }
        Side *x = side(a), *y = side(b);
        x->peer = y;
        y->peer = x;
        watch(x, EPOLL_CTL_ADD);
        watch(y, EPOLL_CTL_ADD);
    }
}

static void on_read(Side *s) {
    Chunk *c = malloc(sizeof *c + CHUNK);
    ssize_t n = recv(s->fd, c->data, CHUNK, MSG_DONTWAIT);
    if (n <= 0) {
        free(c);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) { kill_pair(s); return; }
        s->ended = 1;
        watch(s, EPOLL_CTL_MOD);
        return;
    }
    c = realloc(c, sizeof *c + n);
    c->len = n;
    c->off = 0;
    c->due = now() + delay_ns;
    c->next = NULL;
    *s->tail = c;
    s->tail = &c->next;
    s->queued += n;
    if (s->queued >= QUEUE_MAX) watch(s, EPOLL_CTL_MOD);
}

/* Writes what is due of what `s` read; returns when the next is due, 0 for never. */
static int64_t pass_on(Side *s, int64_t t) {
    Side *to = s->peer;
    int blocked = 0;
    while (s->head && s->head->due <= t && !blocked) {
        Chunk *c = s->head;
        ssize_t n = send(to->fd, c->data + c->off, c->len - c->off, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) { blocked = 1; break; }
            kill_pair(s);
            return 0;
        }
        int was_full = s->queued >= QUEUE_MAX;
        c->off += n;
        s->queued -= n;
        if (was_full && s->queued < QUEUE_MAX) watch(s, EPOLL_CTL_MOD);
        if (c->off < c->len) continue;
        s->head = c->next;
        if (!s->head) s->tail = &s->head;
        free(c);
    }
    if (to->wants_out != blocked) { to->wants_out = blocked; watch(to, EPOLL_CTL_MOD); }
    if (!s->head && s->ended && !s->shut) { s->shut = 1; shutdown(to->fd, SHUT_WR); }
    if (s->shut && to->shut) kill_pair(s);
    return s->head && !blocked ? s->head->due : 0;
}

static void reap(void) {
    for (Side **p = &sides; *p;) {
        Side *s = *p;
        if (!s->dead) { p = &s->next; continue; }
        *p = s->next;
        close(s->fd);
        for (Chunk *c = s->head; c;) { Chunk *n = c->next; free(c); c = n; }
        free(s);
    }
}

int main(int argc, char **argv) {
    int port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--listen")) port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--to")) to_port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--ms")) delay_ns = (int64_t)(atof(argv[i + 1]) * 1e6);
    }
    if (!port || !to_port) { fputs("delay --listen PORT --to PORT --ms X\n", stderr); return 2; }
    signal(SIGPIPE, SIG_IGN);
    int lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(lfd, (void *)&at, sizeof at) || listen(lfd, 1024)) { perror("delay: listen"); return 2; }
    ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event le = { .events = EPOLLIN, .data.ptr = NULL };
    epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &le);
    for (;;) {
        int64_t t = now(), next = 0;
        for (Side *s = sides; s; s = s->next) {
            if (s->dead) continue;
            int64_t due = pass_on(s, t);
            if (due && (!next || due < next)) next = due;
        }
        reap();
        struct timespec wait = { 1, 0 };
        if (next) {
            int64_t left = next - now();
            if (left < 0) left = 0;
            wait = (struct timespec){ left / 1000000000LL, left % 1000000000LL };
        }
        struct epoll_event ev[256];
        int n = epoll_pwait2(ep, ev, 256, &wait, NULL);
        for (int i = 0; i < n; i++) {
            Side *s = ev[i].data.ptr;
            if (!s) { on_accept(lfd); continue; }
            if (s->dead) continue;
            if (ev[i].events & EPOLLIN) on_read(s);
            else if (ev[i].events & (EPOLLHUP | EPOLLERR)) kill_pair(s);
        }
    }
}
