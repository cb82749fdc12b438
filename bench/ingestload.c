/*
 * ingestload - senders that wait for answers, or that never do, for benchmarks of the sources (one thread, epoll).
 *
 *     ingestload relp PORT SECONDS CONNECTIONS WINDOW   lines of 200 bytes, WINDOW of them unanswered a connection
 *     ingestload udp PORT SECONDS RATE                  datagrams of 200 bytes, RATE a second
 *     ingestload thin PORT SECONDS CONNECTIONS RATE     HTTP requests of one event, RATE a second over all, keep-alive;
 *                                                       latency from when one was due
 *     ingestload churn PORT SECONDS RATE                a connection for each HTTP request, RATE a second
 *     ingestload drain PORT SECONDS                     listens: reads one connection to its end and looks at nothing
 *
 * Only to 127.0.0.1. Prints one line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 200, BLOCK = 64, EVENTS = 512 };

static struct sockaddr_in target;

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

/* Latencies in microseconds, one count per 10 us up to 10 s. */
static uint32_t counts[1000000];
static uint64_t latencies, latency_max;

static void latency(uint64_t ns) {
  uint64_t place = ns / 10000;
  counts[place < 999999 ? place : 999999]++;
  latencies++;
  if (ns > latency_max) latency_max = ns;
}

static double percentile(double p) {
  uint64_t want = latencies * p, seen = 0;
  for (int i = 0; i < 1000000; i++) if ((seen += counts[i]) > want) return i / 100.0;
  return 0;
}

static int dial(int flags) {
  int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) die("connect");
  return fd;
}

static void watch(int ep, int op, int fd, uint32_t events, uint32_t at) {
  struct epoll_event e = { .events = events, .data.u32 = at };
  if (epoll_ctl(ep, op, fd, &e) < 0) die("epoll_ctl");
}

static void syslog_line(char *line) {
  int n = snprintf(line, LINE, "<13>1 2026-01-02T03:04:05.678901Z web app 12 - - ");
  memset(line + n, 'x', LINE - n);
}

struct relp { int fd, open; size_t unsent; long outstanding; uint64_t sent_ns; };

static void relp(double seconds, int connections, long window) {
  static char block[BLOCK * (LINE + 32)], buffer[1 << 18];
  char line[LINE];
  size_t bytes = 0;
  syslog_line(line);
  for (int i = 0; i < BLOCK; i++) {
    bytes += sprintf(block + bytes, "%d syslog %d ", 2 + i, LINE);
    memcpy(block + bytes, line, LINE);
    bytes += LINE;
    block[bytes++] = '\n';
  }
  if (window < BLOCK) window = BLOCK;
  int ep = epoll_create1(0);
  struct relp *all = calloc(connections, sizeof *all);
  const char *offers = "relp_version=0\ncommands=syslog";
  for (int i = 0; i < connections; i++) {
    all[i].fd = dial(0);
    if (dprintf(all[i].fd, "1 open %zu %s\n", strlen(offers), offers) < 0) die("open");
    if (read(all[i].fd, buffer, sizeof buffer) <= 0) die("answer to open");
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    watch(ep, EPOLL_CTL_ADD, all[i].fd, EPOLLIN | EPOLLOUT, i);
  }
  uint64_t begin = now_ns(), end = begin + seconds * 1e9, answered = 0;
  struct epoll_event events[EVENTS];
  while (now_ns() < end) {
    int n = epoll_wait(ep, events, EVENTS, 100);
    for (int e = 0; e < n; e++) {
      struct relp *c = &all[events[e].data.u32];
      ssize_t got;
      while ((got = read(c->fd, buffer, sizeof buffer)) > 0) {
        long lines = 0;
        for (char *p = buffer; (p = memchr(p, '\n', buffer + got - p)) != NULL; p++) lines++;
        answered += lines;
        c->outstanding -= lines;
        if (c->sent_ns && c->outstanding <= window - BLOCK) { latency(now_ns() - c->sent_ns); c->sent_ns = 0; }
        if (got < (ssize_t)sizeof buffer) break;
      }
      if (got == 0 || (got < 0 && errno != EAGAIN)) die("a connection ended");
      while (c->unsent || c->outstanding + BLOCK <= window) {
        if (!c->unsent) { c->unsent = bytes; c->outstanding += BLOCK; if (!c->sent_ns) c->sent_ns = now_ns(); }
        ssize_t put = write(c->fd, block + bytes - c->unsent, c->unsent);
        if (put <= 0) break;
        c->unsent -= put;
      }
      watch(ep, EPOLL_CTL_MOD, c->fd, EPOLLIN | (c->unsent ? EPOLLOUT : 0), events[e].data.u32);
    }
  }
  double took = (now_ns() - begin) / 1e9;
  printf("%.0f lines/s answered, window p50 %.2f p99 %.2f max %.1f ms\n", answered / took, percentile(.5),
         percentile(.99), latency_max / 1e6);
}

static void udp(double seconds, double rate) {
  char line[LINE];
  syslog_line(line);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0) die("connect");
  struct iovec io = { line, LINE };
  struct mmsghdr messages[BLOCK];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BLOCK; i++) messages[i].msg_hdr = (struct msghdr){ .msg_iov = &io, .msg_iovlen = 1 };
  uint64_t begin = now_ns(), sent = 0, refused = 0, want = seconds * rate;
  while (sent < want) {
    uint64_t due = (now_ns() - begin) / 1e9 * rate;
    if (due > want) due = want;
    if (due <= sent) { usleep(500); continue; }
    int n = due - sent > BLOCK ? BLOCK : due - sent;
    int put = sendmmsg(fd, messages, n, 0);
    if (put < 0) { refused++; continue; }
    sent += put;
  }
  printf("%llu datagrams sent, %.0f/s, %llu refused by the kernel\n", (unsigned long long)sent,
         sent / ((now_ns() - begin) / 1e9), (unsigned long long)refused);
}

