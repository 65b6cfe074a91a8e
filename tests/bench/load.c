/* The parties of many calls: 172-byte RTP packets every 20 ms from each leg, evenly spread over the 20 ms, and what
 * comes back. It never sleeps, having a core of its own; with TICK it does, and sends once in so many microseconds
 * what has become due. Latency is from just before send() to the kernel's receipt of the packet at the other party
 * (SO_TIMESTAMPNS): what this program reads late itself is not counted as the relay's.
 *
 *     load LEGS [TICK]    prints a port for each leg; reads from stdin the relay's port for each leg, then lines
 *                         "run SECONDS"; answers each with "sent received p50 p99 max" (latency in microseconds)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define EVENTS 64
#define BUCKETS 100000 /* one for each microsecond, the last for all above */
#define PERIOD 20000000LL
#define LINGER 100000000LL

static int legs, poll_fd, *sockets;
static int64_t tick;
static uint32_t histogram[BUCKETS + 1];

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void send_one(int leg, uint16_t seq, int64_t now)
{
    unsigned char packet[172];
    int64_t wall = nanoseconds(CLOCK_REALTIME);
    uint32_t stamp = htonl((uint32_t)(now / 125000)), ssrc = htonl(0x1000 + leg);
    memset(packet, 0xD5, sizeof packet);
    packet[0] = 0x80;
    packet[1] = 8;
    packet[2] = seq >> 8;
    packet[3] = seq & 0xFF;
    memcpy(packet + 4, &stamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    memcpy(packet + 12, &wall, sizeof wall);
    send(sockets[leg], packet, sizeof packet, 0);
}

/* One packet: the microseconds it took, -1 when it is none of ours. A relay may send RTCP to a port that another has. */
static int64_t receive_one(int leg)
{
    unsigned char packet[2048];
    char control[64];
    struct iovec part = {packet, sizeof packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct timespec came;
    int64_t sent, late;
    if (recvmsg(sockets[leg], &message, 0) != 172 || !CMSG_FIRSTHDR(&message))
        return -1;
    memcpy(&came, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof came);
    memcpy(&sent, packet + 12, sizeof sent);
    late = (came.tv_sec * 1000000000LL + came.tv_nsec - sent) / 1000;
    return late < 0 ? 0 : late > BUCKETS ? BUCKETS : late;
}

static long receive(void)
{
    struct epoll_event events[EVENTS];
    long received = 0;
    int count = epoll_wait(poll_fd, events, EVENTS, 0);
    for (int e = 0; e < count; e++) {
        int64_t late = receive_one(events[e].data.u32);
        if (late >= 0) {
            histogram[late]++;
            received++;
        }
    }
    return received;
}

static void sleep_until(int64_t at)
{
    struct timespec then = {.tv_sec = at / 1000000000LL, .tv_nsec = at % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

static int quantile(long received, double part)
{
    long left = (long)(received * part);
    for (int i = 0; i <= BUCKETS; i++)
        if ((left -= histogram[i]) < 0)
            return i;
    return BUCKETS;
}

static void run(double seconds)
{
    static uint16_t seq = 1;
    int64_t start = nanoseconds(CLOCK_MONOTONIC), rounds = (int64_t)(seconds * 1e9 / PERIOD), due = 0;
    int64_t total = rounds * legs;
    long received = 0, more;
    memset(histogram, 0, sizeof histogram);
    for (;;) {
        int64_t now = nanoseconds(CLOCK_MONOTONIC);
        while (due < total && start + (due / legs) * PERIOD + (due % legs) * PERIOD / legs <= now) {
            send_one(due % legs, seq + due / legs, now);
            due++;
        }
        do
            received += more = receive();
        while (tick && more == EVENTS);
        if (due == total && now > start + rounds * PERIOD + LINGER)
            break;
        if (tick)
            sleep_until(now + tick);
    }
    seq += rounds;
    int highest = BUCKETS;
    while (highest && !histogram[highest])
        highest--;
    printf("%ld %ld %d %d %d\n", (long)total, received, quantile(received, 0.5), quantile(received, 0.99), highest);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    legs = argc > 1 ? atoi(argv[1]) : 0;
    tick = argc > 2 ? 1000LL * atoi(argv[2]) : 0;
    sockets = calloc(legs, sizeof *sockets);
    poll_fd = epoll_create1(0);
    for (int i = 0; i < legs; i++) {
        struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof local;
        int yes = 1;
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&local, size) ||
            setsockopt(sockets[i], SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes))
            return 1;
        getsockname(sockets[i], (struct sockaddr *)&local, &size);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, sockets[i], &event);
        printf("%d\n", ntohs(local.sin_port));
    }
    fflush(stdout);
    for (int i = 0; i < legs; i++) {
        int port;
        if (scanf("%d", &port) != 1)
            return 1;
        struct sockaddr_in relay = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons(port)};
        connect(sockets[i], (struct sockaddr *)&relay, sizeof relay);
    }
    double seconds;
    while (scanf(" run %lf", &seconds) == 1)
        run(seconds);
    return 0;
}
