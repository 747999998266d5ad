// SPDX-License-Identifier: Apache-2.0
// Bad services, pools and health checks, and what is said of each, word for word. See config_faults.c.
#include "config_fault.h"

static const struct fault faults[] = {
    {"service_pool_unknown",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: wep}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:77: services[0].pool: there is no pool 'wep'; did you mean 'web'?\n"
     "c:8:10: warning: pools[0].name: no service uses the pool 'web'; name it in 'services', or take it "
     "out\n"},
    {"service_pool_is_a_nat_pool",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: public}\n"
           "nat: {pools: [{name: public, addresses: [198.51.100.9]}], source: [{inside: [10.0.0.0/24], port: "
           "wan, pool: public}]}\n",
     "c:6:77: services[0].pool: there is no pool 'public'; add it under 'pools', or name one that is "
     "there\n"},
    {"announce_table_of_the_kernel", PORTS "announce: {table: 254}\n",
     "c:5:19: announce.table: table 254 is the kernel's 'main'; take a number of your own, such as 184\n"},
    {"service_name_twice",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"81\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:10: services[1].name: the service 'web' is there already, on line 6; give each service a name of "
     "its own\n"},
    {"service_without_pool",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\"}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:3: services[0]: the key 'pool' is missing; add 'pool: web'\n"},
    {"service_without_addresses",
     PORTS "services:\n"
           "- {name: web, addresses: [], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:26: services[0].addresses: the list is empty; it needs at least 1 element\n"},
    {"service_address_twice",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80, 198.51.100.81, 198.51.100.80], protocol: tcp, ports: "
           "\"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:57: services[0].addresses[2]: the address is there already, on line 6; take one of them out\n"},
    {"service_address_multicast",
     PORTS "services:\n"
           "- {name: web, addresses: [224.0.0.5], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:27: services[0].addresses[0]: '224.0.0.5' cannot be a station's address (loopback, multicast or "
     "unspecified)\n"},
    {"service_address_with_length",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80/32], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:27: services[0].addresses[0]: '198.51.100.80/32' is not a station's address like 192.0.2.1 or "
     "2001:db8::1; write 198.51.100.80, without a length\n"},
    {"service_address_that_is_us",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.1], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:27: services[0].addresses[0]: 198.51.100.1 is the address of port 'wan'; give the service an "
     "address of its own: the gateway itself answers at this one\n"},
    {"service_address_broadcast",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.255], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:27: services[0].addresses[0]: 198.51.100.255 is the network or broadcast address of port 'wan'; "
     "take another\n"},
    {"service_address_in_a_nat_pool",
     PORTS "nat: {pools: [{name: p, addresses: [198.51.100.80/30]}], source: [{inside: [10.0.0.0/24], port: "
           "wan, pool: p}]}\n"
           "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:27: services[0].addresses[0]: 198.51.100.80 is in the NAT pool 'p' on line 5; take it out of the "
     "pool: a service's address is the service's alone\n"},
    {"service_address_translated",
     PORTS "nat: {static: [{inside: 10.0.0.50, outside: 198.51.100.80}]}\n"
           "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:27: services[0].addresses[0]: 198.51.100.80 has a 1:1 translation, on line 5; give one of them "
     "another address\n"},
    {"service_address_with_a_forward",
     PORTS
     "nat: {forwards: [{name: f, protocol: tcp, outside: \"198.51.100.80:8080\", inside: \"10.0.0.5:80\"}]}\n"
     "services:\n"
     "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
     "pools:\n"
     "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:27: services[0].addresses[0]: 198.51.100.80 has a forward, on line 5; give one of them another "
     "address\n"},
    {"service_address_that_is_a_member",
     PORTS "services:\n"
           "- {name: web, addresses: [10.0.0.12], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:8:57: pools[0].members[1].address: 10.0.0.12 is an address of the service 'web' on line 6; name the "
     "servers themselves: a service cannot stand behind another\n"},
    {"services_at_one_place",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "- {name: again, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:29: services[1].addresses[0]: the service 'web' has this address, protocol and port too, on line "
     "6; a packet is for one service: choose another address, protocol or port\n"},
    {"services_at_one_place_any_protocol",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: any, pool: web}\n"
           "- {name: again, addresses: [198.51.100.80], protocol: any, ports: any, pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:29: services[1].addresses[0]: the service 'web' has this address, protocol and port too, on line "
     "6; a packet is for one service: choose another address, protocol or port\n"},
    {"services_inside_each_other",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "- {name: range, addresses: [198.51.100.80], protocol: tcp, ports: \"80-89\", pool: web}\n"
           "- {name: rest, addresses: [198.51.100.80], protocol: any, pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     ""},
    {"services_overlap",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80-89\", pool: web}\n"
           "- {name: range, addresses: [198.51.100.80], protocol: tcp, ports: \"85-95\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:7:29: services[1].addresses[0]: ports of the service 'web' on line 6 overlap these; let one range "
     "hold the other, or neither a port of the other\n"},
    {"service_ports_backwards",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"90-80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:65: services[0].ports: '90-80' ends before it begins\n"},
    {"service_ports_wrong",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: http, pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:65: services[0].ports: 'http' is not a port like 80, ports like 8000-8099, or any\n"},
    {"service_ports_without_protocol",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: any, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:65: services[0].ports: all of IP has no ports; take them out, or write 'protocol: tcp', udp or "
     "sctp\n"},
    {"service_protocol_unknown",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: icmp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:53: services[0].protocol: 'icmp' is not tcp, udp, sctp or any\n"},
    {"service_range_to_one_port",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80-89\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, port: 80}]}\n",
     "c:6:65: services[0].ports: several ports cannot become port 80 of member 10.0.0.11 in pool 'web'; "
     "leave the members' port out: packets keep the one they were sent to\n"},
    {"service_of_all_of_ip_to_one_port",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: any, pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, port: 80}]}\n",
     "c:6:53: services[0].protocol: several ports cannot become port 80 of member 10.0.0.11 in pool 'web'; "
     "leave the members' port out: packets keep the one they were sent to\n"},
    {"service_sctp_to_another_port",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: sctp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, port: 8080}]}\n",
     "c:6:66: services[0].ports: SCTP passes with its ports, but member 10.0.0.11 of pool 'web' has port "
     "8080; leave the members' port out, or write 80 there\n"},
    {"service_families_mixed",
     PORTS
     "services:\n"
     "- {name: web, addresses: [198.51.100.80, \"2001:db8::80\"], protocol: tcp, ports: \"80\", pool: web}\n"
     "pools:\n"
     "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:42: services[0].addresses[1]: 2001:db8::80 cannot be translated to the IPv4 member 10.0.0.11 of "
     "pool 'web'; write 'way: full-nat' with 'sources' of the member's family, or make a service and a pool for "
     "each family\n"},
    {"service_stateless_without_hash",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web, when-full: "
           "stateless}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], balance: round-robin}\n",
     "c:6:93: services[0].when-full: without a flow only a hash finds a packet's member again; balance its "
     "pool by 'maglev' or 'source-hash'\n"},
    {"service_flooded_never",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web, when-flooded: "
           "stateless}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:96: warning: services[0].when-flooded: no rate is set, so it never counts; add 'flow-rate' or "
     "'source-rate'\n"},
    {"pool_unused",
     PORTS "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:10: warning: pools[0].name: no service uses the pool 'web'; name it in 'services', or take it "
     "out\n"},
    {"pool_name_twice",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:9:10: pools[1].name: the pool 'web' is there already, on line 8; give each pool a name of its own\n"
     "c:9:10: warning: pools[1].name: no service uses the pool 'web'; name it in 'services', or take it "
     "out\n"},
    {"pool_without_members",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: []}\n",
     "c:8:24: pools[0].members: the list is empty; it needs at least 1 element\n"},
    {"pool_members_all_disabled",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, enabled: false}]}\n",
     "c:8:24: warning: pools[0].members: no member of the pool 'web' is enabled; enable one: new flows to "
     "this pool are dropped\n"},
    {"tunnel_without_source",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: ipip}\n",
     "c:8:75: pools[0].way: there is no source of the family of member 10.0.0.11; add 'sources: "
     "[ADDRESS]'\n"},
    {"tunnel_source_of_another_family",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: gue, sources: "
           "[\"fd00::9\"]}\n",
     "c:8:75: pools[0].way: there is no source of the family of member 10.0.0.11; add 'sources: "
     "[ADDRESS]'\n"},
    {"tunnel_to_another_port",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, port: 81}], way: ipip, sources: [10.0.0.1]}\n",
     "c:8:52: pools[0].members[0].port: packets reach members unchanged by the way ipip; take it out: the "
     "member gets the port that the client sent to\n"},
    {"tunnel_of_any_family",
     PORTS
     "services:\n"
     "- {name: web, addresses: [\"2001:db8::80\"], protocol: tcp, ports: \"80\", pool: web}\n"
     "pools:\n"
     "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: ipip, sources: [10.0.0.1]}\n",
     ""},
    {"full_nat_source_that_is_us",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: full-nat, sources: "
           "[10.0.0.1]}\n",
     "c:8:95: pools[0].sources[0]: 10.0.0.1 is the gateway's own address; give the pool addresses of its "
     "own\n"},
    {"full_nat_source_twice",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: full-nat, sources: "
           "[10.0.0.9, 10.0.0.9]}\n",
     "c:8:105: pools[0].sources[1]: the address is there already, on line 8; take one of them out\n"},
    {"full_nat_source_of_a_service",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: full-nat, sources: "
           "[198.51.100.80]}\n",
     "c:8:95: pools[0].sources[0]: 198.51.100.80 is a service's address; give the pool addresses of its "
     "own\n"},
    {"full_nat_of_sctp",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: sctp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], way: full-nat, sources: "
           "[10.0.0.9]}\n",
     "c:6:53: services[0].protocol: full NAT is for TCP and UDP; write tcp or udp, or reach the members of "
     "'web' another way\n"},
    {"dnat_with_sources",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], sources: [10.0.0.9]}\n",
     "c:8:79: pools[0].sources: 'sources' mean nothing to the way dnat; take them out; they go with "
     "full-nat, ipip, gue\n"},
    {"dnat_with_client_address",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], client-address: toa}\n",
     "c:8:86: pools[0].client-address: 'client-address' goes with full-nat; take it out: members see the "
     "client's address by the way dnat\n"},
    {"dnat_with_a_tunnel_s_keys",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], tunnel-port: 9000, "
           "tunnel-mtu: 1400}\n",
     "c:8:83: pools[0].tunnel-port: 'tunnel-port' means nothing to the way dnat; take it out; it goes with "
     "gue\n"
     "c:8:101: pools[0].tunnel-mtu: 'tunnel-mtu' means nothing to the way dnat; take it out; it goes with "
     "ipip, gue\n"},
    {"direct_to_a_far_member",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.9.0.11}], way: direct}\n",
     "c:8:35: pools[0].members[0].address: 10.9.0.11 is on no link of ours, which direct return needs; reach "
     "it by ipip or gue, or look at the ports' addresses\n"},
    {"direct_to_another_port",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, port: 81}], way: direct}\n",
     "c:8:52: pools[0].members[0].port: packets reach members unchanged by the way direct; take it out: the "
     "member gets the port that the client sent to\n"},
    {"stateless_with_several_addresses",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80, 198.51.100.81], protocol: tcp, ports: \"80\", pool: "
           "web, when-full: stateless}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}\n",
     "c:6:108: warning: services[0].when-full: answers to packets without a flow will not find their way "
     "back to the client; give the pool one service with one address and one port\n"},
    {"pool_balance_misspelt",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], balance: roundrobin}\n",
     "c:8:79: pools[0].balance: 'roundrobin' is not maglev, round-robin, weighted-round-robin, "
     "least-connections, weighted-least-connections, source-hash or two-choices; did you mean "
     "'round-robin'?\n"},
    {"maglev_size_no_prime",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], maglev-size: 65536}\n",
     "c:8:83: pools[0].maglev-size: 65536 is not a prime; write 65537\n"},
    {"maglev_size_too_small",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, maglev-size: 2, members: [{address: 10.0.0.11}, {address: 10.0.0.12}, {address: "
           "10.0.0.13}]}\n",
     "c:8:28: pools[0].maglev-size: 2 entries are fewer than the 3 members; give it 100 entries for each "
     "member, or leave it out\n"},
    {"maglev_size_of_another_balance",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], balance: two-choices, "
           "maglev-size: 65537}\n",
     "c:8:105: warning: pools[0].maglev-size: this way of balancing has no such table; take it out, or "
     "balance by 'maglev' or 'source-hash'\n"},
    {"member_twice",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, port: 80}, {address: 10.0.0.11, port: 81}, "
           "{address: 10.0.0.11, port: 80}]}\n",
     "c:8:99: pools[0].members[2].address: the member is there already, on line 8; raise its weight "
     "instead\n"},
    {"member_that_is_us",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.1}]}\n",
     "c:8:35: pools[0].members[0].address: 10.0.0.1 is the gateway's own address; a member is a server "
     "behind the gateway\n"},
    {"member_in_a_nat_pool",
     PORTS "nat: {pools: [{name: p, addresses: [198.51.100.9]}], source: [{inside: [10.0.0.0/24], port: wan, "
           "pool: p}]}\n"
           "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 198.51.100.9}]}\n",
     "c:9:35: pools[0].members[0].address: 198.51.100.9 is an outside address of the NAT pool 'p' on line 5; "
     "name the server's own address\n"},
    {"member_loopback",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 127.0.0.1}]}\n",
     "c:8:35: pools[0].members[0].address: '127.0.0.1' cannot be a station's address (loopback, multicast or "
     "unspecified)\n"},
    {"member_weight_zero",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11, weight: 0}]}\n",
     "c:8:54: pools[0].members[0].weight: 0 is out of range; write 1 to 1000\n"},
    {"health_without_type",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {interval: 500, "
           "path: /x}}\n",
     "c:8:89: pools[0].health.interval: 'interval' means nothing to a check of type none; add a 'type': tcp, "
     "http, https, icmp, udp, script\n"},
    {"health_key_of_another_type",
     PORTS
     "services:\n"
     "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
     "pools:\n"
     "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: tcp, path: /x}}\n",
     "c:8:96: pools[0].health.path: 'path' means nothing to a check of type tcp; take it out; it goes with "
     "http, https\n"},
    {"health_timeout_over_interval",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: tcp, "
           "interval: 500, timeout: 501}}\n",
     "c:8:114: pools[0].health.timeout: a timeout of 501 ms is longer than the interval, 500 ms; raise the "
     "interval, or write auto\n"},
    {"health_interval_too_short",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: tcp, "
           "interval: 5}}\n",
     "c:8:100: pools[0].health.interval: 5 (milliseconds) is out of range; write 10 to 86400000\n"},
    {"health_script_missing",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: script}}\n",
     "c:8:78: pools[0].health: the key 'script' is missing; add 'script: FILE'\n"},
    {"health_bytes_wrong",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: udp, send: "
           "'a\\q'}}\n",
     "c:8:96: pools[0].health.send: 'a\\q' is not a text, in which \\x00 is a byte and \\\\ a backslash\n"},
    {"health_status_wrong",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: http, "
           "status: [20, 399-300]}}\n",
     "c:8:100: pools[0].health.status[0]: '20' is not an HTTP status like 200, or a range like 200-299\n"
     "c:8:104: pools[0].health.status[1]: '399-300' ends before it begins\n"},
    {"health_header_text_alone",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: http, "
           "header-text: x}}\n",
     "c:8:78: pools[0].health: 'header-text' needs the header it is looked for in; add 'header: NAME'\n"},
    {"health_damping_backwards",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: tcp, "
           "damping: {half-life: 1000, suppress: 500}}}\n",
     "c:8:99: pools[0].health.damping: 'suppress' (500) must be above 'reuse' (1000); raise 'suppress' or "
     "lower 'reuse'\n"},
    {"health_holds_backwards",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: tcp, "
           "passive: {failures: 5, hold: 9000, hold-most: 8000}}}\n",
     "c:8:99: pools[0].health.passive: 'hold-most' (8000) is less than 'hold' (9000); raise 'hold-most'\n"},
    {"health_without_port",
     PORTS "services:\n"
           "- {name: web, addresses: [198.51.100.80], protocol: tcp, ports: \"80-89\", pool: web}\n"
           "pools:\n"
           "- {name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}], health: {type: tcp}}\n",
     "c:8:78: pools[0].health: member 10.0.0.11 has no port that could be asked; add 'port' here, or to each "
     "member\n"},
};

int main(void)
{
    return run_faults("config_faults_balance", faults, sizeof(faults) / sizeof(faults[0]));
}
