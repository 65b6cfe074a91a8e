/* The plainest relay that C can be: one UDP socket a leg, epoll, recvfrom, sendto. No latch, no RTP, no counters but
 * the kernel's. What a packet costs here is what the machine asks for the system calls alone.
 *
 *     naive_relay LEGS      prints a port for each leg; reads the port of each leg's party from stdin, then relays
 *                           between the legs 0-1, 2-3, ... until stdin ends
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

int main(int argc, char **argv)
{
    int legs = argc > 1 ? atoi(argv[1]) : 0;
    int *sockets = calloc(legs, sizeof *sockets);
    struct sockaddr_in *parties = calloc(legs, sizeof *parties);
    int poll = epoll_create1(0);

    for (int i = 0; i < legs; i++) {
        struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof local;
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&local, size))
            return 1;
        getsockname(sockets[i], (struct sockaddr *)&local, &size);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event);
        printf("%d\n", ntohs(local.sin_port));
    }
    fflush(stdout);
    for (int i = 0; i < legs; i++) {
        int port;
        if (scanf("%d", &port) != 1)
            return 1;
        parties[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                          .sin_port = htons(port)};
    }
    struct epoll_event end = {.events = EPOLLIN, .data.u32 = legs};
    fcntl(0, F_SETFL, O_NONBLOCK);
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &end);

    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int e = 0; e < count; e++) {
            char packet[2048];
            int leg = events[e].data.u32, other = leg ^ 1;
            if (leg == legs) {
                if (read(0, packet, sizeof packet) == 0)
                    return 0;
                continue;
            }
            struct sockaddr_in source;
            socklen_t size = sizeof source;
            ssize_t length = recvfrom(sockets[leg], packet, sizeof packet, 0, (struct sockaddr *)&source, &size);
            if (length > 0)
                sendto(sockets[other], packet, length, 0, (struct sockaddr *)&parties[other], sizeof parties[other]);
        }
    }
}
