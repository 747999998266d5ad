// SPDX-License-Identifier: Apache-2.0
// The table of functions through which packetdrill drives a TCP that is a shared object (its option --so_filename),
// declared here by ourselves. Names, order and types are packetdrill's as of 2015-2025: the first 29 members have not
// changed since the interface appeared, the five from epoll_create on came later: a packetdrill that has no room for
// them is told by the flag table=short.
//
// All calls but `init` get `userdata` first and otherwise behave as the system call of the name: -1 and errno on error.
#ifndef CONFORMANCE_INTERFACE_H
#define CONFORMANCE_INTERFACE_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *len);
    int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
    ssize_t (*read)(void *userdata, int fd, void *to, size_t len);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int n);
    ssize_t (*recv)(void *userdata, int fd, void *to, size_t len, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *to, size_t len, int flags, struct sockaddr *from,
                        socklen_t *from_len);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *message, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *from, size_t len);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int n);
    ssize_t (*send)(void *userdata, int fd, const void *from, size_t len, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *from, size_t len, int flags,
                      const struct sockaddr *to, socklen_t to_len);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *message, int flags);
    int (*fcntl)(void *userdata, int fd, int command, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *len);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value, socklen_t len);
    int (*poll)(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);
    // An IP packet from the wire to the TCP under test. 0, or -1 and errno.
    int (*netdev_send)(void *userdata, const void *packet, size_t len);
    // The next packet that the TCP sends: *len is room and becomes the packet's length (0: nothing will ever come),
    // *time_us when it was sent. Time passes until there is one. 0, or -1 and errno.
    int (*netdev_receive)(void *userdata, void *packet, size_t *len, long long *time_us);
    int (*usleep)(void *userdata, useconds_t us);
    int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *events, int max, int timeout_ms);
    int (*pipe)(void *userdata, int fds[2]);
    int (*splice)(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t len,
                  unsigned flags);
};

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

#endif
