/* floor ADDRESS PORT STREAMS TOKENS STAGGER_S SECONDS: what receiving the streams costs at the least.
 *
 * A client that does what a load tester cannot leave out, and nothing else: one epoll, one recvmsg a read with the
 * kernel's time stamp, which it keeps; it sends the next request when an answer's last chunk has come. No JSON.
 * Streams begin spread over STAGGER_S. Prints JSON: reads, CPU s, and of it the kernel's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 65536, EVENTS = 512 };

struct stream {
  int fd;
  size_t reads, room;
  int64_t *stamps; /* of this answer's reads, ns */
};

static char request[1024], buffer[READ_BYTES];
static size_t request_bytes;
static long reads;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now_s(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void ask(struct stream *stream) {
  stream->reads = 0;
  if (send(stream->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
    fail("send");
}

static void begin(struct stream *stream, const struct sockaddr_in *server, int epoll) {
  int on = 1;
  struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = stream};
  stream->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (stream->fd < 0 || connect(stream->fd, (const struct sockaddr *)server, sizeof *server) < 0)
    fail("connect");
  setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(stream->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, stream->fd, &wanted) < 0)
    fail("epoll_ctl");
  ask(stream);
}

static int64_t stamp_ns(struct msghdr *message) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPNS) {
      struct timespec time;
      memcpy(&time, CMSG_DATA(part), sizeof time);
      return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    }
  return 0;
}

static void keep(struct stream *stream, int64_t ns) {
  if (stream->reads == stream->room) {
    stream->room = stream->room ? 2 * stream->room : 64;
    stream->stamps = realloc(stream->stamps, stream->room * sizeof *stream->stamps);
    if (!stream->stamps)
      fail("realloc");
  }
  stream->stamps[stream->reads++] = ns;
  reads++;
}

static void on_readable(struct stream *stream) {
  char control[CMSG_SPACE(sizeof(struct timespec))];
  struct iovec place = {buffer, READ_BYTES};
  struct msghdr message = {
      .msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t came = recvmsg(stream->fd, &message, MSG_DONTWAIT);
  if (came < 0 && errno == EAGAIN)
    return;
  if (came <= 0)
    fail("recvmsg");
  keep(stream, stamp_ns(&message));
  if (came >= 5 && !memcmp(buffer + came - 5, "0\r\n\r\n", 5))
    ask(stream);
}

int main(int count, char **given) {
  if (count != 7)
    return fprintf(stderr, "floor ADDRESS PORT STREAMS TOKENS STAGGER_S SECONDS\n"), 2;
  int streams = atoi(given[3]), begun = 0, epoll = epoll_create1(0);
  double stagger_s = atof(given[5]), seconds = atof(given[6]);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(given[2]))};
  struct stream *all = calloc((size_t)streams, sizeof *all);
  if (inet_pton(AF_INET, given[1], &server.sin_addr) != 1 || !all || epoll < 0)
    fail("begin");
  char body[512];
  int body_bytes = snprintf(body, sizeof body,
      "{\"model\":\"sim\",\"stream\":true,\"options\":{\"num_predict\":%d},\"messages\":"
      "[{\"role\":\"user\",\"content\":\"Tell me about the sea, at some length.\"}]}", atoi(given[4]));
  request_bytes = (size_t)snprintf(request, sizeof request,
      "POST /api/chat HTTP/1.1\r\nHost: floor\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
      body_bytes, body);

  double began_s = now_s(CLOCK_MONOTONIC), began_cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID), passed_s;
  struct epoll_event events[EVENTS];
  while ((passed_s = now_s(CLOCK_MONOTONIC) - began_s) < seconds) {
    while (begun < streams && (double)begun / streams * stagger_s <= passed_s)
      begin(&all[begun++], &server, epoll);
    int ready = epoll_wait(epoll, events, EVENTS, begun < streams ? 1 : 100);
    for (int at = 0; at < ready; at++)
      on_readable(events[at].data.ptr);
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"reads\":%ld,\"cpu_s\":%.6f,\"system_s\":%.6f}\n", reads,
      now_s(CLOCK_PROCESS_CPUTIME_ID) - began_cpu_s,
      (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6);
  return 0;
}
