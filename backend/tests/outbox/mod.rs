//! A platform's outbox with its worker, and a peer that answers as it is told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::dns::Resolve;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tripline_backend::audit::Audit;
use tripline_backend::callback::Poster;
use tripline_backend::callback::worker::{self, RetryRules};
use tripline_backend::config::Config;
use tripline_backend::keys::encryption::EncryptionKey;
use tripline_backend::keys::live::LiveKeys;
use tripline_backend::keys::ring::KeyRing;
use tripline_backend::network::directory::Directory;
use tripline_backend::network::guard::{Guard, SystemResolver};
use tripline_backend::service::Platform;
use tripline_backend::store::Store;
use tripline_backend::store::callback::{CallbackFilter, Delivery, KeptCallback, NewCallback};
use tripline_backend::time;
use tripline_protocol::signing::SecretKey;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// Longest wait for an answer, in ms: short, for there are peers that never give one.
const TIMEOUT_MS: u64 = 300;

/// Longest wait between attempts, in ms.
const RETRY_MS_MAX: u64 = 100;

/// A callback as a peer got it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
    /// How many came under this path before it.
    pub(crate) before: usize,
}

/// What a peer does with it.
#[derive(Debug, Clone)]
pub(crate) enum Treatment {
    /// Answers: status, further header lines, body.
    Answer(u16, &'static str, &'static str),
    /// Answers with a body that does not end.
    Endless,
    /// Answers with an ACK behind so many blanks.
    Padded(usize),
    /// Answers a byte now and then.
    Dripping,
    /// Answers with a header line beyond measure.
    HugeHeader,
    /// Never answers.
    Silence,
}

