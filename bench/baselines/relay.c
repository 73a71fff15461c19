/* Owns the raw TCP floor: `relay PORT` echoes what comes, `relay PORT BACKEND_PORT` passes bytes to a backend and back,
 * one upstream connection for each one accepted. What a proxy must make the kernel do, and nothing else.
 * Must not look at the bytes. Level-triggered poll, one thread, blocking upstream connect at accept. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENDS = 512, ROOM = 1 << 20 };

/* Bytes read from `fd` wait here until `other` (itself, for an echo) takes them. */
struct end {
    int fd, other;
    size_t start, size;
    unsigned char *data;
};

static struct end ends[ENDS];
static struct pollfd polled[ENDS];
static int count = 1; /* 0 is the listener */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in local(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int add(int fd) {
    int one = 1;
    if (count == ENDS) {
        fprintf(stderr, "more than %d connections\n", ENDS - 1);
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ends[count] = (struct end){.fd = fd, .other = count, .data = malloc(ROOM)};
    polled[count] = (struct pollfd){.fd = fd, .events = POLLIN};
    return count++;
}

static void take_connection(int listener, int backend_port) {
    int fd = accept(listener, NULL, NULL), near, far;
    if (fd < 0) return;
    near = add(fd);
    if (backend_port) {
        struct sockaddr_in address = local(backend_port);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
        far = add(fd);
        ends[near].other = far;
        ends[far].other = near;
    }
}

static void drop(int index) {
    int other = ends[index].other;
    close(ends[index].fd);
    polled[index].fd = -1;
    if (other != index && polled[other].fd >= 0) {
        close(ends[other].fd);
        polled[other].fd = -1;
    }
}

/* Passes on what waits. */
static void push(int index) {
    struct end *end = &ends[index];
    int other = end->other;
    while (end->size) {
        ssize_t done = send(ends[other].fd, end->data + end->start, end->size, MSG_NOSIGNAL);
        if (done < 0) {
            if (errno == EAGAIN) break;
            drop(index);
            return;
        }
        end->start += done;
        end->size -= done;
    }
    if (!end->size) end->start = 0;
    if (end->size) polled[other].events |= POLLOUT;
    else polled[other].events &= ~POLLOUT;
    if (end->size) polled[index].events &= ~POLLIN;
    else polled[index].events |= POLLIN;
}

static void pull(int index) {
    struct end *end = &ends[index];
    ssize_t size = recv(end->fd, end->data, ROOM, 0);
    if (size > 0) {
        end->size = size;
        push(index);
    } else if (size == 0 || errno != EAGAIN) {
        drop(index);
    }
}

/* Whose bytes wait for `index` to be writable. */
static int source_of(int index) { return ends[index].other; }

int main(int argc, char **argv) {
    struct sockaddr_in address = local(argc > 1 ? atoi(argv[1]) : 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, index;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) die("listen");
    polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    fprintf(stderr, "ready\n");
    for (;;) {
        if (poll(polled, count, -1) < 0) die("poll");
        if (polled[0].revents) take_connection(listener, argc > 2 ? atoi(argv[2]) : 0);
        for (index = 1; index < count; index++) {
            short what = polled[index].revents;
            if (polled[index].fd < 0 || !what) continue;
            polled[index].revents = 0;
            if (what & POLLOUT) push(source_of(index));
            if (polled[index].fd >= 0 && what & (POLLIN | POLLHUP | POLLERR) && !ends[index].size) pull(index);
        }
    }
}
