//! The running chip: lines for the agent at one socket, levers at another.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use super::lever::PinLever;
use super::panel::{Button, Panel};
use super::wire::{self, LINE_BYTES_MAX};
use crate::control::{ControlSocket, REQUESTS_MAX, Request};
use crate::receiver::{ReceiverError, Signals};
use crate::report::{Event, Reporter};

/// Each pin of an agent has a connection of its own; two agents' worth, and some to look.
const CLIENTS_MAX: usize = 32;

/// The chatter of worn contacts before they stay where they are, in ms, turn by turn: shorter than any
/// sensible debounce.
const CHATTER_MS: [u64; 6] = [2, 3, 1, 5, 4, 6];

/// How long a finger rests after a press, in ms: no quicker one could be told from a bounce.
const REST_MS: u64 = 100;

/// Where the chip is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its lines are read and set.
    pub socket: PathBuf,
    /// Where its levers are.
    pub control: PathBuf,
    /// Whether events go to standard output.
    pub json: bool,
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Panel>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Panel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until a signal (SIGINT, SIGTERM, SIGHUP). Both sockets are gone when it returns.
pub async fn run(settings: Settings) -> Result<(), ReceiverError> {
    let mut signals = Signals::listen()?;
    let lines = ControlSocket::bind(&settings.socket)?;
    let control = ControlSocket::bind(&settings.control)?;
    let panel = Shared::default();
    let (requests, received) = mpsc::channel(REQUESTS_MAX);
    let reporter = Reporter { json: settings.json };
    let (socket, levers) = (settings.socket.display(), settings.control.display());
    reporter.say(&format!("pins at {socket}, levers at {levers}"));
    reporter.event(Event::PinsReady { socket: &socket.to_string() });
    tokio::select! {
        () = serve_lines(&lines, &panel) => {}
        () = control.serve(requests) => {}
        () = pull(received, &panel) => {}
        () = signals.any() => reporter.say("ended by a signal"),
    }
    Ok(())
}

async fn serve_lines(socket: &ControlSocket, panel: &Shared) {
    let clients = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&clients).acquire_owned().await else { return };
        let client = socket.accept().await;
        let panel = panel.clone();
        tokio::spawn(async move {
            let _ = converse(client, &panel).await;
            drop(permit);
        });
    }
}

/// A client that goes away, or sends what is no line, ends only its own conversation.
async fn converse(client: UnixStream, panel: &Shared) -> io::Result<()> {
    let (reading, mut writing) = client.into_split();
    let mut reading = BufReader::new(reading);
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut reading).take(LINE_BYTES_MAX).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = wire::answer(&mut panel.lock(), &line);
        let mut answer = serde_json::to_vec(&answer)?;
        answer.push(b'\n');
        writing.write_all(&answer).await?;
        if !line.ends_with('\n') {
            return Ok(());
        }
    }
}

/// Levers are pulled side by side: while one button is pressed, another can be.
async fn pull(mut requests: mpsc::Receiver<Request<PinLever>>, panel: &Shared) {
    while let Some(Request { lever, answer }) = requests.recv().await {
        let panel = panel.clone();
        tokio::spawn(async move {
            let text = pull_one(lever, &panel).await;
            let _ = answer.send(text);
        });
    }
}

async fn pull_one(lever: PinLever, panel: &Shared) -> String {
    match lever {
        PinLever::Press(button, ms) => press(panel, button, ms, &[]).await,
        PinLever::Bounce(button, ms) => press(panel, button, ms, &CHATTER_MS).await,
        PinLever::Hold(button) => panel.lock().press(button, true),
        PinLever::Release(button) => panel.lock().press(button, false),
        PinLever::Ignition(on) => panel.lock().ignition = on,
        PinLever::Status => {
            let status = *panel.lock();
            return serde_json::to_string(&status)
                .unwrap_or_else(|error| format!("error: {error}"));
        }
    }
    "ok".to_owned()
}

/// Presses for `ms` and lets go, with so much chatter before each, and rests.
async fn press(panel: &Shared, button: Button, ms: u64, chatter_ms: &[u64]) {
    for pressed in [true, false] {
        let mut level = pressed;
        for for_ms in chatter_ms {
            panel.lock().press(button, level);
            sleep(Duration::from_millis(*for_ms)).await;
            level = !level;
        }
        panel.lock().press(button, pressed);
        sleep(Duration::from_millis(if pressed { ms } else { REST_MS })).await;
    }
}
