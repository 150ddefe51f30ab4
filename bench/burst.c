/* A piece on each of many sockets, one send each, with the wall clock right before and how long it took.
 *
 * What the kernel did not take at once is what `sent` lacks; -1 where the socket is broken.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void burst(int count, const int *sockets, const char *const *pieces, const int *bytes, int64_t *before_ns,
           int64_t *took_ns, int *sent) {
  for (int at = 0; at < count; at++) {
    before_ns[at] = now_ns();
    sent[at] = (int)send(sockets[at], pieces[at], (size_t)bytes[at], MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent[at] < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      sent[at] = 0;
    took_ns[at] = now_ns() - before_ns[at];
  }
}
