/*
 * sendlines - syslog load sender for benchmarks (one thread, epoll; TCP or TLS).
 *
 * Sends exactly N lines over C connections.  Every line carries
 *     ~!CCCC.SSSSSSSS.TTTTTTTTTTTTTTTT~     connection . sequence . send time (ns), hex
 * so that the receiving end (ksink) can tell loss, duplicates, order and latency.
 *
 * blast (default): every connection is written as fast as the peer accepts it; the time in
 *     a line is the moment its block was handed to the socket.  With --seconds S it ends then.
 * --rate R: open loop.  R lines/s on a fixed schedule of ticks, whatever the peer does; what
 *     the socket does not take waits in this process.  The time in a line is the tick it was
 *     due at, so a stalled peer shows up in the latency (no coordinated omission).
 *
 * After the last byte the connections are half-closed and read until the peer closes
 * (--linger ms at most), then a JSON object is printed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RFC3164, RFC5424, JSON, MIXED };

static struct {
    const char *host, *cafile, *sni;
    int port, conns, size, fmt, octet, tls, apps, base, chunk, linger_ms, tick_us;
    int64_t lines;
    double rate, seconds;
} opt = { .host = "127.0.0.1", .port = 5514, .conns = 4, .size = 200, .fmt = RFC5424, .apps = 8,
          .chunk = 0, .linger_ms = 10000, .tick_us = 1000, .lines = 1000000 };

static void die(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(2);
}
static int64_t now_ns(clockid_t c) {
    struct timespec ts;
    clock_gettime(c, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

#define MARK 33
static void put_hex(char *p, uint64_t v, int n) {
    static const char d[] = "0123456789abcdef";
    while (n--) { p[n] = d[v & 15]; v >>= 4; }
}

/* ------------------------------------------------------------------ lines */

typedef struct {
    int fd;
    SSL *ssl;
    char *blk;                   /* blk_lines prepared lines; only the marker changes */
    char *out;                   /* rate mode: bytes not yet taken by the socket */
    size_t off, len, cap;
    int64_t seq, lines;          /* next sequence number, lines to send in all */
    int blocked, done;
} Conn;

static int blk_lines;            /* lines per prepared block */
static size_t stride;            /* bytes per line on the wire */
static size_t mark_at[256];      /* marker offset of line j (the prefix differs) */

static uint32_t rnd(void) { static uint32_t x = 2463534242u; x ^= x << 13; x ^= x >> 17; x ^= x << 5; return x; }

static void filler(char *p, int n) {
    static const char *w[] = { "connection", "accepted", "from", "10.23.7.114", "port", "51234", "user=alice", "session",
        "opened", "GET", "/api/v2/items", "200", "rtt_ms=12", "cache", "miss", "upstream", "timeout", "retry", "closed", "bytes=18342" };
    int i = 0;
    while (i < n) {
        const char *s = w[rnd() % (sizeof w / sizeof *w)];
        while (*s && i < n) p[i++] = *s++;
        if (i < n) p[i++] = ' ';
    }
    if (n && p[n - 1] == ' ') p[n - 1] = '.';
}

/*
 * mixed: what a rule set has to tell apart, in turn: "hello name", JSON with meta.topic (twice), plain text.
 * All lines have the same length, that of --size.
 */
static int mixed_text(char *pre, char *mid, char *post, int j, int app) {
    switch (j & 3) {
    case 0: strcpy(mid, " "); return sprintf(pre, "hello alice ");
    case 3: strcpy(mid, " "); return sprintf(pre, "plain text of app%02d ", app);
    default:
        strcpy(mid, "\",\"msg\":\"");
        strcpy(post, "\"}");
        return sprintf(pre, "{\"meta\":{\"topic\":\"logs-app%02d\"},\"level\":\"info\",\"id\":\"", app);
    }
}