static int request(char *buffer, const char *fields) {
  char line[257];
  memset(line, 'x', 256);
  line[256] = 0;
  return sprintf(buffer, "POST /v1/ingest?ack=memory HTTP/1.1\r\nHost: h\r\n%sContent-Length: 256\r\n\r\n%s", fields, line);
}

struct thin { int fd; uint64_t due; };

static void thin(double seconds, int connections, double rate) {
  char text[1024], buffer[4096];
  int bytes = request(text, ""), ep = epoll_create1(0), at = 0;
  struct thin *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    all[i].fd = dial(0);
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    watch(ep, EPOLL_CTL_ADD, all[i].fd, EPOLLIN, i);
  }
  uint64_t begin = now_ns(), end = begin + seconds * 1e9, sent = 0, bad = 0, skipped = 0;
  struct epoll_event events[EVENTS];
  for (uint64_t t = begin; t < end || (latencies < sent && t < end + 3000000000u); t = now_ns()) {
    while (t < end && sent + skipped < (t - begin) / 1e9 * rate) {
      struct thin *c = &all[at++ % connections];
      /* One that waits for its answer still: its latency goes on. */
      if (c->due) { skipped++; continue; }
      c->due = begin + (sent + skipped) / rate * 1e9;
      if (write(c->fd, text, bytes) != bytes) die("write");
      sent++;
    }
    int n = epoll_wait(ep, events, EVENTS, 1);
    for (int e = 0; e < n; e++) {
      struct thin *c = &all[events[e].data.u32];
      ssize_t got = read(c->fd, buffer, sizeof buffer);
      if (got == 0) die("a connection ended");
      if (got < 0) continue;
      if (memcmp(buffer, "HTTP/1.1 2", 10) != 0) bad++;
      latency(now_ns() - c->due);
      c->due = 0;
    }
  }
  printf("p50 %.2f p99 %.2f max %.1f ms, %llu requests, %llu bad, %llu left out, %llu unanswered\n", percentile(.5),
         percentile(.99), latency_max / 1e6, (unsigned long long)sent, (unsigned long long)bad,
         (unsigned long long)skipped, (unsigned long long)(sent - latencies));
}

static void churn(double seconds, double rate) {
  enum { FDS = 65536 };
  static uint64_t began[FDS];
  char text[1024], buffer[4096];
  int bytes = request(text, "Connection: close\r\n"), ep = epoll_create1(0), open = 0;
  uint64_t begin = now_ns(), end = begin + seconds * 1e9, made = 0, good = 0, bad = 0;
  struct epoll_event events[EVENTS];
  for (uint64_t t = begin; t < end || (open > 0 && t < end + 5000000000u); t = now_ns()) {
    while (t < end && open < 4000 && made < (t - begin) / 1e9 * rate) {
      int fd = dial(SOCK_NONBLOCK);
      began[fd] = now_ns();
      watch(ep, EPOLL_CTL_ADD, fd, EPOLLOUT, fd);
      made++;
      open++;
    }
    int n = epoll_wait(ep, events, EVENTS, 1);
    for (int e = 0; e < n; e++) {
      int fd = events[e].data.u32;
      if (events[e].events & EPOLLOUT) {
        if (write(fd, text, bytes) == bytes) { watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN, fd); continue; }
      } else {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got > 0) { if (memcmp(buffer, "HTTP/1.1 2", 10) == 0) { good++; latency(now_ns() - began[fd]); } continue; }
      }
      close(fd);
      open--;
    }
  }
  bad = made - good;
  printf("%.0f connections/s, p50 %.2f p99 %.2f max %.1f ms, %llu of %llu not answered\n", made / seconds,
         percentile(.5), percentile(.99), latency_max / 1e6, (unsigned long long)bad, (unsigned long long)made);
}

/* A reader that does nothing with what it reads: what a sender costs the machine without a forwarder. */
static void drain(double seconds) {
  static char buffer[512 * 1024];
  struct timeval most = { .tv_sec = (time_t)seconds };
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, from;
  uint64_t bytes = 0;
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  if (bind(fd, (struct sockaddr *)&target, sizeof target) < 0 || listen(fd, 1) < 0) die("listen");
  if ((from = accept(fd, NULL, NULL)) < 0) die("accept");
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) bytes += n;
  printf("%.0f MB read\n", bytes / 1e6);
}

int main(int argc, char **argv) {
  if (argc < 4) { fprintf(stderr, "usage: ingestload relp|udp|thin|churn|drain PORT SECONDS ...\n"); return 2; }
  target = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  double seconds = atof(argv[3]), a = argc > 4 ? atof(argv[4]) : 0, b = argc > 5 ? atof(argv[5]) : 0;
  if (!strcmp(argv[1], "relp")) relp(seconds, a, b);
  else if (!strcmp(argv[1], "udp")) udp(seconds, a);
  else if (!strcmp(argv[1], "thin")) thin(seconds, a, b);
  else if (!strcmp(argv[1], "churn")) churn(seconds, a);
  else if (!strcmp(argv[1], "drain")) drain(seconds);
  else return 2;
  return 0;
}
