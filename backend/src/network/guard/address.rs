//! Which addresses are public: those in none of IANA's registries of special-purpose addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: its first address and the length of its prefix, in bits.
type Network<A> = (A, u32);

const fn v4(a: u8, b: u8, c: u8, prefix_len: u32) -> Network<Ipv4Addr> {
    (Ipv4Addr::new(a, b, c, 0), prefix_len)
}

const fn v6(a: u16, b: u16, c: u16, prefix_len: u32) -> Network<Ipv6Addr> {
    (Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix_len)
}

/// The IPv4 special-purpose registry (RFC 6890 and what came after), and multicast. The few of its networks
/// that are reachable are there for a service of the network itself, and no peer lives in them.
const SPECIAL_V4: [Network<Ipv4Addr>; 19] = [
    v4(0, 0, 0, 8),        // this network
    v4(10, 0, 0, 8),       // private
    v4(100, 64, 0, 10),    // shared with a carrier's NAT
    v4(127, 0, 0, 8),      // loopback
    v4(169, 254, 0, 16),   // link-local, and metadata services of clouds
    v4(172, 16, 0, 12),    // private
    v4(192, 0, 0, 24),     // protocol assignments
    v4(192, 0, 2, 24),     // documentation
    v4(192, 31, 196, 24),  // AS112
    v4(192, 52, 193, 24),  // automatic multicast tunnels
    v4(192, 88, 99, 24),   // relays of 6to4
    v4(192, 168, 0, 16),   // private
    v4(192, 175, 48, 24),  // AS112
    v4(198, 18, 0, 15),    // benchmarks
    v4(198, 51, 100, 24),  // documentation
    v4(203, 0, 113, 24),   // documentation
    v4(224, 0, 0, 4),      // multicast
    v4(240, 0, 0, 4),      // reserved
    v4(255, 255, 255, 24), // broadcast
];

/// What the IPv6 special-purpose registry has of the global unicast addresses.
const SPECIAL_V6: [Network<Ipv6Addr>; 6] = [
    v6(0x2001, 0, 0, 23), // protocol assignments: Teredo, benchmarks, ORCHID and others
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16), // 6to4
    v6(0x2620, 0x4f, 0x8000, 48), // AS112
    v6(0x3ffe, 0, 0, 16), // given back by the 6bone
    v6(0x3fff, 0, 0, 20), // documentation
];

/// Addresses that hold another address, to which something on the way sends on. What is let through would
/// not be what is reached, so that these are never let through. An IPv4-mapped address is none of them:
/// nothing on the way has a part in it, see [`meant`].
const TRANSITION: [Network<Ipv6Addr>; 4] = [
    v6(0x64, 0xff9b, 0, 96), // NAT64
    v6(0x64, 0xff9b, 1, 48), // NAT64 of one's own
    v6(0x2001, 0, 0, 32),    // Teredo
    v6(0x2002, 0, 0, 16),    // 6to4
];

/// Global unicast. Nothing is public outside.
const GLOBAL_V6: Network<Ipv6Addr> = v6(0x2000, 0, 0, 3);

fn has_v4((first, prefix_len): Network<Ipv4Addr>, address: Ipv4Addr) -> bool {
    (first.to_bits() ^ address.to_bits()).leading_zeros() >= prefix_len
}

fn has_v6((first, prefix_len): &Network<Ipv6Addr>, address: Ipv6Addr) -> bool {
    (first.to_bits() ^ address.to_bits()).leading_zeros() >= *prefix_len
}

/// The address that is meant: an IPv4-mapped one is written in IPv6, but the system that is asked to connect
/// to it sends IPv4 packets to the address in it. It is judged as that, everywhere.
pub(super) fn meant(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether an address is one that the whole Internet may reach, by IANA's registries of special-purpose
/// addresses. An IPv4-mapped one is judged as the IPv4 address in it; any other that holds an address
/// (NAT64, 6to4, Teredo, IPv4-compatible) is not public.
pub fn is_public(address: IpAddr) -> bool {
    match meant(address) {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| has_v4(*network, address)),
        IpAddr::V6(address) => {
            has_v6(&GLOBAL_V6, address)
                && !SPECIAL_V6.iter().any(|network| has_v6(network, address))
        }
    }
}

/// Whether an address holds another, to which something on the way sends on.
pub(super) fn is_transition(address: IpAddr) -> bool {
    match meant(address) {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => {
            TRANSITION.iter().any(|network| has_v6(network, address)) || is_compatible(address)
        }
    }
}

/// IPv4-compatible: 96 zero bits before the address that is meant. `::` and `::1` are not.
fn is_compatible(address: Ipv6Addr) -> bool {
    address.to_bits() > 1 && address.to_bits() >> 32 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const NOT_PUBLIC: &str = "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.0 \
        127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 \
        192.0.0.0 192.0.0.9 192.0.0.255 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 \
        192.168.0.0 192.168.255.255 192.175.48.1 198.18.0.0 198.19.255.255 198.51.100.1 \
        203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 \
        ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::8.8.8.8 \
        64:ff9b:1::1 100::1 100:0:0:1::1 2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 \
        2001:20::1 2001:1ff::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1:: 2002:808:808:: \
        2620:4f:8000::1 3ffe::1 3fff::1 3fff:fff:ffff::1 5f00::1 4000::1 1fff::1 e000::1 \
        fc00::1 fd12:3456::1 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1";

    const PUBLIC: &str = "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
        169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 \
        192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 \
        203.0.114.0 223.255.255.255 8.8.8.8 ::ffff:8.8.8.8 2001:200::1 2001:4860:4860::8888 \
        2001:db7::1 2001:db9::1 2003::1 2400:cb00::1 2606:4700:4700::1111 2620:4f:8001::1 \
        2a00:1450:4009::200e 3ffd::1 3fff:1000::1";

    #[test]
    fn the_ends_of_every_special_network_are_not_public_and_their_neighbours_are() {
        for text in NOT_PUBLIC.split_whitespace() {
            assert!(!is_public(address(text)), "{text}");
        }
        for text in PUBLIC.split_whitespace() {
            assert!(is_public(address(text)), "{text}");
        }
    }

    #[test]
    fn an_address_that_holds_another_is_told_from_one_that_does_not() {
        for text in ["64:ff9b::a00:1", "64:ff9b:1::1", "2001:0:1::1", "2002:a00:1::", "::10.0.0.1"]
        {
            assert!(is_transition(address(text)), "{text}");
        }
        for text in ["::", "::1", "::ffff:10.0.0.1", "10.0.0.1", "fd00::1", "2001:4860::1"] {
            assert!(!is_transition(address(text)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_standard_library_calls_local_is_never_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let local = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!(local && is_public(address.into())), "{address}");
            prop_assert_eq!(is_public(address.into()), is_public(address.to_ipv6_mapped().into()));
            prop_assert!(!is_public(address.to_ipv6_compatible().into()));
        }

        #[test]
        fn nothing_outside_global_unicast_is_public_but_what_is_mapped(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let global = bits >> 125 == 1 || address.to_ipv4_mapped().is_some();
            prop_assert!(global || !is_public(address.into()), "{address}");
        }
    }
}