/// What most peers answer.
pub(crate) const ACK: Treatment =
    Treatment::Answer(200, "", r#"{"message":{"ack":{"status":"ACK"}}}"#);

type Treat = Box<dyn Fn(&Got) -> Treatment + Send + Sync>;

struct Desk {
    treat: Mutex<Treat>,
    got: Mutex<Vec<Got>>,
    counts: Mutex<HashMap<String, usize>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    open_max: AtomicUsize,
}

/// A peer on loopback.
pub(crate) struct Peer {
    pub(crate) port: u16,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// A peer at 127.0.0.1.
    pub(crate) async fn start(treat: impl Fn(&Got) -> Treatment + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), treat)
    }

    /// A peer at every address of this machine, IPv6 too where there is any.
    pub(crate) async fn start_everywhere() -> Self {
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.expect("a port"),
        };
        Self::start_on(listener, |_| ACK)
    }

    fn start_on(
        listener: TcpListener,
        treat: impl Fn(&Got) -> Treatment + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let desk = Arc::new(Desk {
            treat: Mutex::new(Box::new(treat)),
            got: Mutex::default(),
            counts: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            open_max: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&desk)));
        Self { port, desk, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn treat(&self, treat: impl Fn(&Got) -> Treatment + Send + Sync + 'static) {
        *self.desk.treat.lock().expect("not poisoned") = Box::new(treat);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.desk.got.lock().expect("not poisoned").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.desk.connections.load(Ordering::SeqCst)
    }

    /// The most connections at once since the last time this was asked.
    pub(crate) fn take_open_max(&self) -> usize {
        let open = self.desk.open.load(Ordering::SeqCst);
        self.desk.open_max.swap(open, Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        desk.connections.fetch_add(1, Ordering::SeqCst);
        let open = desk.open.fetch_add(1, Ordering::SeqCst) + 1;
        desk.open_max.fetch_max(open, Ordering::SeqCst);
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let _ = serve(stream, &desk).await;
            desk.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(mut stream: TcpStream, desk: &Desk) -> std::io::Result<()> {
    let Some((path, authorization, body)) = read(&mut stream).await? else { return Ok(()) };
    let before = {
        let mut counts = desk.counts.lock().expect("not poisoned");
        let count = counts.entry(path.clone()).or_default();
        *count += 1;
        *count - 1
    };
    let got = Got { path, authorization, body, before };
    let treatment = (desk.treat.lock().expect("not poisoned"))(&got);
    desk.got.lock().expect("not poisoned").push(got);
    match treatment {
        Treatment::Answer(status, headers, body) => {
            let answer = format!(
                "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await
        }
        Treatment::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(&[b' '; 4096]).await?;
            }
        }
        Treatment::Padded(blanks) => {
            let ack = r#"{"message":{"ack":{"status":"ACK"}}}"#;
            let body = " ".repeat(blanks) + ack;
            // One answer a connection: a client that read past the bound could keep it for its next request.
            let head = format!(
                "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await?;
            // Whoever wanted it has read it by the time that it hangs up.
            stream.read(&mut [0]).await.map(|_| ())
        }
        Treatment::Dripping => {
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 9000\r\n\r\n").await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Treatment::HugeHeader => {
            stream.write_all(b"HTTP/1.1 200 X\r\nx: ").await?;
            for _ in 0..4096 {
                stream.write_all(&[b'x'; 4096]).await?;
            }
            stream.write_all(b"\r\ncontent-length: 0\r\n\r\n").await
        }
        Treatment::Silence => {
            // Until the other side has enough.
            stream.read(&mut [0]).await.map(|_| ())
        }
    }
}

/// Path, authorization and body of a request; `None` if it ends before.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<(String, String, String)>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
                line.and_then(|line| line.split_once(": "))
                    .map_or("", |(_, value)| value)
                    .to_owned()
            };
            if body.len() >= header("content-length").parse().unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                return Ok(Some((path, header("authorization"), body.to_owned())));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// A platform.
pub(crate) struct World {
    pub(crate) platform: Arc<Platform>,
    dir: TempDir,
}

/// A worker, until it is dropped.
pub(crate) struct Working(JoinHandle<()>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The secret key of which this is the id.
pub(crate) fn secret(id: &str) -> SecretKey {
    SecretKey::from_seed(&[id.as_bytes()[0]; 32])
}

impl World {
    /// A platform over an SQLite store.
    pub(crate) async fn on_sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        Self::new(dir, Store::open(&url).await.expect("it opens"))
    }

    /// A platform over a store; the folder is for its files.
    pub(crate) fn new(dir: TempDir, store: Store) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
        let settings = Config::load(&sample).expect("the sample is valid").settings();
        let (audit, _) = Audit::new();
        let platform = Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit);
        Self { platform: Arc::new(platform), dir }
    }

    /// Writes a callback that is tried for this long.
    pub(crate) async fn add(&self, subscriber: &str, key: (&str, u64), url: &str, tried_ms: i64) {
        let now = time::now();
        let new = NewCallback {
            order_key: key.0.into(),
            sequence: key.1,
            subscriber_id: subscriber.into(),
            action: "on_status".into(),
            url: url.into(),
            body: format!(r#"{{"order":"{}","sequence":{}}}"#, key.0, key.1).into_bytes(),
            expires_at: now.plus_ms(tried_ms),
        };
        let mut tx = self.platform.store.write().await.expect("begins");
        tx.add_callback(new, now).await.expect("added");
        tx.commit().await.expect("commits");
        self.platform.outbox.notify_one();
    }

    /// Writes so many callbacks, each of an order of its own.
    pub(crate) async fn add_many(&self, subscriber: &str, count: usize, url: &str, tried_ms: i64) {
        let now = time::now();
        let mut tx = self.platform.store.write().await.expect("begins");
        for n in 0..count {
            let new = NewCallback {
                order_key: format!("{subscriber} {n}"),
                sequence: 1,
                subscriber_id: subscriber.into(),
                action: "on_search".into(),
                url: url.into(),
                body: b"{}".to_vec(),
                expires_at: now.plus_ms(tried_ms),
            };
            tx.add_callback(new, now).await.expect("added");
        }
        tx.commit().await.expect("commits");
    }

    /// A poster to subscribers, by id and address, with the system's resolver.
    pub(crate) fn poster(&self, subscribers: &[(&str, &str)], networks: &[&str]) -> Poster {
        self.poster_that_asks(subscribers, networks, &(Arc::new(SystemResolver) as _))
    }

    /// The same, with a resolver of its own. It signs with the key `new`, and `old` holds too.
    pub(crate) fn poster_that_asks(
        &self,
        subscribers: &[(&str, &str)],
        networks: &[&str],
        resolver: &Arc<dyn Resolve>,
    ) -> Poster {
        let entries = subscribers.iter().map(|(id, url)| {
            json!({ "subscriber_id": id, "subscriber_url": url, "type": "BAP",
                "signing_public_key": secret("b").public().to_string() })
        });
        let file = self.dir.path().join("subscribers.json");
        let text = entries.collect::<serde_json::Value>().to_string();
        std::fs::write(&file, text).expect("written");
        let directory = Directory::of_file(&file).expect("subscribers");
        let networks = networks.iter().map(|network| network.parse().expect("a network"));
        let guard = Guard::new(networks.collect());
        let keys = Arc::new(LiveKeys::new("bpp.example".into(), self.ring()));
        Poster::with_resolver(keys, Arc::new(directory), guard, TIMEOUT_MS, resolver)
            .expect("a poster")
    }

    fn ring(&self) -> KeyRing {
        let key = |id: &str, state: &str| {
            json!({ "unique_key_id": id, "signing_key": secret(id).seed_base64(),
                "encryption_key": EncryptionKey::from_bytes([1; 32]).secret_base64(),
                "state": state, "made_at_unix_ms": 0, "since_unix_ms": 0 })
        };
        let file = self.dir.path().join("keys.json");
        let text = json!([key("old", "previous"), key("new", "signing")]).to_string();
        std::fs::write(&file, text).expect("written");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, mode).expect("changed");
        KeyRing::load(&file).expect("a ring")
    }

    pub(crate) fn work(&self, poster: Poster) -> Working {
        let rules = RetryRules { retry_ms_max: RETRY_MS_MAX, timeout_ms: TIMEOUT_MS };
        Working(tokio::spawn(worker::run(Arc::clone(&self.platform), poster, rules)))
    }

    /// Every callback, oldest first.
    pub(crate) async fn callbacks(&self) -> Vec<KeptCallback> {
        let mut tx = self.platform.store.read().await.expect("begins");
        let mut all = Vec::new();
        for state in Delivery::ALL {
            let filter = CallbackFilter { state: Some(state), ..CallbackFilter::default() };
            all.extend(tx.callbacks(&filter, 100_000).await.expect("answers"));
        }
        all.sort_by_key(|row| (row.created_at, row.order_key.clone(), row.sequence));
        all
    }

    /// Waits until the callbacks are as they should be, and gives them.
    pub(crate) async fn until(
        &self,
        what: &str,
        met: impl Fn(&[KeptCallback]) -> bool,
    ) -> Vec<KeptCallback> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let callbacks = self.callbacks().await;
            if met(&callbacks) {
                return callbacks;
            }
            assert!(Instant::now() < deadline, "{what}: not in time; {}", listed(&callbacks));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is pending.
    pub(crate) async fn settled(&self) -> Vec<KeptCallback> {
        let settled = |rows: &[KeptCallback]| rows.iter().all(|row| row.state != Delivery::Pending);
        self.until("everything delivered or given up", settled).await
    }
}

fn listed(callbacks: &[KeptCallback]) -> String {
    callbacks.iter().take(20).fold(String::new(), |mut text, row| {
        let _ = write!(
            text,
            "\n{} {} to {}: {:?}, {} attempts, {:?}",
            row.order_key, row.sequence, row.subscriber_id, row.state, row.attempts, row.last_error
        );
        text
    })
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, met: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
