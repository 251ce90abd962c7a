// What TCP echo costs a program that does nothing else: no check of what comes back, no histogram.
//
//   echo serve PORT          an echo server: one thread, level-triggered epoll, one buffer
//   echo pingpong PORT N     N rounds of 64 bytes on one connection
//   echo spin PORT N         the same, never waiting in the kernel
//   echo connect PORT N      N times connect, one round, close
//
// The clients print their rounds a second. Everything is on the loopback.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64 };

static struct sockaddr_in loopback(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void must(int ok, const char *what) {
  if (!ok) {
    perror(what);
    exit(1);
  }
}

static void no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void serve(const char *port) {
  static char buffer[65536];
  struct sockaddr_in address = loopback(port);
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  must(bind(listener, (void *)&address, sizeof address) == 0, "bind");
  must(listen(listener, 4096) == 0, "listen");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  puts("listening");
  fflush(stdout);
  for (;;) {
    int count = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int client;
        while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          no_delay(client);
          struct epoll_event wanted = {.events = EPOLLIN, .data.fd = client};
          epoll_ctl(poll, EPOLL_CTL_ADD, client, &wanted);
        }
      } else {
        ssize_t length = read(fd, buffer, sizeof buffer);
        if (length <= 0 || write(fd, buffer, length) != length) close(fd);
      }
    }
  }
}

static int connected(const struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  must(fd >= 0, "socket");
  must(connect(fd, (const void *)address, sizeof *address) == 0, "connect");
  return fd;
}

static void round_trip(int fd, int flags) {
  static char bytes[SIZE];
  must(send(fd, bytes, SIZE, 0) == SIZE, "send");
  for (int got = 0; got < SIZE;) {
    ssize_t length = recv(fd, bytes, SIZE - got, flags);
    if (length < 0 && errno == EAGAIN) continue;
    must(length > 0, "recv");
    got += length;
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "serve") == 0) serve(arguments[2]);
  if (count != 4) return 2;
  struct sockaddr_in address = loopback(arguments[2]);
  long rounds = atol(arguments[3]);
  double start = now();
  if (strcmp(arguments[1], "connect") == 0) {
    for (long i = 0; i < rounds; i++) {
      int fd = connected(&address);
      round_trip(fd, 0);
      close(fd);
    }
  } else {
    int fd = connected(&address), flags = strcmp(arguments[1], "spin") == 0 ? MSG_DONTWAIT : 0;
    no_delay(fd);
    for (long i = 0; i < rounds; i++) round_trip(fd, flags);
  }
  printf("%.0f\n", rounds / (now() - start));
}
