//! The panel's thread: looks at the pins every 10 ms, asks the engine, lights the LEDs.
//!
//! A thread of its own, since a pin is read and written with system calls that block. It never waits for
//! the engine: an answer is looked for at every turn, while the buttons are watched and the LEDs go on.

mod board;
mod chip;
mod simulated;
mod watched;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};
use tripline_agent_core::desk::DriverAction;
use tripline_agent_core::panel::{
    self as core_panel, Blink, Indication, Input, Output, Pins, Press, meaning,
};

use crate::config;
use crate::control::message::{Request, Response};
use crate::control::server::Asked;
use crate::error::AgentError;
use crate::time::Stopwatch;

use board::Board;
use chip::{Chip, Direction};
use simulated::Simulated;
use watched::Watched;

/// Between two looks at the pins.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What the panel works with.
#[derive(Debug)]
pub struct Panel {
    /// Its pins.
    pub config: config::Panel,
    /// The agent's time.
    pub stopwatch: Stopwatch,
    /// Where the driver's word goes.
    pub engine: mpsc::Sender<Asked>,
    /// What to show, and what presses mean.
    pub indication: watch::Receiver<Indication>,
    /// The ignition; `None` while it is not known.
    pub ignition: watch::Sender<Option<bool>>,
}

impl Panel {
    /// Begins, if a chip is configured. The thread ends, with both LEDs dark, when the engine is gone.
    pub fn spawn(self) -> Result<Option<JoinHandle<()>>, AgentError> {
        let Some(chip) = self.config.chip.clone() else { return Ok(None) };
        info!(%chip, "panel");
        let thread = std::thread::Builder::new().name("panel".into());
        let thread = thread.spawn(move || match chip.strip_prefix(config::Panel::SIMULATED) {
            Some(socket) => self.run(&Arc::new(Simulated::at(socket))),
            None => self.run(&Arc::new(Board::at(&chip))),
        });
        thread.map(Some).map_err(|error| AgentError::Internal(error.to_string()))
    }

    fn run<C: Chip>(mut self, chip: &Arc<C>) {
        let pins = pins(&self.config, chip, self.stopwatch);
        let mut panel = core_panel::Panel::new(pins, self.stopwatch.now());
        let mut asking = Asking { engine: self.engine.clone(), asked: None, sos: Sos::Quiet };
        while !self.engine.is_closed() {
            let now = self.stopwatch.now();
            let indication = *self.indication.borrow_and_update();
            let seen = panel.look(now);
            self.tell_ignition(seen.ignition);
            for press in seen.presses.into_iter().flatten() {
                if let Err(reason) = asking.press(press, &indication) {
                    info!(button = press.button.name(), kind = ?press.kind, reason, "press refused");
                    panel.blink(Blink::Refused, now);
                }
            }
            for blink in asking.answers().into_iter().flatten() {
                panel.blink(blink, now);
            }
            panel.show(&indication, now);
            std::thread::sleep(LOOK_EVERY);
        }
        panel.darken(self.stopwatch.now());
    }

    fn tell_ignition(&self, ignition: Option<bool>) {
        let changed = self.ignition.send_if_modified(|told| {
            let changed = *told != ignition;
            *told = ignition;
            changed
        });
        if changed {
            info!(on = ignition, "ignition");
        }
    }
}

/// The configured pins, each opened when it is first used.
fn pins<C: Chip>(config: &config::Panel, chip: &Arc<C>, stopwatch: Stopwatch) -> Pins<Watched<C>> {
    let pin =
        |name, line, direction| Watched::new(Arc::clone(chip), name, line, direction, stopwatch);
    let input = |name, line: Option<config::Line>| {
        line.map(|line| Input::new(pin(name, line.line, Direction::Input), line.active_low))
    };
    let output = |name, line: Option<config::Line>| {
        let dark = Direction::Output { high: line.is_some_and(|line| line.active_low) };
        line.map(|line| Output::new(pin(name, line.line, dark), line.active_low))
    };
    Pins {
        buttons: [
            input("accept", config.accept),
            input("start_pause", config.start_pause),
            input("stop", config.stop),
            input("sos", config.sos),
        ],
        ignition: input("ignition", config.ignition),
        status: output("status_led", config.status_led),
        trouble: output("trouble_led", config.trouble_led),
    }
}

/// A call for help. It has a way of its own: it neither waits for another answer nor gets lost.
#[derive(Debug)]
enum Sos {
    Quiet,
    /// The engine did not take it yet.
    Wanted,
    Asked(oneshot::Receiver<Response>),
}

/// The conversation with the engine.
#[derive(Debug)]
struct Asking {
    engine: mpsc::Sender<Asked>,
    /// At most one: a second press before the answer would be judged by an outdated indication.
    asked: Option<oneshot::Receiver<Response>>,
    sos: Sos,
}

impl Asking {
    /// Asks for what a press means; or why not.
    fn press(&mut self, press: Press, indication: &Indication) -> Result<(), String> {
        let action = meaning(press, indication).map_err(|misuse| misuse.to_string())?;
        if action == DriverAction::Sos {
            if matches!(self.sos, Sos::Quiet) {
                self.sos = Sos::Wanted;
            }
            return Ok(());
        }
        if self.asked.is_some() {
            return Err("the press before is not answered yet".into());
        }
        let asked = self.ask(Request::from(action)).map_err(|error| error.to_string())?;
        self.asked = Some(asked);
        Ok(())
    }

    fn ask(&self, request: Request) -> Result<oneshot::Receiver<Response>, TrySendError<Asked>> {
        let (answer, answered) = oneshot::channel();
        self.engine.try_send(Asked { request, answer })?;
        Ok(answered)
    }

    /// What the engine answered since the last look.
    fn answers(&mut self) -> [Option<Blink>; 2] {
        if matches!(self.sos, Sos::Wanted)
            && let Ok(asked) = self.ask(Request::Sos)
        {
            self.sos = Sos::Asked(asked);
        }
        let driver = self.asked.as_mut().and_then(answered);
        let sos = match &mut self.sos {
            Sos::Asked(asked) => answered(asked),
            Sos::Quiet | Sos::Wanted => None,
        };
        if driver.is_some() {
            self.asked = None;
        }
        if sos.is_some() {
            self.sos = Sos::Quiet;
        }
        [driver, sos]
    }
}

fn answered(asked: &mut oneshot::Receiver<Response>) -> Option<Blink> {
    match asked.try_recv() {
        Ok(Response { error: None, .. }) => Some(Blink::Done),
        Ok(Response { error: Some(_), .. }) => Some(Blink::Refused),
        Err(oneshot::error::TryRecvError::Empty) => None,
        Err(oneshot::error::TryRecvError::Closed) => {
            warn!("the engine did not answer a press");
            Some(Blink::Refused)
        }
    }
}
