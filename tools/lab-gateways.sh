# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The lab of two gateways. Sourced by tools/lab, whose functions it uses.
#
#                        ┌─ gateway1 ─┐
#   client1 ─lan─ router ┤            ├─wan─ server1 server2 server3
#   10.0.0.11          .1└─ gateway2 ─┘      198.51.100.21   .22 .23
#   fd00::11                             2001:db8:100::21  ::22 ::23
#   client2 .12
#
# Both gateways announce 203.0.113.80 and 2001:db8:200::80, by BGP from BIRD to BIRD; the router's kernel spreads flows
# over them by their 5-tuple. BGP runs over the twins, so through sluice-dp itself: a gateway that forwards nothing is
# lost to the router within the hold time.
#
# The way back: answers of a DNAT flow must cross the gateway that has the flow, which a hash on the servers' side could
# not know. Each server marks the connection by the MAC that its last packet came from, and routes its answers by that
# mark. When a flow moves, the client's next segment moves its answers too.

GATEWAYS="1 2"
SERVICE_CONFIG=$ROOT/examples/two-gateways
BGP_HOLD=3

gateway_mac() { echo "02:00:00:00:01:0$1"; }

# add_gateway N: its namespace and links. Names: gw-core towards the router, gw-wan towards the servers.
add_gateway() {
    local n=$1 gateway=gateway$1
    ip netns add "$(ns "$gateway")"
    in_ns "$gateway" ip link set lo up
    in_ns "$gateway" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
    add_wire "$gateway" gw-core router "gw$n"
    add_wire "$gateway" gw-wan switch "gw$n-wan"
    in_ns "$gateway" ip link set gw-wan address "$(gateway_mac "$n")"
    in_ns switch sysctl -qw "net.ipv6.conf.gw$n-wan.disable_ipv6=1"
    in_ns switch ip link set "gw$n-wan" master wan
    in_ns router sysctl -qw "net.ipv6.conf.gw$n.accept_dad=0"
    in_ns router ip addr add "192.0.2.$((n * 4 - 2))/30" dev "gw$n"
    in_ns router ip addr add "2001:db8:$n::2/64" dev "gw$n"
    link_gateway "$n" up
}

# add_wire HOST NAME PEER-HOST PEER-NAME: a veth between the two, as a wire is: no checksum is left to the receiver.
add_wire() {
    ip link add "$2" netns "$(ns "$1")" numrxqueues 1 numtxqueues 1 type veth \
        peer name "$4" netns "$(ns "$3")" numrxqueues 1 numtxqueues 1
    in_ns "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
    in_ns "$1" ethtool -K "$2" tx off tso off gso off gro off >/dev/null 2>&1
    in_ns "$3" ethtool -K "$4" tx off tso off gso off gro off >/dev/null 2>&1
}

link_gateway() { # link_gateway N up|down: plugs its wires in, or pulls them
    local end
    in_ns "gateway$1" ip link set gw-core "$2"
    in_ns "gateway$1" ip link set gw-wan "$2"
    in_ns router ip link set "gw$1" "$2"
    in_ns switch ip link set "gw$1-wan" "$2"
    [ "$2" = up ] || return 0
    end=2001:db8:$1::2/64 # IPv6 addresses go with the link
    in_ns router ip addr replace "$end" dev "gw$1"
}

add_bridge() {
    in_ns switch ip link add "$1" type bridge forward_delay 0 mcast_snooping 0
    in_ns switch sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1"
    in_ns switch ip link set "$1" up
}

# Answers go to the gateway that the connection's last packet came from.
mark_answers() {
    local host=$1 n
    {
        echo 'table inet sluice_lab {'
        echo '  chain in { type filter hook prerouting priority mangle;'
        for n in $GATEWAYS; do echo "    ether saddr $(gateway_mac "$n") ct mark set $n"; done
        echo '  }'
        echo '  chain out { type route hook output priority mangle; ct mark != 0 meta mark set ct mark; }'
        echo '}'
    } | in_ns "$host" nft -f -
    for n in $GATEWAYS; do
        in_ns "$host" ip route add default via "198.51.100.$n" table "10$n"
        in_ns "$host" ip -6 route add default via "2001:db8:100::$n" table "10$n"
        in_ns "$host" ip rule add fwmark "$n" table "10$n"
        in_ns "$host" ip -6 rule add fwmark "$n" table "10$n"
    done
    # Without a routing decision there is no output hook that could make another.
    in_ns "$host" ip route add default via 198.51.100.1
    in_ns "$host" ip -6 route add default via 2001:db8:100::1
}

