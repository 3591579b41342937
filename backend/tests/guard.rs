//! Where nothing may be sent: every spelling of an address that is not public, names that lead there, and
//! answers that lead there. Each is tried for real, beside a listener that must never be reached.

#[expect(dead_code, reason = "the tests of delivery need more of it")]
mod outbox;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tripline_backend::network::guard::{
    ADDRESSES_MAX, Forbidden, Guard, GuardedResolver, Scheme, URL_LEN_MAX,
};
use tripline_backend::store::callback::Delivery;

use outbox::{ACK, Peer, Treatment, World, eventually};

/// How long callbacks are tried that must be refused at once, in ms: long.
const TRIED_MS: i64 = 3_600_000;

/// URLs that mean this machine or another that is not public. `PORT` is that of the listener.
const FORBIDDEN: &[&str] = &[
    // Loopback, as everybody writes it.
    "http://127.0.0.1:PORT",
    "https://127.0.0.1:PORT",
    "https://127.0.0.2:PORT",
    "https://127.255.255.254:PORT",
    "https://127.0.0.1.:PORT",
    // As few do: short, decimal, octal, hexadecimal, mixed.
    "https://127.1:PORT",
    "https://127.0.1:PORT",
    "https://2130706433:PORT",
    "https://0x7f000001:PORT",
    "https://0x7f.1:PORT",
    "https://0x7f.0x0.0x0.0x1:PORT",
    "https://017700000001:PORT",
    "https://0177.0.0.1:PORT",
    "https://0177.0.0.01:PORT",
    "https://0177.0x0.1:PORT",
    "https://127.0x000001:PORT",
    "https://127.0.0.1..:PORT",
    "https://0:PORT",
    "https://0.0.0.0:PORT",
    "https://0x0:PORT",
    "https://00000:PORT",
    // Percent-encoded, in full width, in other scripts' forms.
    "https://%31%32%37.0.0.1:PORT",
    "https://127%2E0%2E0%2E1:PORT",
    "https://%6cocalhost:PORT",
    "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1:PORT",
    "https://127\u{3002}0\u{3002}0\u{3002}1:PORT",
    "https://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}:PORT",
    "https://127\u{ff0e}0\u{ff0e}0\u{ff0e}1:PORT",
    "https://\u{ff4c}ocalhost:PORT",
    // IPv6, and IPv4 within it.
    "https://[::1]:PORT",
    "http://[::1]:PORT",
    "https://[0:0:0:0:0:0:0:1]:PORT",
    "https://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT",
    "https://[::]:PORT",
    "https://[::ffff:127.0.0.1]:PORT",
    "https://[::ffff:7f00:1]:PORT",
    "https://[0:0:0:0:0:ffff:7f00:0001]:PORT",
    "https://[::ffff:0.0.0.0]:PORT",
    "https://[::127.0.0.1]:PORT",
    "https://[::7f00:1]:PORT",
    "https://[::ffff:0:127.0.0.1]:PORT",
    "https://[64:ff9b::127.0.0.1]:PORT",
    "https://[64:ff9b::7f00:1]:PORT",
    "https://[64:ff9b:1::7f00:1]:PORT",
    "https://[2002:7f00:1::]:PORT",
    "https://[2002:a00:1::1]:PORT",
    "https://[2001:0:7f00:1::]:PORT",
    // Names of this machine.
    "http://localhost:PORT",
    "https://localhost:PORT",
    "https://LocalHost:PORT",
    "https://localhost.:PORT",
    "https://localhost..:PORT",
    "https://a.localhost:PORT",
    "https://localhost.localdomain:PORT",
    // Others' machines, where they are not public.
    "https://10.0.0.1:PORT",
    "https://172.16.0.1:PORT",
    "https://172.31.255.255:PORT",
    "https://192.168.0.1:PORT",
    "https://100.64.0.1:PORT",
    "https://169.254.169.254",
    "http://169.254.169.254",
    "https://[fd00:ec2::254]",
    "https://0xa9fea9fe",
    "https://2852039166",
    "https://192.0.0.8:PORT",
    "https://198.18.0.1:PORT",
    "https://192.0.2.1:PORT",
    "https://224.0.0.1:PORT",
    "https://255.255.255.255:PORT",
    "https://240.0.0.1:PORT",
    "https://[fc00::1]:PORT",
    "https://[fe80::1]:PORT",
    "https://[fec0::1]:PORT",
    "https://[ff02::1]:PORT",
    "https://[2001:db8::1]:PORT",
    "https://[3fff::1]:PORT",
    "https://[100::1]:PORT",
    "https://[2001:2::1]:PORT",
    "https://[2001:20::1]:PORT",
    // Names within somebody's network.
    "https://printer:PORT",
    "https://bap.local:PORT",
    "https://metadata.google.internal",
    "https://router.home.arpa:PORT",
    "https://db.corp:PORT",
    // Something else in the way.
    "https://user@127.0.0.1:PORT",
    "https://bap.example@127.0.0.1:PORT",
    "https://user:pass@8.8.8.8:PORT",
    "https://@127.0.0.1:PORT",
    "https://8.8.8.8:0",
    "https:127.0.0.1:PORT",
    "https:///127.0.0.1:PORT",
    "https:\\\\127.0.0.1:PORT",
    "https://127.0.0.1\\@8.8.8.8:PORT",
    "https://8.8.8.8#@127.0.0.1:PORT",
    "https://[fe80::1%25lo]:PORT",
    "https://[::1%25lo]:PORT",
    "https://1\t27.0.0.1:PORT",
    "http://8.8.8.8:PORT",
    "http://bap.example:PORT",
    "https://",
    "https://:PORT",
    "https://.:PORT",
    "https://256.0.0.1:PORT",
    "https://0x100000000:PORT",
    "https://[::g]:PORT",
    "ftp://127.0.0.1:PORT",
    "file:///etc/passwd",
    "unix:/run/docker.sock",
    "gopher://127.0.0.1:PORT",
    "//127.0.0.1:PORT",
    "127.0.0.1:PORT",
    "",
];

