// SPDX-License-Identifier: Apache-2.0
#include "netlink/rtnl_socket.h"

struct nl_sock *rtnl_socket_open(void)
{
    struct nl_sock *socket = nl_socket_alloc();

    if (socket && nl_connect(socket, NETLINK_ROUTE) < 0) {
        nl_socket_free(socket);
        return NULL;
    }
    return socket;
}

void rtnl_socket_listen(struct nl_sock *socket, nl_recvmsg_msg_cb_t event, void *context)
{
    nl_socket_disable_seq_check(socket);
    nl_socket_set_nonblocking(socket);
    nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, event, context);
}