build_two_gateways() {
    local n name
    ip netns add "$(ns switch)"
    for name in iptables ip6tables arptables; do
        in_ns switch sysctl -qw "net.bridge.bridge-nf-call-$name=0" 2>/dev/null || true
    done
    add_bridge lan
    add_bridge wan
    add_host router lan 10.0.0.1/24 fd00::1/64
    in_ns router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
        net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
    for n in $GATEWAYS; do add_gateway "$n"; done
    for n in 1 2; do
        add_host client$n lan 10.0.0.1$n/24 fd00::1$n/64
        in_ns client$n ip route add default via 10.0.0.1
        in_ns client$n ip route add default via fd00::1
    done
    for n in 1 2 3; do
        add_host server$n wan 198.51.100.2$n/24 2001:db8:100::2$n/64
        mark_answers server$n
    done
}

# ---- BIRD ----
bird_config() { # bird_config HOST: on the router both gateways are neighbors, on a gateway the router is
    local n families="ipv4 ipv6" family
    echo "router id $([ "$1" = router ] && echo 192.0.2.254 || echo "192.0.2.${1#gateway}");"
    echo 'protocol device { scan time 1; }'
    if [ "$1" != router ]; then
        sed "s/@N@/${1#gateway}/g; s/@ROUTER4@/192.0.2.$((${1#gateway} * 4 - 2))/g; s/@HOLD@/$BGP_HOLD/g" \
            "$SERVICE_CONFIG/bird.conf"
        return
    fi
    for family in $families; do
        echo "protocol kernel { $family { import none; export all; }; merge paths on; }"
    done
    for n in $GATEWAYS; do
        echo "protocol bgp gateway${n}v4 { local 192.0.2.$((n * 4 - 2)) as 64512; neighbor 192.0.2.$((n * 4 - 3)) as 64513;"
        echo "  passive on; hold time $BGP_HOLD; error wait time 1, 1; ipv4 { import all; export none; }; }"
        echo "protocol bgp gateway${n}v6 { local 2001:db8:$n::2 as 64512; neighbor 2001:db8:$n::1 as 64513;"
        echo "  passive on; hold time $BGP_HOLD; error wait time 1, 1; ipv6 { import all; export none; }; }"
    done
}

start_bird() { # its socket is in the state directory: birdc -s $BASE/HOST.bird
    bird_config "$1" >"$BASE/$1.bird.conf"
    setsid ip netns exec "$(ns "$1")" bird -f -c "$BASE/$1.bird.conf" -s "$BASE/$1.bird" -P "$BASE/$1.bird.pid" \
        >>"$BASE/$1.bird.log" 2>&1 </dev/null &
}

wait_routes() { # until the router has both gateways for both families
    local i
    for i in $(seq 200); do
        [ "$(in_ns router ip route show 203.0.113.80 2>/dev/null | grep -c nexthop)" = 2 ] &&
            [ "$(in_ns router ip -6 route show 2001:db8:200::80 2>/dev/null | grep -c 'gw[12]')" -ge 2 ] && return 0
        sleep 0.1
    done
    die "the router has not learned both gateways after 20 s: $(in_ns router ip route show; tail -n 5 "$BASE"/*.bird.log)"
}

up_two_gateways() {
    local n host
    command -v bird >/dev/null || die "BIRD is missing: run 'tools/install-deps test'"
    command -v nft >/dev/null || die "nft is missing: run 'tools/install-deps test'"
    mkdir -p "$BASE" && touch "$BASE/two-gateways"
    build_two_gateways
    for n in $GATEWAYS; do
        select_gateway "$n"
        prepare_state "$SERVICE_CONFIG/gateway$n.yaml"
        start_daemon control
        start_daemon dp
    done
    for n in $GATEWAYS; do select_gateway "$n" && wait_ready; done
    for host in router gateway1 gateway2; do start_bird $host; done
    wait_routes
}