#[tokio::test]
async fn no_spelling_of_an_address_that_is_not_public_reaches_a_listener_there() {
    let peer = Peer::start_everywhere().await;
    let world = World::on_sqlite().await;
    let port = peer.port.to_string();
    let urls: Vec<String> = FORBIDDEN.iter().map(|url| url.replace("PORT", &port)).collect();
    let ids: Vec<String> = (0..urls.len()).map(|n| format!("bap-{n}")).collect();
    // Vouched for, wherever an entry can hold the address at all: the guard is alone in its way.
    let registered = |url: &&String| {
        url::Url::parse(url).is_ok_and(|url| url.has_host() && url.scheme().starts_with("http"))
    };
    let subscribers: Vec<(&str, &str)> = urls
        .iter()
        .zip(&ids)
        .filter(|(url, _)| registered(url))
        .map(|(url, id)| (&**id, &**url))
        .collect();
    let poster = world.poster(&subscribers, &[]);
    for (url, id) in urls.iter().zip(&ids) {
        world.add(id, (id, 1), &format!("{url}/on_status"), TRIED_MS).await;
    }
    let _working = world.work(poster);
    let callbacks = world.settled().await;
    assert_eq!(callbacks.len(), FORBIDDEN.len());
    for row in callbacks {
        assert_eq!((row.state, row.attempts), (Delivery::Dead, 1), "{}", row.url);
        let reason = row.last_error.expect("a reason");
        assert!(!reason.contains("registered"), "{}: refused for another reason", row.url);
    }
    assert_eq!(peer.connections(), 0, "somebody reached the listener");
}

#[test]
fn what_is_public_is_let_through_however_it_is_spelled() {
    for url in [
        "https://bap.example/on_search",
        "https://bap.example:8443/beckn/v1/on_search",
        "https://BAP.Example/on_search",
        "https://bap.example./on_search",
        "https://8.8.8.8/on_search",
        "https://0x08080808/on_search",
        "https://134744072/on_search",
        "https://[2606:4700::1111]/x",
        "https://[::ffff:8.8.8.8]/x",
        "https://b\u{fc}cher.example/x",
        "https://xn--bcher-kva.example/x",
        "https://localhost.example/x",
        "https://10.example/x",
        "https://bap.example",
        "https://bap.example/a%20b?c=d",
    ] {
        let checked = Guard::default().check(url);
        assert!(checked.is_ok(), "{url}: {checked:?}");
    }
}

