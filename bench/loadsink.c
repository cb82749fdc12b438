/*
 * loadsink - what load generators are measured against: it takes everything at once and costs as little as it can.
 *
 *   loadsink [--lines PORT] [--http PORT] [--tls PORT CERT KEY] --ctl PORT
 *
 * Lines are counted by their line feeds, HTTP requests by the ends of their heads; each request is answered 200 with
 * two bytes, so it must have no body. Each port has one thread and one epoll loop, as a forwarder has, so that small
 * writes of a sender are read together; with TLS each connection has a thread. The control port answers GET with what
 * was counted since the last time, as JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_bytes = 256 * 1024, events_max = 256, pipelined_max = 256 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok";
enum { answer_bytes = sizeof answer - 1 };
static char answers[pipelined_max * answer_bytes];

static _Atomic uint64_t lines, requests, bytes, connections;

struct connection {
  int fd;
  int seen; /* bytes of "\r\n\r\n" so far */
};

/* A port: what takes the bytes of its connections, or the TLS context of their threads. */
struct port {
  int fd;
  int (*take)(struct connection *, char *, size_t);
  SSL_CTX *tls;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int take_lines(struct connection *from, char *at, size_t length) {
  (void)from;
  uint64_t found = 0;
  for (size_t i = 0; i < length; i++) found += at[i] == '\n';
  bytes += length;
  lines += found;
  return 0;
}

static int take_requests(struct connection *from, char *at, size_t length) {
  int heads = 0, seen = from->seen;
  for (size_t i = 0; i < length; i++) {
    seen = at[i] == (seen & 1 ? '\n' : '\r') ? seen + 1 : at[i] == '\r';
    if (seen == 4) {
      seen = 0;
      heads++;
    }
  }
  from->seen = seen;
  bytes += length;
  requests += heads;
  while (heads > 0) {
    int now = heads < pipelined_max ? heads : pipelined_max;
    if (write(from->fd, answers, (size_t)now * answer_bytes) < 0) return -1;
    heads -= now;
  }
  return 0;
}

static int take_control(struct connection *from, char *at, size_t length) {
  (void)at, (void)length;
  char body[256], whole[512];
  int size = snprintf(body, sizeof body, "{\"lines\":%llu,\"requests\":%llu,\"bytes\":%llu,\"connections\":%llu}\n",
    (unsigned long long)atomic_exchange(&lines, 0), (unsigned long long)atomic_exchange(&requests, 0),
    (unsigned long long)atomic_exchange(&bytes, 0), (unsigned long long)atomic_exchange(&connections, 0));
  int all = snprintf(whole, sizeof whole, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, body);
  if (write(from->fd, whole, all) < 0) perror("control");
  return -1;
}

static void *serve(void *given) {
  struct port *port = given;
  char *buffer = malloc(buffer_bytes);
  int loop = epoll_create1(0);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL }, events[events_max];
  if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, port->fd, &event) < 0) die("epoll");
  for (;;) {
    int count = epoll_wait(loop, events, events_max, -1);
    for (int i = 0; i < count; i++) {
      struct connection *one = events[i].data.ptr;
      if (one == NULL) {
        int fd = accept(port->fd, NULL, NULL), on = 1;
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        one = malloc(sizeof *one);
        *one = (struct connection){ fd, 0 };
        event.data.ptr = one;
        if (port->take != take_control) connections++;
        if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
        continue;
      }
      ssize_t got = read(one->fd, buffer, buffer_bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || port->take(one, buffer, got) < 0) {
        close(one->fd);
        free(one);
      }
    }
  }
  return NULL;
}

struct session {
  int fd;
  SSL_CTX *tls;
};

static void *serve_session(void *given) {
  struct session *mine = given;
  char *buffer = malloc(buffer_bytes);
  SSL *ssl = SSL_new(mine->tls);
  SSL_set_fd(ssl, mine->fd);
  if (SSL_accept(ssl) == 1) {
    for (int got; (got = SSL_read(ssl, buffer, buffer_bytes)) > 0;) take_lines(NULL, buffer, got);
  }
  SSL_free(ssl);
  close(mine->fd);
  free(buffer);
  free(mine);
  return NULL;
}

static void *serve_tls(void *given) {
  struct port *port = given;
  for (;;) {
    int fd = accept(port->fd, NULL, NULL);
    if (fd < 0) continue;
    struct session *session = malloc(sizeof *session);
    *session = (struct session){ fd, port->tls };
    connections++;
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_session, session) != 0) die("pthread_create");
    pthread_detach(thread);
  }
  return NULL;
}

static void listen_on(int number, int (*take)(struct connection *, char *, size_t), SSL_CTX *tls) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = {
    .sin_family = AF_INET, .sin_port = htons(number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) die("bind");
  if (listen(fd, 4096) < 0) die("listen");
  struct port *port = malloc(sizeof *port);
  *port = (struct port){ fd, take, tls };
  pthread_t thread;
  if (pthread_create(&thread, NULL, tls == NULL ? serve : serve_tls, port) != 0) die("pthread_create");
}

static SSL_CTX *tls_of(const char *cert, const char *key) {
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
      SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    exit(1);
  }
  return tls;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < pipelined_max; i++) memcpy(answers + i * answer_bytes, answer, answer_bytes);
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i];
    int rest = argc - i - 1;
    if (strcmp(name, "--lines") == 0 && rest >= 1) listen_on(atoi(argv[++i]), take_lines, NULL);
    else if (strcmp(name, "--http") == 0 && rest >= 1) listen_on(atoi(argv[++i]), take_requests, NULL);
    else if (strcmp(name, "--ctl") == 0 && rest >= 1) listen_on(atoi(argv[++i]), take_control, NULL);
    else if (strcmp(name, "--tls") == 0 && rest >= 3) {
      int number = atoi(argv[++i]);
      const char *cert = argv[++i];
      listen_on(number, take_lines, tls_of(cert, argv[++i]));
    } else {
      fprintf(stderr, "usage: loadsink [--lines PORT] [--http PORT] [--tls PORT CERT KEY] --ctl PORT\n");
      return 2;
    }
  }
  for (;;) pause();
}
