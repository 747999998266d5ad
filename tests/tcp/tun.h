// SPDX-License-Identifier: Apache-2.0
// A TUN device for programs that put two TCP stacks at the ends of a path.
#ifndef TESTS_TCP_TUN_H
#define TESTS_TCP_TUN_H

// Makes it in the network namespace of the calling thread, without packet information, not blocking; gone when it is
// closed. -1: errno.
int tun_open(const char *name);

#endif
