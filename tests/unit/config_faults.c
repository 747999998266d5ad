// SPDX-License-Identifier: Apache-2.0
// Bad configs and what is said of each, word for word with line and column: the table is the specification of the
// loader's messages. A config that draws only warnings loads; one with an error does not.
#include "config_fault.h"

static const struct fault faults[] = {
    {"endpoint_at_a_strangers_address",
     PORTS "endpoints: [{name: e, kind: echo, port: 7, addresses: [10.0.0.2]}]\n",
     "c:5:56: endpoints[0].addresses[0]: 10.0.0.2 is not the gateway's own; "
     "add it to a port's addresses, or name one of them\n"},
    {"endpoint_at_a_link_local_address",
     PORTS "endpoints: [{name: e, kind: echo, port: 7, addresses: [\"fe80::1\"]}]\n",
     "c:5:56: endpoints[0].addresses[0]: fe80::1 is link-local: answers would have no port to leave by; "
     "take another\n"},
    {"endpoint_name_twice",
     PORTS "endpoints:\n- {name: e, kind: echo, port: 7}\n- {name: e, kind: discard, port: 9}\n",
     "c:7:10: endpoints[1].name: the endpoint 'e' is there already, on line 6; "
     "give each endpoint a name of its own\n"},
    {"endpoint_port_twice",
     PORTS "endpoints:\n- {name: e, kind: echo, port: 7}\n"
           "- {name: d, kind: discard, port: 7, addresses: [10.0.0.1]}\n",
     "c:7:34: endpoints[1].port: the endpoint 'e' listens there too, on line 6; "
     "choose another port, or other addresses\n"},
    {"endpoint_at_a_forward",
     PORTS "endpoints: [{name: e, kind: echo, port: 8007}]\n"
           "nat: {forwards: [{name: web, protocol: tcp, outside: \"198.51.100.1:8000-8099\", inside: \"10.0.0.11:80\"}]}\n",
     "c:5:41: endpoints[0].port: the forward 'web' on line 6 has 198.51.100.1:8007; "
     "choose another port, or other addresses\n"},
    {"local_ports_below_1024", PORTS "tcp: {ports: 1000-2000}\n",
     "c:5:14: tcp.ports: connections are not opened from ports below 1024; write a range such as 61000-65535\n"},
    {"local_ports_too_few", PORTS "tcp: {ports: 61000-61010}\n",
     "c:5:14: tcp.ports: 11 ports are too few to choose from: 64 are the least; write a range such as 61000-65535\n"},
    {"local_ports_of_any_number", PORTS "tcp: {ports: any}\n",
     "c:5:14: tcp.ports: connections are not opened from ports below 1024; write a range such as 61000-65535\n"},
    {"endpoint_of_no_kind", PORTS "endpoints: [{name: e, kind: daytime, port: 13}]\n", "c:5:29: endpoints[0].kind: 'daytime' is not echo, discard or chargen\n"},
    {"empty_file", "", "c: the config is empty; start it with 'sluice: 1'\n"},
    {"only_comments", "# nothing\n", "c: the config is empty; start it with 'sluice: 1'\n"},
    {"not_a_map", "- a\n", "c:1:1: a config is a map of keys; start it with 'sluice: 1'\n"},
    {"broken_yaml", "sluice: 1\nports: [\n",
     "c:3:1: not YAML: did not find expected node content, while parsing a flow node; look at the "
     "indentation, the quotes and the brackets here and on the line before\n"},
    {"a_tab_for_indentation", "sluice: 1\nports:\n	- name: lan\n",
     "c:3:1: not YAML: found character that cannot start any token, while scanning for the next token; look "
     "at the indentation, the quotes and the brackets here and on the line before\n"},
    {"second_document", "sluice: 1\n---\nsluice: 1\n",
     "c:2:1: a second YAML document; a config is one: take the '---' out\n"},
    {"alias", "sluice: 1\nroute-files: &a [x]\n",
     "c:2:14: anchors ('&name') are not taken; write the value out\n"},
    {"tag", "sluice: !!int 1\n", "c:1:9: tags ('!type') are not taken; take the tag out\n"},
    {"key_twice", "sluice: 1\nflow: {}\nflow: {}\n",
     "c:3:1: the key 'flow' stands twice, first on line 2; take one of them out\n"},
    {"zero_byte", "sluice: \"1\\0\"\n", "c:1:9: a zero byte in a text; take out the \\0\n"},
    {"too_deep", "sluice: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n",
     "c:1:24: nested too deep; no key of the config is this deep\n"},
    {"key_that_is_a_list", "[a]: 1\n", "c:1:1: a key must be a word; write 'key: value'\n"},
    {"version_missing", "ports: []\n", "c:1:1: the key 'sluice' is missing; add 'sluice: 1'\n"},
    {"version_unknown", "sluice: 2\n", "c:1:9: sluice: 2 is out of range; write 1\n"},
    {"unknown_key_far_from_any", "sluice: 1\nfrobnicate: 1\n",
     "c:2:1: unknown key 'frobnicate'; there may be sluice, ports, routes, route-files, neighbors, "
     "neighbor-capacity, nat, services, pools, balance-seed, announce, prefilter, flow, icmp, endpoints, tcp\n"},
    {"unknown_key_near_one", "sluice: 1\nneighbours: []\n",
     "c:2:1: unknown key 'neighbours'; did you mean 'neighbors'?\n"},
    {"unknown_key_begun", "sluice: 1\nnat: {timeout: {}}\n",
     "c:2:7: nat: unknown key 'timeout'; did you mean 'timeouts'?\n"},
    {"underscore_for_dash", "sluice: 1\nneighbor_capacity: 100\n",
     "c:2:1: unknown key 'neighbor_capacity'; did you mean 'neighbor-capacity'?\n"},
    {"list_where_a_map_belongs", "sluice: 1\nnat: []\n",
     "c:2:6: nat: a map of keys belongs here; write its keys indented on the lines below\n"},
    {"map_where_a_list_belongs", "sluice: 1\nports: {name: lan}\n",
     "c:2:8: ports: a map of keys where a list belongs; start each element with '- ' on a line of its own\n"},
    {"value_where_a_list_belongs", "sluice: 1\nroute-files: a.txt\n",
     "c:2:14: route-files: a single value where a list belongs; put it in brackets: [A, B]\n"},
    {"list_where_a_value_belongs", "sluice: [1]\n",
     "c:1:9: sluice: a list where a single value belongs; write it like 'sluice: 1'\n"},
    {"element_that_is_no_map", "sluice: 1\nports: [lan]\n",
     "c:2:9: ports[0]: an element of this list must be a map of keys; write '- key: value'\n"},
    {"value_empty", "sluice: 1\nports:\n- name:\n  device: \"null:\"\n",
     "c:3:8: ports[0].name: the value is empty; write a value or take the key out\n"},
    {"number_negative", "sluice: 1\nflow: {capacity: -1}\n",
     "c:2:18: flow.capacity: '-1' is not a whole decimal number (flows)\n"},
    {"number_hexadecimal", "sluice: 1\nflow: {capacity: 0x1000}\n",
     "c:2:18: flow.capacity: '0x1000' is not a whole decimal number (flows)\n"},
    {"number_octal", "sluice: 1\nneighbor-capacity: 0100\n",
     "c:2:20: neighbor-capacity: '0100' is not a whole decimal number (neighbors)\n"},
    {"number_with_unit", "sluice: 1\nnat: {timeouts: {udp: 300s}}\n",
     "c:2:23: nat.timeouts.udp: '300s' is not a whole decimal number (seconds)\n"},
    {"number_too_large", "sluice: 1\nicmp: {error-rate: 99999999999999999999999}\n",
     "c:2:20: icmp.error-rate: 99999999999999999999999 (per second) is out of range; write 0 to 1000000\n"},
    {"number_too_small", "sluice: 1\nicmp: {error-burst: 0}\n",
     "c:2:21: icmp.error-burst: 0 (messages) is out of range; write 1 to 1000000\n"},
    {"bool_as_yes", "sluice: 1\nports: [{name: a, device: 'null:', twin: yes}]\n",
     "c:2:42: ports[0].twin: 'yes' is neither true nor false; write true\n"},
    {"word_unknown", PORTS "routes: [{prefix: 0.0.0.0/0, kind: blakhole}]\n",
     "c:5:36: routes[0].kind: 'blakhole' is not via, blackhole or reject; did you mean 'blackhole'?\n"},
    {"number_or_word", "sluice: 1\nports: [{name: a, device: 'null:', mss-clamp: autp}]\n",
     "c:2:47: ports[0].mss-clamp: 'autp' is not a whole decimal number (bytes), none or auto; did you mean "
     "'auto'?\n"},
    {"name_with_space", "sluice: 1\nports: [{name: a b, device: 'null:'}]\n",
     "c:2:16: ports[0].name: 'a b' is not a port's name: up to 15 letters, digits, '-', '_' and '.', a "
     "letter or digit first\n"},
    {"name_too_long_for_an_interface", "sluice: 1\nports: [{name: averyverylongname, device: 'null:'}]\n",
     "c:2:16: ports[0].name: 'averyverylongname' is not a port's name: up to 15 letters, digits, '-', '_' "
     "and '.', a letter or digit first; shorten it by 2 characters\n"},
    {"device_kind_missing", "sluice: 1\nports: [{name: a, device: eth0}]\n",
     "c:2:27: ports[0].device: 'eth0': there is no such kind of device; kinds are af_xdp, pci, memif, tap, "
     "af_packet, pcap and null; write KIND:eth0, for instance af_xdp:eth0\n"},
    {"device_kind_misspelt", "sluice: 1\nports: [{name: a, device: 'af-xdp:eth0'}]\n",
     "c:2:27: ports[0].device: 'af-xdp:eth0': there is no such kind of device; kinds are af_xdp, pci, memif, "
     "tap, af_packet, pcap and null; did you mean 'af_xdp:eth0'?\n"},
    {"device_pci_malformed", "sluice: 1\nports: [{name: a, device: 'pci:3:0.0'}]\n",
     "c:2:27: ports[0].device: 'pci:3:0.0': not a PCI address like 0000:03:00.0\n"},
    {"device_interface_too_long", "sluice: 1\nports: [{name: a, device: 'af_xdp:averyverylonginterface'}]\n",
     "c:2:27: ports[0].device: 'af_xdp:averyverylonginterface': an interface's name has at most 15 "
     "characters\n"},
    {"device_memif_role", "sluice: 1\nports: [{name: a, device: 'memif:/run/m,role=master'}]\n",
     "c:2:27: ports[0].device: 'memif:/run/m,role=master': behind the socket only ,role=server or "
     ",role=client may follow\n"},
    {"device_pcap_one_file", "sluice: 1\nports: [{name: a, device: 'pcap:in.pcap'}]\n",
     "c:2:27: ports[0].device: 'pcap:in.pcap': needs two files: pcap:IN,OUT\n"},
    {"mac_of_a_group", "sluice: 1\nports: [{name: a, device: 'null:', mac: '01:00:00:00:00:01'}]\n",
     "c:2:41: ports[0].mac: '01:00:00:00:00:01' is not a station's Ethernet address like "
     "\"02:00:00:00:00:01\"; the first byte must be even (an odd one is a group's), and not all may be "
     "zero\n"},
    {"mac_with_dashes", "sluice: 1\nports: [{name: a, device: 'null:', mac: 02-00-00-00-00-01}]\n",
     "c:2:41: ports[0].mac: '02-00-00-00-00-01' is not a station's Ethernet address like "
     "\"02:00:00:00:00:01\"; separate its bytes with colons\n"},
    {"address_without_length", "sluice: 1\nports: [{name: a, device: 'null:', addresses: [192.0.2.1]}]\n",
     "c:2:48: ports[0].addresses[0]: '192.0.2.1' lacks the link's prefix length; write 192.0.2.1/24, or "
     "whatever the link's length is\n"},
    {"address_of_the_network", "sluice: 1\nports: [{name: a, device: 'null:', addresses: [192.0.2.0/24]}]\n",
     "c:2:48: ports[0].addresses[0]: '192.0.2.0/24' is the link's network address; give the gateway an "
     "address of its own inside the link's prefix\n"},
    {"address_of_the_broadcast",
     "sluice: 1\nports: [{name: a, device: 'null:', addresses: [192.0.2.255/24]}]\n",
     "c:2:48: ports[0].addresses[0]: '192.0.2.255/24' is the link's broadcast address; give the gateway an "
     "address of its own inside the link's prefix\n"},
    {"address_multicast",
     "sluice: 1\nports: [{name: a, device: 'null:', addresses: [224.0.0.1/24, ff02::1/64]}]\n",
     "c:2:48: ports[0].addresses[0]: '224.0.0.1/24' cannot be a station's address (loopback, multicast or "
     "unspecified)\n"
     "c:2:62: ports[0].addresses[1]: 'ff02::1/64' cannot be a station's address (loopback, multicast or "
     "unspecified)\n"},
    {"length_too_large", "sluice: 1\nports: [{name: a, device: 'null:', addresses: [192.0.2.1/33]}]\n",
     "c:2:48: ports[0].addresses[0]: '192.0.2.1/33': the prefix length is too large; IPv4 has 32 bits, IPv6 "
     "128\n"},
    {"prefix_with_host_bits", PORTS "routes: [{prefix: 10.1.2.3/8, kind: reject}]\n",
     "c:5:19: routes[0].prefix: '10.1.2.3/8' has bits set beyond its length; write 10.0.0.0/8\n"},
    {"address_with_length", PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2/24}]}]\n",
     "c:5:46: routes[0].via[0].address: '198.51.100.2/24' is not an address like 192.0.2.1 or 2001:db8::1; "
     "write 198.51.100.2, without a length\n"},
    {"port_twice", PORTS "- {name: lan, device: \"af_xdp:x\"}\n",
     "c:5:10: ports[2].name: the port 'lan' is there already, on line 3; give each port a name of its own\n"},
    {"device_twice", PORTS "- {name: dmz, device: \"af_xdp:w\"}\n",
     "c:5:23: ports[2].device: port 'wan' has this device too, on line 4; a device belongs to one port\n"},
    {"own_address_twice", PORTS "- {name: dmz, device: \"af_xdp:x\", addresses: [10.0.0.1/24]}\n",
     "c:5:47: ports[2].addresses[0]: the address is there already, on line 3\n"},
    {"subnets_overlap", PORTS "- {name: dmz, device: \"af_xdp:x\", addresses: [10.0.0.129/25]}\n",
     "c:5:47: ports[2].addresses[0]: overlaps 10.0.0.0/24 of port 'lan' on line 3; give each port a subnet "
     "of its own\n"},
    {"mtu_too_small_for_ipv6",
     "sluice: 1\nports: [{name: a, device: 'null:', mtu: 1000, addresses: [fd00::1/64]}]\n",
     "c:2:41: ports[0].mtu: 1000 bytes are too few for IPv6, which needs 1280; raise it, or take the IPv6 "
     "addresses away\n"},
    {"mss_larger_than_mtu", "sluice: 1\nports: [{name: a, device: 'null:', mtu: 1400, mss-clamp: 1460}]\n",
     "c:2:58: warning: ports[0].mss-clamp: 1460 bytes do not fit into the MTU of 1400; write auto, or at "
     "most 1360\n"},
    {"no_ports", "sluice: 1\n",
     "c:1:1: warning: ports: there are no ports: no packet will come in; add one: - {name: lan, device: "
     "\"af_xdp:eth1\", addresses: [192.0.2.1/24]}\n"},
    {"neighbor_on_an_unknown_port",
     PORTS "neighbors: [{address: 10.0.0.9, port: lam, mac: '02:00:00:00:00:01'}]\n",
     "c:5:39: neighbors[0].port: there is no port 'lam'; did you mean 'lan'?\n"},
    {"neighbor_on_another_port",
     PORTS "neighbors: [{address: 10.0.0.9, port: wan, mac: '02:00:00:00:00:01'}]\n",
     "c:5:23: neighbors[0].address: 10.0.0.9 is not on a link of port 'wan'; did you mean port 'lan'?\n"},
    {"neighbor_on_no_link", PORTS "neighbors: [{address: 10.9.0.9, port: wan, mac: '02:00:00:00:00:01'}]\n",
     "c:5:23: neighbors[0].address: 10.9.0.9 is not on a link of port 'wan'; a neighbor is on a link of "
     "ours: look at the port's addresses\n"},
    {"neighbor_that_is_us", PORTS "neighbors: [{address: 10.0.0.1, port: lan, mac: '02:00:00:00:00:01'}]\n",
     "c:5:23: neighbors[0].address: 10.0.0.1 is the gateway's own\n"},
    {"neighbor_twice",
     PORTS "neighbors:\n- {address: 10.0.0.9, port: lan, mac: '02:00:00:00:00:01'}\n- {address: 10.0.0.9, "
           "port: lan, mac: '02:00:00:00:00:02'}\n",
     "c:7:13: neighbors[1].address: 10.0.0.9 is there already, on line 6; take one of them out\n"},
    {"route_without_way", PORTS "routes: [{prefix: 0.0.0.0/0}]\n",
     "c:5:10: routes[0]: the route 0.0.0.0/0 leads nowhere; add 'via: [{address: GATEWAY}]', or 'kind: "
     "blackhole'\n"},
    {"route_that_drops_and_leads",
     PORTS "routes: [{prefix: 0.0.0.0/0, kind: blackhole, via: [{address: 198.51.100.2}]}]\n",
     "c:5:52: routes[0].via: a route that drops has no ways; take 'via' or 'kind' out\n"},
    {"way_without_anything", PORTS "routes: [{prefix: 0.0.0.0/0, via: [{weight: 2}]}]\n",
     "c:5:36: routes[0].via[0]: a way needs 'address' or 'port'; name the gateway's address, or the port "
     "whose link it is\n"},
    {"gateway_on_no_link", PORTS "routes:\n- prefix: 0.0.0.0/0\n  via:\n  - address: 203.0.113.1\n",
     "c:8:14: routes[0].via[0].address: the gateway 203.0.113.1 is on no link of ours; a gateway lies in the "
     "subnet of a port's address: look at both\n"},
    {"gateway_on_another_port",
     PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2, port: lan}]}]\n",
     "c:5:46: routes[0].via[0].address: the gateway 198.51.100.2 is not on port 'lan' but on 'wan'; write "
     "'port: wan' or take the port out\n"},
    {"gateway_of_the_other_family", PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: \"fd00::2\"}]}]\n",
     "c:5:46: routes[0].via[0].address: the gateway fd00::2 is not of the prefix's family\n"},
    {"gateway_that_is_us", PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.1}]}]\n",
     "c:5:46: routes[0].via[0].address: the gateway 198.51.100.1 is an address of this gateway itself\n"},
    {"gateway_link_local_without_port", PORTS "routes: [{prefix: \"::/0\", via: [{address: \"fe80::1\"}]}]\n",
     "c:5:43: routes[0].via[0].address: the link-local gateway fe80::1 could be on any port; add 'port'\n"},
    {"gateway_port_unknown",
     PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2, port: wam}]}]\n",
     "c:5:66: routes[0].via[0].port: there is no port 'wam'; did you mean 'wan'?\n"},
    {"way_twice",
     PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2}, {address: 198.51.100.2}]}]\n",
     "c:5:71: routes[0].via[1].address: the way 198.51.100.2 stands twice; raise its weight instead\n"},
    {"weight_out_of_range",
     PORTS "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2, weight: 257}]}]\n",
     "c:5:68: routes[0].via[0].weight: 257 is out of range; write 1 to 256\n"},
    {"route_twice",
     PORTS "routes:\n- {prefix: 192.0.2.0/24, kind: reject}\n- {prefix: 192.0.2.0/24, kind: blackhole}\n",
     "c:7:12: routes[1].prefix: 192.0.2.0/24 is there already, on line 6; several ways go into one route: "
     "via: [{address: A}, {address: B}]\n"},
    {"route_to_a_link", PORTS "routes: [{prefix: 10.0.0.0/24, kind: reject}]\n",
     "c:5:19: routes[0].prefix: 10.0.0.0/24 is the link of port 'lan'; take the route out: the port's "
     "address makes it\n"},
    {"route_file_missing", PORTS "route-files: [/nonexistent/routes.txt]\n",
     "c:5:15: route-files[0]: /nonexistent/routes.txt cannot be read: No such file or directory; the name "
     "counts from the config's folder\n"},
    {"pool_twice",
     PORTS "nat:\n  pools:\n  - {name: p, addresses: [198.51.100.100]}\n  - {name: p, addresses: "
           "[198.51.100.101]}\n  source: [{inside: [10.0.0.0/24], port: wan, pool: p}]\n",
     "c:8:12: nat.pools[1].name: the pool 'p' is there already, on line 7; give each pool a name of its "
     "own\n"},
    {"pool_empty", PORTS "nat: {pools: [{name: p, addresses: []}]}\n",
     "c:5:36: nat.pools[0].addresses: the list is empty; it needs at least 1 element\n"},
    {"pool_range_backwards", PORTS "nat: {pools: [{name: p, addresses: [198.51.100.9-198.51.100.8]}]}\n",
     "c:5:37: nat.pools[0].addresses[0]: '198.51.100.9-198.51.100.8' ends before it begins\n"},
    {"pool_range_with_host_bits", PORTS "nat: {pools: [{name: p, addresses: [198.51.100.9/29]}]}\n",
     "c:5:37: nat.pools[0].addresses[0]: '198.51.100.9/29' has bits set beyond its length; write "
     "198.51.100.8/29\n"},
    {"pool_of_ipv6", PORTS "nat: {pools: [{name: p, addresses: [\"fd00::1\"]}]}\n",
     "c:5:37: nat.pools[0].addresses[0]: 'fd00::1' is not an IPv4 address, a range like "
     "192.0.2.10-192.0.2.19, or a prefix like 192.0.2.16/28\n"},
    {"pool_unused", PORTS "nat: {pools: [{name: p, addresses: [198.51.100.9]}]}\n",
     "c:5:22: warning: nat.pools[0].name: nothing uses the pool 'p'; name it in 'nat.source', or take it "
     "out\n"},
    {"pool_with_an_own_address",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.1-198.51.100.9]}]\n  source: [{inside: "
           "[10.0.0.0/24], port: wan, pool: p}]\n",
     "c:6:33: nat.pools[0].addresses[0]: 198.51.100.1 is the gateway's own address on port 'wan'; a pool's "
     "addresses are the pool's alone: leave that one out\n"},
    {"pool_with_a_broadcast",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.254-198.51.100.255]}]\n  source: [{inside: "
           "[10.0.0.0/24], port: wan, pool: p}]\n",
     "c:6:33: nat.pools[0].addresses[0]: 198.51.100.255 is the broadcast address of port 'wan'; leave that "
     "one out\n"},
    {"pools_overlap",
     PORTS "nat:\n  pools:\n  - {name: p, addresses: [198.51.100.8-198.51.100.20]}\n  - {name: q, addresses: "
           "[198.51.100.16/30]}\n  source: [{inside: [10.0.0.0/25], port: wan, pool: p}, {inside: "
           "[10.0.0.128/25], port: wan, pool: q}]\n",
     "c:8:27: nat.pools[1].addresses[0]: 198.51.100.16 is in pool 'p' already, on line 7; an address may be "
     "in one pool, once\n"},
    {"pools_too_large",
     PORTS "nat:\n  pools: [{name: p, addresses: [100.64.0.0/10]}]\n  source: [{inside: [10.0.0.0/24], port: "
           "wan, pool: p}]\n",
     "c:6:10: nat.pools: the pools have 4194304 addresses; there is room for 65536\n"},
    {"source_pool_unknown",
     PORTS "nat:\n  pools: [{name: public, addresses: [198.51.100.9]}]\n  source: [{inside: [10.0.0.0/24], "
           "port: wan, pool: pubic}, {inside: [10.1.0.0/24], port: wan, pool: public}]\n",
     "c:7:53: nat.source[0].pool: there is no pool 'pubic'; did you mean 'public'?\n"},
    {"source_port_unknown",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.9]}]\n  source: [{inside: [10.0.0.0/24], port: "
           "internet, pool: p}]\n",
     "c:7:42: nat.source[0].port: there is no port 'internet'; add it under 'ports', or name one that is "
     "there\n"},
    {"source_of_ipv6",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.9]}]\n  source: [{inside: [\"fd00::/64\"], "
           "port: wan, pool: p}]\n",
     "c:7:22: nat.source[0].inside[0]: 'fd00::/64' is not an IPv4 prefix like 192.0.2.0/24\n"},
    {"source_overlaps_the_pool",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.9]}]\n  source: [{inside: [198.51.100.0/24], "
           "port: wan, pool: p}]\n",
     "c:7:22: nat.source[0].inside[0]: 198.51.100.0/24 overlaps the pool 'p' on line 6; inside and outside "
     "addresses must differ\n"},
    {"source_never_reached",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.9]}]\n  source:\n  - {inside: [10.0.0.0/8], "
           "port: wan, pool: p}\n  - {inside: [10.0.0.0/24], port: wan, pool: p}\n",
     "c:9:15: warning: nat.source[1].inside[0]: 10.0.0.0/24 is never reached: 10.0.0.0/8 on line 8 covers "
     "it; the first that matches counts: put the longer prefix first\n"},
    {"static_inside_twice",
     PORTS "nat:\n  static:\n  - {inside: 10.0.0.5, outside: 198.51.100.5}\n  - {inside: 10.0.0.5, outside: "
           "198.51.100.6}\n",
     "c:8:14: nat.static[1].inside: the address has a 1:1 translation already, on line 7; a 1:1 translation "
     "is between two addresses only\n"},
    {"static_outside_twice",
     PORTS "nat:\n  static:\n  - {inside: 10.0.0.5, outside: 198.51.100.5}\n  - {inside: 10.0.0.6, outside: "
           "198.51.100.5}\n",
     "c:8:33: nat.static[1].outside: the address has a 1:1 translation already, on line 7; a 1:1 translation "
     "is between two addresses only\n"},
    {"static_in_a_pool",
     PORTS "nat:\n  pools: [{name: p, addresses: [198.51.100.8/29]}]\n  source: [{inside: [10.0.0.0/24], "
           "port: wan, pool: p}]\n  static: [{inside: 10.0.0.5, outside: 198.51.100.9}]\n",
     "c:8:40: nat.static[0].outside: 198.51.100.9 is in the pool 'p' on line 6; take it out of the pool: a "
     "1:1 address is its host's alone\n"},
    {"static_that_is_us", PORTS "nat: {static: [{inside: 10.0.0.5, outside: 198.51.100.1}]}\n",
     "c:5:44: nat.static[0].outside: 198.51.100.1 is the gateway's own address; an own address is the "
     "gateway's; a forward may use single ports of it\n"},
    {"forward_without_port",
     PORTS "nat: {forwards: [{name: w, protocol: tcp, outside: 198.51.100.1, inside: \"10.0.0.5:80\"}]}\n",
     "c:5:52: nat.forwards[0].outside: '198.51.100.1' lacks the port: write 198.51.100.1:PORT\n"},
    {"forward_protocol_unknown",
     PORTS
     "nat: {forwards: [{name: w, protocol: icmp, outside: \"198.51.100.1:80\", inside: \"10.0.0.5:80\"}]}\n",
     "c:5:38: nat.forwards[0].protocol: 'icmp' is not tcp or udp\n"},
    {"forward_port_too_large",
     PORTS "nat: {forwards: [{name: w, protocol: tcp, outside: \"198.51.100.1:65536\", inside: "
           "\"10.0.0.5:80\"}]}\n",
     "c:5:52: nat.forwards[0].outside: '198.51.100.1:65536' is not an IPv4 address and a port or ports, like "
     "192.0.2.1:8080 or 192.0.2.1:8000-8099\n"},
    {"forward_range_backwards",
     PORTS "nat: {forwards: [{name: w, protocol: tcp, outside: \"198.51.100.1:90-80\", inside: "
           "\"10.0.0.5:80\"}]}\n",
     "c:5:52: nat.forwards[0].outside: '198.51.100.1:90-80': the ports end before they begin\n"},
    {"forward_inside_range",
     PORTS "nat: {forwards: [{name: w, protocol: tcp, outside: \"198.51.100.1:80-90\", inside: "
           "\"10.0.0.5:80-90\"}]}\n",
     "c:5:82: nat.forwards[0].inside: '10.0.0.5:80-90': a range of inside ports; write the first port alone, "
     ":80; the range is as long as the outside one\n"},
    {"forward_beyond_the_last_port",
     PORTS "nat: {forwards: [{name: w, protocol: tcp, outside: \"198.51.100.1:80-90\", inside: "
           "\"10.0.0.5:65530\"}]}\n",
     "c:5:82: nat.forwards[0].inside: 11 ports from 65530 on end beyond 65535; begin lower, or forward "
     "fewer\n"},
    {"forwards_conflict",
     PORTS "nat:\n  forwards:\n  - {name: v, protocol: udp, outside: \"198.51.100.1:80-90\", inside: "
           "\"10.0.0.5:80\"}\n  - {name: w, protocol: tcp, outside: \"198.51.100.1:80-90\", inside: "
           "\"10.0.0.5:80\"}\n  - {name: x, protocol: tcp, outside: \"198.51.100.1:85\", inside: "
           "\"10.0.0.6:80\"}\n  - {name: y, protocol: tcp, outside: \"198.51.100.1:90-91\", inside: "
           "\"10.0.0.7:80\"}\n",
     "c:9:39: nat.forwards[2].outside: 198.51.100.1:85 is taken by the forward 'w' on line 8; a port of an "
     "address leads to one host: choose another\n"
     "c:10:39: nat.forwards[3].outside: 198.51.100.1:90-91 is taken by the forward 'w' on line 8; a port of "
     "an address leads to one host: choose another\n"},
    {"forward_name_twice",
     PORTS "nat:\n  forwards:\n  - {name: w, protocol: udp, outside: \"198.51.100.1:80\", inside: "
           "\"10.0.0.5:80\"}\n  - {name: w, protocol: tcp, outside: \"198.51.100.1:80\", inside: "
           "\"10.0.0.5:80\"}\n",
     "c:8:12: nat.forwards[1].name: the forward 'w' is there already, on line 7; give each forward a name of "
     "its own\n"},
    {"forward_to_ourselves",
     PORTS
     "nat: {forwards: [{name: w, protocol: tcp, outside: \"198.51.100.1:80\", inside: \"10.0.0.1:80\"}]}\n",
     "c:5:79: nat.forwards[0].inside: 10.0.0.1 is the gateway's own address\n"},
    {"forward_on_a_static",
     PORTS "nat:\n  static: [{inside: 10.0.0.5, outside: 198.51.100.5}]\n  forwards: [{name: w, protocol: "
           "tcp, outside: \"198.51.100.5:80\", inside: \"10.0.0.6:80\"}]\n",
     "c:7:48: nat.forwards[0].outside: 198.51.100.5 has a 1:1 translation, on line 6; take one of them "
     "out\n"},
    {"timeout_below_the_rfc", PORTS "nat: {timeouts: {udp: 30}}\n",
     "c:5:23: warning: nat.timeouts.udp: 30 seconds are less than RFC 4787 REQ-5 asks for; raise it to 120 "
     "or more\n"},
    {"set_twice",
     PORTS "prefilter:\n  sets:\n  - {name: s, prefixes: [192.0.2.0/24]}\n  - {name: s, prefixes: "
           "[192.0.2.0/24]}\n  ports: [{port: wan, rules: [{deny: s}]}]\n",
     "c:8:12: prefilter.sets[1].name: the set 's' is there already, on line 7; give each set a name of its "
     "own\n"},
    {"set_unknown",
     PORTS "prefilter:\n  sets: [{name: blocked, prefixes: [192.0.2.0/24]}]\n  ports: [{port: wan, rules: "
           "[{allow: blocked}, {deny: blokced}]}]\n",
     "c:7:56: prefilter.ports[0].rules[1].deny: there is no set 'blokced'; did you mean 'blocked'?\n"},
    {"set_unused", PORTS "prefilter: {sets: [{name: s, prefixes: [192.0.2.0/24]}]}\n",
     "c:5:27: warning: prefilter.sets[0].name: no rule uses the set 's'; name it in a rule of "
     "'prefilter.ports', or take it out\n"},
    {"set_file_missing",
     PORTS "prefilter:\n  sets: [{name: s, files: [/nonexistent/set.txt]}]\n  ports: [{port: wan, rules: "
           "[{deny: s}]}]\n",
     "c:6:28: prefilter.sets[0].files[0]: /nonexistent/set.txt cannot be read: No such file or directory; "
     "the name counts from the config's folder\n"},
    {"rule_with_both",
     PORTS "prefilter:\n  sets: [{name: s, prefixes: [192.0.2.0/24]}]\n  ports: [{port: wan, rules: [{deny: "
           "s, allow: s}]}]\n",
     "c:7:31: prefilter.ports[0].rules[0]: a rule is either 'deny' or 'allow'; write - deny: SET or - allow: "
     "SET\n"},
    {"rule_with_neither", PORTS "prefilter: {ports: [{port: wan, rules: [{}]}]}\n",
     "c:5:41: prefilter.ports[0].rules[0]: a rule is either 'deny' or 'allow'; write - deny: SET or - allow: "
     "SET\n"},
    {"prefilter_port_unknown", PORTS "prefilter: {ports: [{port: wen}]}\n",
     "c:5:28: prefilter.ports[0].port: there is no port 'wen'; did you mean 'wan'?\n"},
    {"prefilter_port_twice", PORTS "prefilter: {ports: [{port: wan}, {port: wan}]}\n",
     "c:5:41: prefilter.ports[1].port: the port 'wan' has rules already, on line 5; put its rules into one "
     "list\n"},
    {"prefilter_denies_everything", PORTS "prefilter: {ports: [{port: wan, default: deny}]}\n",
     "c:5:42: warning: prefilter.ports[0].default: denies every packet of port 'wan'; add a rule that "
     "allows, or write default: allow\n"},
    {"several_at_once",
     "sluice: 1\nprots: []\nports:\n- {name: a, device: 'null:', mtu: 10, addresses: [1.2.3/24]}\nflow: "
     "{capacity: 1}\n",
     "c:2:1: unknown key 'prots'; did you mean 'ports'?\n"
     "c:4:35: ports[0].mtu: 10 (bytes) is out of range; write 576 to 9216\n"
     "c:4:51: ports[0].addresses[0]: '1.2.3/24' is not an address with its link's prefix length, like "
     "192.0.2.1/24 or 2001:db8::1/64\n"
     "c:5:18: flow.capacity: 1 (flows) is out of range; write 1024 to 268435456\n"},
};

int main(void)
{
    return run_faults("config_faults", faults, sizeof(faults) / sizeof(faults[0]));
}
