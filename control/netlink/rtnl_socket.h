// SPDX-License-Identifier: Apache-2.0
// Sockets to the kernel's routing tables, addresses and links (rtnetlink). Main thread.
#ifndef NETLINK_RTNL_SOCKET_H
#define NETLINK_RTNL_SOCKET_H

#include <netlink/netlink.h>

// Connected; NULL where the kernel or a sandbox refuses, or memory is out. nl_socket_free() ends it.
struct nl_sock *rtnl_socket_open(void);
// Makes it one for events: they are read without waiting, and each goes to `event`.
void rtnl_socket_listen(struct nl_sock *socket, nl_recvmsg_msg_cb_t event, void *context);

#endif