/* Builds line j at p (without frame) and returns its length; *mark is the marker's offset. */
static int build_line(char *p, int j, int conn, size_t *mark) {
    char pre[256], post[8] = "", mid[16] = " ";
    int n, want = opt.size, app = j % opt.apps, host = conn % 100;
    if (opt.fmt == RFC3164)
        n = sprintf(pre, "<134>Nov 20 19:00:00 host%02d app%02d[%d]: ", host, app, 1000 + conn % 9000);
    else if (opt.fmt == RFC5424)
        n = sprintf(pre, "<134>1 2025-11-20T19:00:00.123456Z host%02d app%02d %d ID47 [ex@32473 iut=\"3\" src=\"web\"] ", host, app, 1000 + conn % 9000);
    else if (opt.fmt == MIXED) {
        n = sprintf(pre, "<134>1 2025-11-20T19:00:00.123456Z host%02d app%02d %d - - ", host, app, 1000 + conn % 9000);
        n += mixed_text(pre + n, mid, post, j, app);
    } else {
        n = sprintf(pre, "<134>1 2025-11-20T19:00:00.123456Z host%02d app%02d %d - - ", host, app, 1000 + conn % 9000);
        want += n;                                  /* the size is that of the JSON text */
        n += sprintf(pre + n, "{\"ts\":\"2025-11-20T19:00:00.123Z\",\"host\":\"host%02d\",\"app\":\"app%02d\",\"level\":\"info\",\"pid\":%d,\"ok\":true,\"dur\":12.75,\"id\":\"", host, app, 1000 + conn % 9000);
        strcpy(mid, "\",\"msg\":\"");
        strcpy(post, "\"}");
    }
    memcpy(p, pre, n);
    *mark = n;
    memset(p + n, '0', MARK);
    p[n] = '~'; p[n + 1] = '!'; p[n + 6] = '.'; p[n + 15] = '.'; p[n + 32] = '~';
    put_hex(p + n + 2, opt.base + conn, 4);
    n += MARK;
    n += sprintf(p + n, "%s", mid);
    int pad = want - n - (int)strlen(post);
    if (pad < 0) die("--size %d is too small for this format", opt.size);
    filler(p + n, pad);
    n += pad;
    n += sprintf(p + n, "%s", post);
    return n;
}

static void make_block(Conn *c, int id) {
    char *p = c->blk = malloc(stride * blk_lines + 16);
    for (int j = 0; j < blk_lines; j++) {
        char line[70000], *q = p + j * stride;
        size_t m;
        int n = build_line(line, j, id, &m);
        int h = opt.octet ? sprintf(q, "%d ", n) : 0;
        memcpy(q + h, line, n);
        mark_at[j] = h + m;
        if (!opt.octet) q[n] = '\n';
    }
}

static void stamp(char *line, int j, int64_t seq, int64_t t) {
    char *m = line + mark_at[j];
    put_hex(m + 7, seq, 8);
    put_hex(m + 16, t, 16);
}

/* ------------------------------------------------------------------ sockets */

static SSL_CTX *ctx;