#[test]
fn a_path_that_would_be_sent_otherwise_than_it_is_written_is_refused() {
    for url in [
        "https://bap.example/on_status/../admin",
        "https://bap.example/a/%2e%2e/b",
        "https://bap.example/on_status/..",
        "https://bap.example\\on_status",
        "https://bap.example/a b",
        "https://bap.example/x/../on_status",
        "https://bap.example/on\tx",
        "https:/bap.example/on_status",
    ] {
        assert_eq!(Guard::default().check(url), Err(Forbidden::Path), "{url}");
    }
}

#[test]
fn private_networks_are_let_through_where_they_are_listed_and_what_stands_for_them_is_not() {
    let guard = |networks: &[&str]| {
        Guard::new(networks.iter().map(|network| network.parse().expect("a network")).collect())
    };
    let loopback = guard(&["127.0.0.0/8", "fd00::/8"]);
    for url in [
        "http://127.0.0.1:80/x",
        "https://127.1/x",
        "http://2130706433/x",
        "http://[fd00::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://bap/x",
        "http://bap.internal/x",
        "https://8.8.8.8/x",
    ] {
        assert!(loopback.check(url).is_ok(), "{url}: {:?}", loopback.check(url));
    }
    for url in [
        "http://10.0.0.1/x",
        "http://[::1]/x",
        "http://8.8.8.8/x",
        "http://localhost/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://[2002:7f00:1::]/x",
        "http://u@127.0.0.1/x",
    ] {
        assert!(loopback.check(url).is_err(), "{url}");
    }
    let everything = guard(&["0.0.0.0/0", "::/0"]);
    for url in [
        "https://[64:ff9b::1]/x",
        "https://[2002::1]/x",
        "https://[2001::1]/x",
        "https://[::7f00:1]/x",
    ] {
        assert!(matches!(everything.check(url), Err(Forbidden::Transition(_))), "{url}");
    }
}

#[test]
fn a_refusal_does_not_say_back_what_it_was_given() {
    let secret = "x".repeat(URL_LEN_MAX * 10);
    for url in [&*secret, &format!("https://{secret}"), &format!("https://{}@a.b/", &secret[..900])]
    {
        let said = Guard::default().check(url).expect_err("refused").to_string();
        assert!(said.len() < 100 && !said.contains("xxx"), "{said}");
    }
}

/// Answers with what it is told, one answer after another, the last for good.
struct Script {
    answers: Vec<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Script {
    fn new(answers: Vec<Vec<SocketAddr>>) -> Arc<Self> {
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Resolve for Script {
    fn resolve(&self, _: Name) -> Resolving {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[asked.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(Box::new(answer.into_iter()) as Addrs) })
    }
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), 0)).collect()
}

async fn resolve(resolver: &GuardedResolver) -> Result<Vec<SocketAddr>, String> {
    let name = "bap.example".parse().expect("a name");
    resolver.resolve(name).await.map(Iterator::collect).map_err(|error| error.to_string())
}

#[tokio::test]
async fn of_a_name_either_all_addresses_are_given_or_none() {
    let many = vec![SocketAddr::from(([8, 8, 8, 8], 0)); ADDRESSES_MAX + 1];
    for (answer, scheme, given) in [
        (addresses(&["8.8.8.8", "2606:4700::1111"]), Scheme::Https, true),
        (addresses(&["10.1.2.3"]), Scheme::Https, true),
        (addresses(&["8.8.8.8", "10.1.2.3"]), Scheme::Https, true),
        (addresses(&["10.1.2.3", "10.1.2.4"]), Scheme::Http, true),
        (addresses(&["8.8.8.8", "127.0.0.1"]), Scheme::Https, false),
        (addresses(&["127.0.0.1", "8.8.8.8"]), Scheme::Https, false),
        (addresses(&["8.8.8.8", "::ffff:127.0.0.1"]), Scheme::Https, false),
        (addresses(&["64:ff9b::8.8.8.8"]), Scheme::Https, false),
        (addresses(&["10.1.2.3", "8.8.8.8"]), Scheme::Http, false),
        (Vec::new(), Scheme::Https, false),
        (many, Scheme::Https, false),
    ] {
        let guard = Guard::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let resolver = GuardedResolver::new(Script::new(vec![answer.clone()]), guard, scheme);
        let found = resolve(&resolver).await;
        assert_eq!(found.is_ok(), given, "{answer:?}: {found:?}");
        assert!(found.is_err() || found == Ok(answer), "as it was answered");
    }
}

