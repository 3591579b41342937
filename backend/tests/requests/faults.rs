//! What peers do, by intent and by mistake, and what must come of it.

use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use tripline_protocol::signing::{digest, encode_base64, sign};

use crate::world::{
    Ask, BAP, BPP, DOMAIN, GATEWAY, OTHER_BAP, World, at, key_id, key_of, route, sample, uri_of,
};

/// What becomes of a request: HTTP status, and the field or else the code that the NACK names; an ACK names
/// nothing.
type Verdict = (u16, &'static str);

const ACK: Verdict = (200, "");
const UNSIGNED: Verdict = (401, "30000");

/// What a peer does, and what comes of it.
type Row = (&'static str, fn(&mut Ask), Verdict);

const HEADERS: &[Row] = &[
    ("a request as the specification has it", |_| (), ACK),
    ("parameters in another order", |ask| ask.header = |h| Some(reversed(&h, ",")), ACK),
    ("blanks in place of commas", |ask| ask.header = |h| Some(reversed(&h, " ")), ACK),
    ("both", |ask| ask.header = |h| Some(reversed(&h, " , ")), ACK),
    (
        "headers without blanks",
        |ask| ask.header = |h| Some(h.replace("(created) (expires) d", "(created)(expires)d")),
        ACK,
    ),
    ("numbers without quotes", |ask| ask.header = |h| Some(bare_numbers(&h)), ACK),
    ("a key id of two parts", |ask| ask.header = |h| Some(h.replace("|k1|", "|")), ACK),
    ("a key id of one", |ask| ask.header = |h| Some(h.replace("|k1|ed25519", "")), ACK),
    ("a key id of none", |ask| ask.header = |h| Some(h.replace("bap.example|k1|", "|")), UNSIGNED),
    ("another key's id", |ask| ask.header = |h| Some(h.replace("|k1|", "|k2|")), UNSIGNED),
    (
        "the algorithm's spelling of 2021",
        |ask| ask.header = |h| Some(h.replace("algorithm=\"ed", "algorithm=\"xed")),
        UNSIGNED,
    ),
    ("a parameter twice", |ask| ask.header = |h| Some(format!("{h},created=\"1\"")), UNSIGNED),
    ("one too many", |ask| ask.header = |h| Some(format!("{h},nonce=\"1\"")), UNSIGNED),
    ("no signature", |ask| ask.header = |_| None, UNSIGNED),
    ("another scheme", |ask| ask.header = |_| Some("Bearer abc".into()), UNSIGNED),
    ("two signatures", |ask| ask.more.push(("authorization", ask.signed().1)), UNSIGNED),
    ("expires as created", |ask| ask.life_s = 0, UNSIGNED),
    ("an hour, back-dated by a minute", |ask| (ask.created_s, ask.life_s) = (-60, 3_660), ACK),
    ("more than a day", |ask| ask.life_s = 86_401, UNSIGNED),
    ("signed in a while", |ask| ask.created_s = 60, UNSIGNED),
    ("a clock some seconds ahead", |ask| ask.created_s = 5, ACK),
    ("expired", |ask| ask.created_s = -120, UNSIGNED),
    ("blanks in the body that were not signed", |ask| ask.wire = Some(reserialised(ask)), UNSIGNED),
    ("nothing in place of the body", |ask| ask.wire = Some(Vec::new()), UNSIGNED),
    ("a signing string without blanks", |ask| by_hand(ask, signing_string_of_2021), UNSIGNED),
    ("a hashed signing string", |ask| by_hand(ask, hashed_signing_string), UNSIGNED),
];

const SIGNERS: &[Row] = &[
    ("another subscriber's key", |ask| ask.key = key_of(OTHER_BAP), UNSIGNED),
    ("a stranger", |ask| ask.key_id = key_id("stranger.example"), UNSIGNED),
    ("one who left", |ask| replace(ask, "gone.example"), UNSIGNED),
    ("a provider", |ask| replace(ask, "provider.example"), UNSIGNED),
    ("a gateway in a BAP's place", |ask| replace(ask, GATEWAY), UNSIGNED),
    ("another BAP", |ask| replace(ask, OTHER_BAP), ACK),
    ("another BAP for this one", |ask| sign_by(ask, OTHER_BAP), (200, "context.bap_id")),
    ("one of two domains", |ask| replace_unnamed(ask, "two.example"), ACK),
    (
        "the other one's key",
        |ask| {
            replace_unnamed(ask, "two.example");
            ask.key = key_of("two.example/there");
        },
        (200, "context.domain"),
    ),
    ("its gateway", |ask| gateway(ask, "x-gateway-authorization", GATEWAY), ACK),
    ("an older gateway", |ask| gateway(ask, "proxy-authorization", GATEWAY), ACK),
    (
        "a gateway of another domain",
        |ask| gateway(ask, "x-gateway-authorization", "gateway.elsewhere"),
        (200, "context.domain"),
    ),
    (
        "two gateways",
        |ask| {
            gateway(ask, "x-gateway-authorization", GATEWAY);
            gateway(ask, "proxy-authorization", GATEWAY);
        },
        UNSIGNED,
    ),
    ("a BAP as gateway", |ask| gateway(ask, "x-gateway-authorization", OTHER_BAP), UNSIGNED),
    (
        "a gateway's nonsense",
        |ask| ask.more.push(("x-gateway-authorization", "x".into())),
        UNSIGNED,
    ),
    (
        "a gateway alone",
        |ask| {
            gateway(ask, "x-gateway-authorization", GATEWAY);
            ask.header = |_| None;
        },
        UNSIGNED,
    ),
];

const CONTEXTS: &[Row] = &[
    ("an id with scheme and slash", |ask| set(ask, "bap_id", "https://bap.example/"), ACK),
    ("an address with a slash", |ask| set(ask, "bap_uri", &format!("{}/", uri_of(BAP))), ACK),
    (
        "another address",
        |ask| set(ask, "bap_uri", "http://127.0.0.1:9/x"),
        (200, "context.bap_uri"),
    ),
    ("no address", |ask| set(ask, "bap_uri", ""), (200, "context.bap_uri")),
    ("our id with scheme", |ask| set(ask, "bpp_id", &format!("https://{BPP}/")), ACK),
    ("another platform", |ask| set(ask, "bpp_id", "other.bpp"), (200, "context.bpp_id")),
    ("its address", |ask| set(ask, "bpp_uri", "http://o.example"), (200, "context.bpp_uri")),
    ("another domain", |ask| set(ask, "domain", "nic2008:49213"), (200, "context.domain")),
    ("another action", |ask| set(ask, "action", "select"), (200, "context.action")),
    ("a later version", |ask| set(ask, "core_version", "1.1.0"), (200, "context.core_version")),
    ("no message id", |ask| set(ask, "message_id", ""), (200, "context.message_id")),
    ("no time", |ask| set(ask, "timestamp", ""), (200, "context.timestamp")),
    (
        "a time of no zone",
        |ask| set(ask, "timestamp", "2026-01-01T00:00:00"),
        (200, "context.timestamp"),
    ),
    (
        "a number for a time",
        |ask| ask.body["context"]["timestamp"] = json!(1),
        (200, "context.timestamp"),
    ),
    ("a time with an offset", |ask| set(ask, "timestamp", "2099-01-01T00:00:00+05:30"), ACK),
    ("stale", |ask| set(ask, "timestamp", &at(-60)), (200, "context.timestamp")),
    ("as late as clocks are apart", |ask| set(ask, "timestamp", &at(-35)), ACK),
    ("a ttl of P120S", |ask| aged(ask, json!("P120S")), ACK),
    ("a ttl of P2M", |ask| aged(ask, json!("P2M")), ACK),
    ("a ttl of no time", |ask| aged(ask, json!("PT0S")), ACK),
    ("a ttl of nonsense", |ask| aged(ask, json!("soon")), ACK),
    ("a number for a ttl", |ask| aged(ask, json!(30)), ACK),
    ("no ttl", |ask| aged(ask, Value::Null), ACK),
    ("no message", |ask| ask.body["message"] = Value::Null, (200, "message")),
    ("a list for a message", |ask| ask.body["message"] = json!([]), (200, "message")),
];

const BODIES: &[Row] = &[
    (
        "a key twice",
        |ask| spoilt(ask, "\"country\":", "\"city\":\"x\",\"country\":"),
        (400, "context.city"),
    ),
    ("a byte order mark", |ask| spoilt(ask, "{\"context", "\u{feff}{\"context"), (400, "30000")),
    (
        "something behind it",
        |ask| ask.raw = Some([&ask.bytes()[..], b"{}"].concat()),
        (400, "30000"),
    ),
    ("half of it", |ask| ask.raw = Some(ask.bytes()[..99].to_vec()), (400, "30000")),
    ("half a character", |ask| spoilt(ask, "std:080", "\\ud83d"), (400, "30000")),
    ("no UTF-8", |ask| ask.raw = Some(b"{\"context\":\"\xff\"}".to_vec()), (400, "30000")),
    ("nothing", |ask| ask.raw = Some(Vec::new()), (400, "30000")),
    ("a text", |ask| ask.raw = Some(b"\"search\"".to_vec()), (200, "context.core_version")),
    ("a deep one", |ask| ask.raw = Some(b"[".repeat(1_000)), (400, "30000")),
    ("a large one", |ask| ask.raw = Some(b" ".repeat(300_000)), (413, "30000")),
    (
        "one that is compressed",
        |ask| ask.more.push(("content-encoding", "gzip".into())),
        (415, "30000"),
    ),
    ("one that is not", |ask| ask.more.push(("content-encoding", "identity".into())), ACK),
    ("a return", |ask| ask.action = "get_return_reasons", (404, "40001")),
    ("an address", |ask| ask.action = "%ff", (404, "40001")),
];

const NAMES: &[Row] = &[
    ("an order of nobody", |ask| message(ask, "status", &by_id(UUID)), (200, "message.order_id")),
    (
        "an order of others",
        |ask| message(ask, "track", &by_id("1209849124")),
        (200, "message.order_id"),
    ),
    ("no order's id", |ask| message(ask, "status", &json!({})), (200, "message.order_id")),
    (
        "an init of no order",
        |ask| order(ask, "init", &json!({ "id": UUID })),
        (200, "message.order.id"),
    ),
    (
        "an init of no fulfillment",
        |ask| order(ask, "init", &json!({ "fulfillment": { "id": "f-1" } })),
        (200, "message.order.fulfillment.id"),
    ),
    (
        "an init of no item",
        |ask| order(ask, "init", &json!({ "items": [{ "id": "no" }], "fulfillment": route() })),
        (200, "message.order.items.0.id"),
    ),
    (
        "a select of no item",
        |ask| order(ask, "select", &json!({ "items": [{ "id": "no" }], "fulfillment": route() })),
        (200, "message.order.items.0.id"),
    ),
    (
        "a confirm of no order",
        |ask| order(ask, "confirm", &json!({ "id": "x" })),
        (200, "message.order.id"),
    ),
    (
        "a confirm that names none",
        |ask| order(ask, "confirm", &json!({ "items": [{ "id": "no" }], "fulfillment": route() })),
        (200, "message.order.id"),
    ),
];

const UUID: &str = "6743e9e2-4fb5-487c-92b7-13ba8018f176";

fn by_id(id: &str) -> Value {
    json!({ "order_id": id })
}

fn reversed(header: &str, separator: &str) -> String {
    let parameters: Vec<_> = header["Signature ".len()..].split(',').rev().collect();
    format!("Signature {}", parameters.join(separator))
}

fn bare_numbers(header: &str) -> String {
    let parameters = header["Signature ".len()..].split(',').map(|parameter| {
        let is_number = parameter.starts_with("created") || parameter.starts_with("expires");
        if is_number { parameter.replace('"', "") } else { parameter.into() }
    });
    format!("Signature {}", parameters.collect::<Vec<_>>().join(","))
}

/// As a peer sends it that signs one text and sends another.
fn reserialised(ask: &Ask) -> Vec<u8> {
    serde_json::to_vec_pretty(&ask.body).expect("JSON")
}

/// Signs this text of creation, expiry and digest instead.
fn by_hand(ask: &mut Ask, text: fn(i64, i64, &str) -> Vec<u8>) {
    let (bytes, header) = ask.signed();
    let seed = [BAP.bytes().fold(0_u8, u8::wrapping_add); 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
    let number = |name: &str| -> i64 {
        let (_, after) = header.split_once(&format!("{name}=\"")).expect("there");
        after.split('"').next().and_then(|text| text.parse().ok()).expect("a number")
    };
    let text = text(number("created"), number("expires"), &digest(&bytes));
    let (before, _) = header.split_once("signature=\"").expect("there");
    let signature = encode_base64(pair.sign(&text).as_ref());
    ask.more.push(("authorization", format!("{before}signature=\"{signature}\"")));
    ask.header = |_| None;
}

fn signing_string_of_2021(created_s: i64, expires_s: i64, digest: &str) -> Vec<u8> {
    format!("(created):{created_s}\n(expires):{expires_s}\ndigest:BLAKE-512={digest}").into()
}

fn signing_string(created_s: i64, expires_s: i64, digest: &str) -> Vec<u8> {
    format!("(created): {created_s}\n(expires): {expires_s}\ndigest: BLAKE-512={digest}").into()
}

fn hashed_signing_string(created_s: i64, expires_s: i64, body_digest: &str) -> Vec<u8> {
    digest(&signing_string(created_s, expires_s, body_digest)).into()
}

fn replace(ask: &mut Ask, subscriber: &str) {
    ask.body["context"]["bap_id"] = json!(subscriber);
    ask.body["context"]["bap_uri"] = json!(uri_of(subscriber));
    sign_by(ask, subscriber);
}

fn replace_unnamed(ask: &mut Ask, subscriber: &str) {
    replace(ask, subscriber);
    ask.key_id.unique_key_id = None;
}

fn sign_by(ask: &mut Ask, subscriber: &str) {
    (ask.key, ask.key_id) = (key_of(subscriber), key_id(subscriber));
}

fn gateway(ask: &mut Ask, name: &'static str, subscriber: &str) {
    let now_s = tripline_backend::time::now().unix_ms.div_euclid(1000);
    let key = key_of(subscriber);
    let header = sign(&ask.bytes(), &key, &key_id(subscriber), now_s, now_s + 60);
    ask.more.push((name, header));
}

fn set(ask: &mut Ask, field: &str, value: &str) {
    ask.body["context"][field] = json!(value);
}

/// A minute old, with this ttl.
fn aged(ask: &mut Ask, ttl: Value) {
    set(ask, "timestamp", &at(-60));
    ask.body["context"]["ttl"] = ttl;
}

fn spoilt(ask: &mut Ask, from: &str, to: &str) {
    let text = ask.body.to_string();
    assert!(text.contains(from), "{from} is not in {text}");
    ask.raw = Some(text.replacen(from, to, 1).into_bytes());
}

fn message(ask: &mut Ask, action: &'static str, message: &Value) {
    ask.action = action;
    ask.body["context"]["action"] = json!(action);
    ask.body["message"] = message.clone();
}

fn order(ask: &mut Ask, action: &'static str, order: &Value) {
    message(ask, action, &json!({ "order": order }));
}

async fn check(rows: &[Row]) {
    check_in(&World::fresh().await, rows).await;
}

async fn check_in(world: &World, rows: &[Row]) {
    for (number, (what, change, (status, named))) in rows.iter().enumerate() {
        let mut ask = Ask::search(&format!("m-{number}"));
        change(&mut ask);
        let before = world.counts().await;
        let answer = world.send(&ask).await;
        assert_eq!((answer.status, answer.named()), (*status, *named), "{what}: {answer:?}");
        assert_eq!(answer.is_ack(), named.is_empty(), "{what}: {answer:?}");
        let stored = world.counts().await != before;
        assert_eq!(
            stored,
            answer.is_ack(),
            "{what}: what is refused leaves nothing, what is not does"
        );
        let challenge = answer.headers.contains_key("www-authenticate")
            || answer.headers.contains_key("proxy-authenticate");
        assert_eq!(challenge, *status == 401, "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn signatures_as_peers_write_them() {
    check(HEADERS).await;
}

#[tokio::test]
async fn signers_and_gateways() {
    check(SIGNERS).await;
}

#[tokio::test]
async fn contexts_as_peers_write_them() {
    check(CONTEXTS).await;
}

#[tokio::test]
async fn where_domains_are_configured_others_are_refused_whoever_is_registered_for_them() {
    const ROWS: &[Row] = &[
        ("one of ours", |_| (), ACK),
        (
            "another one",
            |ask| {
                replace(ask, OTHER_BAP);
                set(ask, "domain", "nic2008:49213");
            },
            (200, "context.domain"),
        ),
    ];
    let mut settings = sample().settings();
    settings.identity.domains = vec!["nic2004:1".into(), DOMAIN.into()];
    check_in(&World::with_settings(settings).await, ROWS).await;
    // Without them its entry decides, which names none.
    let mut ask = Ask::search("m").by(OTHER_BAP);
    set(&mut ask, "domain", "nic2008:49213");
    assert!(World::fresh().await.send(&ask).await.is_ack());
}

#[tokio::test]
async fn two_gateways_are_named_by_their_headers() {
    let world = World::fresh().await;
    let mut ask = Ask::search("m");
    gateway(&mut ask, "x-gateway-authorization", GATEWAY);
    gateway(&mut ask, "proxy-authorization", GATEWAY);
    let expected = "the gateway's signature: there is more than one X-Gateway-Authorization or \
                    Proxy-Authorization header";
    assert_eq!(world.send(&ask).await.body["error"]["message"], expected);
}

#[tokio::test]
async fn bodies_that_are_not_one_message() {
    check(BODIES).await;
}

#[tokio::test]
async fn ids_that_name_nothing_are_refused_at_once() {
    check(NAMES).await;
}

#[tokio::test]
async fn a_challenge_says_whose_signature_is_meant() {
    let world = World::fresh().await;
    let mut ask = Ask::search("m");
    ask.header = |_| None;
    let answer = world.send(&ask).await;
    let expected = "Signature realm=\"bpp.example\",headers=\"(created) (expires) digest\"";
    assert_eq!(answer.headers["www-authenticate"], expected);
    let mut ask = Ask::search("m");
    ask.more.push(("proxy-authorization", "x".into()));
    let answer = world.send(&ask).await;
    assert_eq!(answer.headers["proxy-authenticate"], expected);
    assert!(!answer.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn an_order_of_another_subscriber_does_not_exist() {
    let world = World::fresh().await;
    assert!(world.send(&Ask::select("m", &World::item_id())).await.is_ack());
    let (quoted, _) = world.callbacks("on_select").await.remove(0);
    let fulfillment = quoted["message"]["order"]["fulfillment"]["id"].clone();
    let init = || {
        let mut ask = Ask::search("m");
        order(&mut ask, "init", &json!({ "fulfillment": { "id": fulfillment } }));
        ask
    };
    let stranger = world.send(&init().by(OTHER_BAP)).await;
    assert_eq!(stranger.body["error"]["code"], "30008", "{stranger:?}");
    assert!(world.send(&init()).await.is_ack());
}