static void connect_one(Conn *c) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(opt.port) };
    int one = 1;
    inet_pton(AF_INET, opt.host, &a.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(c->fd, (void *)&a, sizeof a)) die("connect %s:%d: %s", opt.host, opt.port, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (opt.tls) {
        c->ssl = SSL_new(ctx);
        SSL_set_fd(c->ssl, c->fd);
        if (opt.sni) SSL_set_tlsext_host_name(c->ssl, opt.sni);
        if (SSL_connect(c->ssl) != 1) { ERR_print_errors_fp(stderr); die("TLS handshake failed"); }
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static int64_t writes, eagain, bytes_sent;

/* >0 bytes taken, 0 would block; a broken connection ends the run */
static ssize_t put_some(Conn *c, const char *p, size_t n) {
    ssize_t r;
    writes++;
    if (c->ssl) {
        size_t w = 0;
        if (SSL_write_ex(c->ssl, p, n, &w) == 1) { bytes_sent += w; return w; }
        int e = SSL_get_error(c->ssl, 0);
        if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ) { eagain++; return 0; }
        ERR_print_errors_fp(stderr);
        die("TLS write failed (%d)", e);
    }
    r = send(c->fd, p, n, MSG_NOSIGNAL);
    if (r < 0) {
        if (errno == EAGAIN || errno == EINTR) { eagain++; return 0; }
        die("write: %s", strerror(errno));
    }
    bytes_sent += r;
    return r;
}

/* ------------------------------------------------------------------ the two modes */

static Conn *cs;
static int ep;
static int64_t first_ns, last_ns, max_backlog, max_late_ns;

static void arm(Conn *c, int on) {
    struct epoll_event e = { .events = on ? EPOLLOUT : 0, .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void blast(void) {
    int left = opt.conns;
    for (int i = 0; i < opt.conns; i++) arm(&cs[i], 1);
    first_ns = now_ns(CLOCK_REALTIME);
    int64_t end_ns = opt.seconds > 0 ? first_ns + (int64_t)(opt.seconds * 1e9) : 0;
    while (left) {
        struct epoll_event ev[64];
        int n = epoll_wait(ep, ev, 64, -1);
        for (int i = 0; i < n; i++) {
            Conn *c = ev[i].data.ptr;
            if (c->done) continue;
            if (c->off == c->len) {
                int64_t t = now_ns(CLOCK_REALTIME), k;
                if (end_ns && t >= end_ns) c->lines = c->seq;
                k = c->lines - c->seq;
                if (k > blk_lines) k = blk_lines;
                for (int j = 0; j < k; j++) stamp(c->blk + j * stride, j, c->seq + j, t);
                c->seq += k;
                c->off = 0;
                c->len = k * stride;
            }
            if (c->len) c->off += put_some(c, c->blk + c->off, c->len - c->off);
            if (c->off == c->len && c->seq == c->lines) { c->done = 1; left--; arm(c, 0); }
        }
    }
    last_ns = now_ns(CLOCK_REALTIME);
}

static int64_t backlog;

static void push(Conn *c) {
    while (c->off < c->len) {
        ssize_t r = put_some(c, c->out + c->off, c->len - c->off);
        if (!r) break;
        c->off += r;
        backlog -= r;
    }
    if (c->off == c->len) c->off = c->len = 0;
    int b = c->len > 0;
    if (b != c->blocked) { c->blocked = b; arm(c, b); }
}

static void paced(void) {
    int64_t tick = opt.tick_us * 1000LL, t0 = now_ns(CLOCK_MONOTONIC) + 2 * tick;
    int64_t real0 = t0 + now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
    int64_t sent = 0;
    int cur = 0;
    first_ns = real0;
    for (int64_t k = 0; sent < opt.lines || backlog; k++) {
        int64_t due = t0 + k * tick;
        struct timespec ts = { due / 1000000000LL, due % 1000000000LL };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
        int64_t late = now_ns(CLOCK_MONOTONIC) - due;
        if (sent < opt.lines && late > max_late_ns) max_late_ns = late;
        int64_t upto = (int64_t)(opt.rate * (k + 1) * opt.tick_us / 1e6);
        if (upto > opt.lines) upto = opt.lines;
        int n = upto - sent, touched = n < opt.conns ? n : opt.conns;
        for (int i = 0; i < n; i++) {               /* round robin over the connections */
            Conn *c = &cs[(cur + i) % opt.conns];
            int j = c->seq % blk_lines;
            if (c->len + stride > c->cap) {
                if (c->off) { memmove(c->out, c->out + c->off, c->len - c->off); c->len -= c->off; c->off = 0; }
                if (c->len + stride > c->cap) { c->cap = (c->len + stride) * 2 + 65536; c->out = realloc(c->out, c->cap); if (!c->out) die("out of memory"); }
            }
            memcpy(c->out + c->len, c->blk + j * stride, stride);
            stamp(c->out + c->len, j, c->seq++, real0 + k * tick);
            c->len += stride;
            backlog += stride;
        }
        sent = upto;
        for (int i = 0; i < touched; i++) { Conn *c = &cs[(cur + i) % opt.conns]; if (!c->blocked) push(c); }
        if (n > 0) cur = (cur + n) % opt.conns;
        struct epoll_event ev[64];
        int m = epoll_wait(ep, ev, 64, 0);
        for (int i = 0; i < m; i++) push(ev[i].data.ptr);
        if (backlog > max_backlog) max_backlog = backlog;
    }
    last_ns = now_ns(CLOCK_REALTIME);
}

static void finish(void) {
    char junk[4096];
    for (int i = 0; i < opt.conns; i++) {
        if (cs[i].ssl) { SSL_shutdown(cs[i].ssl); }
        shutdown(cs[i].fd, SHUT_WR);
    }
    int64_t end = now_ns(CLOCK_MONOTONIC) + opt.linger_ms * 1000000LL;
    for (int i = 0; i < opt.conns; i++) {
        for (;;) {                                   /* reading also empties TLS session tickets: no RST */
            ssize_t r = read(cs[i].fd, junk, sizeof junk);
            if (r > 0) continue;
            if (r == 0 || (errno != EAGAIN && errno != EINTR) || now_ns(CLOCK_MONOTONIC) > end) break;
            usleep(1000);
        }
        close(cs[i].fd);
    }
}

static void usage(void) {
    puts("sendlines [--host A] [--port N] [--conns C] [--lines N] [--size BYTES] [--rate LINES_PER_S]\n"
         "          [--format rfc3164|rfc5424|json|mixed] [--framing nl|octet] [--tls [--ca FILE] [--sni NAME]]\n"
         "          [--apps K] [--conn-base B] [--chunk BYTES] [--tick-us T] [--linger MS] [--seconds S]");
    exit(2);
}

int main(int argc, char **argv) {
    static const struct option lo[] = {
        { "host", 1, 0, 'h' }, { "port", 1, 0, 'p' }, { "conns", 1, 0, 'c' }, { "lines", 1, 0, 'n' }, { "size", 1, 0, 's' },
        { "rate", 1, 0, 'r' }, { "format", 1, 0, 'f' }, { "framing", 1, 0, 'F' }, { "tls", 0, 0, 't' }, { "ca", 1, 0, 'C' },
        { "sni", 1, 0, 'S' }, { "apps", 1, 0, 'a' }, { "conn-base", 1, 0, 'b' }, { "chunk", 1, 0, 'k' }, { "tick-us", 1, 0, 'T' },
        { "linger", 1, 0, 'l' }, { "seconds", 1, 0, 'S' + 128 }, { 0 } };
    for (int o; (o = getopt_long(argc, argv, "", lo, NULL)) != -1;) switch (o) {
        case 'h': opt.host = optarg; break;
        case 'p': opt.port = atoi(optarg); break;
        case 'c': opt.conns = atoi(optarg); break;
        case 'n': opt.lines = (int64_t)atof(optarg); break;
        case 's': opt.size = atoi(optarg); break;
        case 'r': opt.rate = atof(optarg); break;
        case 'f': opt.fmt = !strcmp(optarg, "rfc3164") ? RFC3164 : !strcmp(optarg, "rfc5424") ? RFC5424 : !strcmp(optarg, "json") ? JSON :
                  !strcmp(optarg, "mixed") ? MIXED : (usage(), 0); break;
        case 'F': opt.octet = !strcmp(optarg, "octet"); break;
        case 't': opt.tls = 1; break;
        case 'C': opt.cafile = optarg; break;
        case 'S': opt.sni = optarg; break;
        case 'a': opt.apps = atoi(optarg); break;
        case 'b': opt.base = atoi(optarg); break;
        case 'k': opt.chunk = atoi(optarg); break;
        case 'T': opt.tick_us = atoi(optarg); break;
        case 'l': opt.linger_ms = atoi(optarg); break;
        case 'S' + 128: opt.seconds = atof(optarg); break;
        default: usage();
    }
    if (opt.conns < 1 || opt.size > 65000 || opt.apps < 1 || opt.apps > 100) usage();
    signal(SIGPIPE, SIG_IGN);
    if (!opt.chunk) opt.chunk = opt.conns <= 32 ? 65536 : opt.conns <= 1000 ? 16384 : 4096;

    char probe[70000];
    size_t m;
    int n = build_line(probe, 0, 0, &m);            /* every line has the same length, */
    stride = n + (opt.octet ? snprintf(NULL, 0, "%d ", n) : 1);   /* pids have four digits */
    blk_lines = opt.chunk / stride;
    if (blk_lines < opt.apps) blk_lines = opt.apps;
    if (blk_lines > 256) blk_lines = 256;
    blk_lines -= blk_lines % opt.apps;

    if (opt.tls) {
        ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (opt.cafile) {
            if (!SSL_CTX_load_verify_locations(ctx, opt.cafile, NULL)) die("cannot read %s", opt.cafile);
            SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        }
    }
    ep = epoll_create1(0);
    cs = calloc(opt.conns, sizeof *cs);
    int64_t c0 = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < opt.conns; i++) {
        cs[i].lines = opt.lines / opt.conns + (i < opt.lines % opt.conns);
        make_block(&cs[i], i);
        connect_one(&cs[i]);
        struct epoll_event e = { .events = 0, .data.ptr = &cs[i] };
        epoll_ctl(ep, EPOLL_CTL_ADD, cs[i].fd, &e);
    }
    int64_t c1 = now_ns(CLOCK_MONOTONIC);

    struct rusage r0, r1;
    getrusage(RUSAGE_SELF, &r0);
    if (opt.rate > 0) paced(); else blast();
    getrusage(RUSAGE_SELF, &r1);
    finish();
    opt.lines = 0;
    for (int i = 0; i < opt.conns; i++) opt.lines += cs[i].seq;

    double wall = (last_ns - first_ns) / 1e9;
#define SEC(a) (a.tv_sec + a.tv_usec / 1e6)
    printf("{\"lines\":%ld,\"bytes\":%ld,\"line_bytes\":%zu,\"conns\":%d,\"first_ns\":%ld,\"last_ns\":%ld,\"write_s\":%.6f,"
           "\"lines_per_s\":%.0f,\"connect_s\":%.6f,\"writes\":%ld,\"eagain\":%ld,\"max_backlog_bytes\":%ld,\"max_tick_late_ms\":%.3f,"
           "\"cpu_user\":%.3f,\"cpu_sys\":%.3f}\n",
           opt.lines, bytes_sent, stride, opt.conns, first_ns, last_ns, wall, opt.lines / wall, (c1 - c0) / 1e9, writes, eagain,
           max_backlog, max_late_ns / 1e6, SEC(r1.ru_utime) - SEC(r0.ru_utime), SEC(r1.ru_stime) - SEC(r0.ru_stime));
    return 0;
}