#[tokio::test]
async fn a_name_that_turns_private_is_not_followed_there() {
    let answers = vec![addresses(&["8.8.8.8"]), addresses(&["127.0.0.1"])];
    let resolver = GuardedResolver::new(Script::new(answers), Guard::default(), Scheme::Https);
    assert_eq!(resolve(&resolver).await, Ok(addresses(&["8.8.8.8"])));
    let refused = resolve(&resolver).await.expect_err("refused");
    assert_eq!(refused, "127.0.0.1 is not a public address");
}

#[tokio::test]
async fn names_that_lead_to_the_listener_do_not_get_there() {
    let peer = Peer::start(|_| ACK).await;
    let world = World::on_sqlite().await;
    let (http, https) =
        (format!("http://one.example:{}", peer.port), format!("https://two.example:{}", peer.port));
    // First an address that is let through and where nobody is, then the listener's, then both.
    let (aside, there) = (addresses(&["127.9.9.9"]), addresses(&["127.0.0.1"]));
    let (one, other) =
        ([aside.clone(), there.clone()].concat(), [there.clone(), aside.clone()].concat());
    let script = Script::new(vec![aside, there, one, other]);
    let asked = Arc::clone(&script);
    let subscribers = [("one", &*http), ("two", &*https)];
    let poster = world.poster_that_asks(&subscribers, &["127.9.9.9/32"], &(script as _));
    world.add("one", ("a", 1), &format!("{http}/on_status"), TRIED_MS).await;
    world.add("two", ("b", 1), &format!("{https}/on_status"), TRIED_MS).await;
    let _working = world.work(poster);
    eventually("asked often", || asked.asked.load(Ordering::SeqCst) > 12).await;
    let rows = world
        .until("refused", |rows| {
            let refused = |text: &String| text.contains("127.0.0.1 is not a public address");
            rows.iter().all(|row| row.last_error.as_ref().is_some_and(refused))
        })
        .await;
    assert!(rows.iter().all(|row| row.state == Delivery::Pending), "a name may be mended");
    assert_eq!(peer.connections(), 0, "somebody reached the listener");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_is_final() {
    let hidden = Peer::start(|_| ACK).await;
    let location: &'static str =
        Box::leak(format!("location: {}\r\n", hidden.url("x")).into_boxed_str());
    let peer = Peer::start(move |_| Treatment::Answer(307, location, "")).await;
    let world = World::on_sqlite().await;
    let poster = world.poster(&[("bap", &peer.url("bap"))], &["127.0.0.0/8"]);
    world.add("bap", ("a", 1), &peer.url("bap/on_status"), TRIED_MS).await;
    let _working = world.work(poster);
    let rows = world.settled().await;
    assert_eq!((rows[0].state, rows[0].attempts), (Delivery::Dead, 1));
    assert!(rows[0].last_error.as_deref().is_some_and(|error| error.contains("307")));
    assert_eq!((peer.connections(), hidden.connections()), (1, 0));
}

proptest! {
    #[test]
    fn nothing_that_passes_has_an_address_that_is_not_public(text in "\\PC{0,80}", host in "[0-9a-fx.:\\[\\]%]{1,40}") {
        for url in [text, format!("https://{host}/x"), format!("https://[{host}]/x")] {
            if let Ok(passed) = Guard::default().check(&url) {
                prop_assert_eq!(passed.scheme(), "https");
                let public = match passed.host() {
                    Some(url::Host::Ipv4(address)) => {
                        tripline_backend::network::guard::is_public(address.into())
                    }
                    Some(url::Host::Ipv6(address)) => {
                        tripline_backend::network::guard::is_public(address.into())
                    }
                    Some(url::Host::Domain(_)) => true,
                    None => false,
                };
                prop_assert!(public, "{}", passed);
                prop_assert_eq!(Guard::default().check(passed.as_str()), Ok(passed.clone()));
            }
        }
    }
}
