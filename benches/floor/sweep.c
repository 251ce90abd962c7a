/*
 * The floor under a sweep: one thread, one unprivileged ICMP socket, sendmmsg and recvmmsg in batches of 64, the
 * kernel's send and receive stamps, and an RTT printed for each host that answers. Nothing is checked that a
 * true pinger checks: this is what the kernel itself costs.
 *
 * usage: sweep FIRST-ADDRESS COUNT TIMEOUT-MS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, BODY = 56, MESSAGE = 8 + BODY };

static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec out_parts[BATCH], in_parts[BATCH];
static struct sockaddr_in out_names[BATCH], in_names[BATCH];
static char out_bytes[BATCH][MESSAGE], in_bytes[BATCH][256], control[BATCH][256];

static int64_t nanoseconds(const struct timespec *time) { return time->tv_sec * 1000000000LL + time->tv_nsec; }

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return nanoseconds(&time);
}

static void prepare(void) {
    for (int i = 0; i < BATCH; i++) {
        in_parts[i] = (struct iovec){in_bytes[i], sizeof in_bytes[i]};
        in[i].msg_hdr = (struct msghdr){&in_names[i], sizeof in_names[i], &in_parts[i], 1, control[i], sizeof control[i], 0};
    }
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    uint32_t first = ntohl(inet_addr(argv[1]));
    int count = atoi(argv[2]), answered = 0, sent = 0, stamped = 0;
    int64_t timeout = atoll(argv[3]) * 1000000, last = 0;
    int64_t *left = calloc(count, sizeof *left), *rtt = calloc(count, sizeof *rtt);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (fd < 0) { perror("socket"); return 3; }
    int room = 4 << 20, on = 1;
    int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                 SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
    setsockopt(fd, SOL_IP, IP_RECVTTL, &on, sizeof on);
    setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof on);
    while (answered < count) {
        int batch = count - sent < BATCH ? count - sent : BATCH;
        for (int i = 0; i < batch; i++) {
            out_names[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(first + sent + i)};
            struct icmphdr *header = (struct icmphdr *)out_bytes[i];
            header->type = ICMP_ECHO;
            header->un.echo.sequence = htons(1);
            uint32_t index = sent + i;
            memcpy(out_bytes[i] + 8, &index, sizeof index);
            out_parts[i] = (struct iovec){out_bytes[i], MESSAGE};
            out[i].msg_hdr = (struct msghdr){&out_names[i], sizeof out_names[i], &out_parts[i], 1, NULL, 0, 0};
        }
        if (batch > 0) {
            int done = sendmmsg(fd, out, batch, MSG_DONTWAIT);
            if (done > 0) { sent += done; last = now(); }
        } else {
            int64_t wait = last + timeout - now();
            if (wait <= 0) break;
            struct pollfd waiting = {fd, POLLIN, 0};
            poll(&waiting, 1, wait / 1000000 + 1);
        }
        for (int kind = 0; kind < 2; kind++) {
            for (;;) {
                prepare();
                int got = recvmmsg(fd, in, BATCH, MSG_DONTWAIT | (kind == 0 ? MSG_ERRQUEUE : 0), NULL);
                if (got <= 0) break;
                for (int i = 0; i < got; i++) {
                    int64_t stamp = 0;
                    uint32_t id = UINT32_MAX;
                    struct msghdr *message = &in[i].msg_hdr;
                    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING)
                            stamp = nanoseconds(&((struct scm_timestamping *)CMSG_DATA(c))->ts[0]);
                        else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) {
                            struct sock_extended_err *error = (struct sock_extended_err *)CMSG_DATA(c);
                            if (error->ee_origin == SO_EE_ORIGIN_TIMESTAMPING) id = error->ee_data;
                        }
                    }
                    if (kind == 0) {
                        if (id < (uint32_t)count) { left[id] = stamp; stamped++; }
                    } else {
                        uint32_t index;
                        memcpy(&index, in_bytes[i] + 8, sizeof index);
                        if (index < (uint32_t)count && rtt[index] == 0) {
                            rtt[index] = stamp - left[index];
                            answered++;
                        }
                    }
                }
                if (got < BATCH) break;
            }
        }
    }
    for (int i = 0; i < count; i++) {
        struct in_addr address = {htonl(first + i)};
        if (rtt[i] != 0) printf("%s %.3f\n", inet_ntoa(address), rtt[i] / 1e6);
    }
    fprintf(stderr, "%d of %d, %d stamps\n", answered, count, stamped);
    return answered == 0;
}
