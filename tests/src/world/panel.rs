//! The driver's hands on a panel of simulated pins.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tripline_firmware_sim::pins::PinsClient;
use tripline_firmware_sim::pins::lever::PinLever;
use tripline_firmware_sim::pins::panel::{self as simulated, Button, Panel};

use super::{Binaries, LOOK_AGAIN, PATIENCE, Process, World, kill, path};

/// `[panel]` of the agent whose pins are in this folder.
pub(super) fn configuration(dir: &Path) -> String {
    let mut text = format!("\n[panel]\nchip = \"unix:{}\"\n", lines_of(dir).display());
    for button in Button::ALL {
        text.push_str(&format!("{button} = {{ line = {}, active_low = true }}\n", button.line()));
    }
    for (name, line) in [
        ("ignition", simulated::IGNITION_LINE),
        ("status_led", simulated::STATUS_LINE),
        ("trouble_led", simulated::TROUBLE_LINE),
    ] {
        text.push_str(&format!("{name} = {{ line = {line} }}\n"));
    }
    text
}

fn lines_of(dir: &Path) -> PathBuf {
    dir.join("pins.sock")
}

/// Hands on the buttons, and eyes on the LEDs.
#[derive(Debug, Clone)]
pub struct Hands {
    control: PathBuf,
}

impl Hands {
    /// Hands at the control socket of simulated pins.
    pub fn at(control: PathBuf) -> Self {
        Self { control }
    }

    /// Starts pins in a folder; gives the process and the hands on them.
    pub async fn start(binaries: &Binaries, dir: &Path) -> Result<(Process, Self)> {
        let (lines, control) = (lines_of(dir), dir.join("hands.sock"));
        let arguments = ["pins", "--json", "--socket", path(&lines)?, "--control", path(&control)?];
        let mut process = binaries.spawn("tripline-sim", &arguments, &dir.join("pins.log"))?;
        process.line().await.context("the pins did not start")?;
        Ok((process, Self { control }))
    }

    /// Pulls a lever. A press is over then.
    pub async fn pull(&self, lever: PinLever) -> Result<()> {
        let control = self.control.clone();
        tokio::task::spawn_blocking(move || PinsClient::connect(&control)?.pull(lever)).await??;
        Ok(())
    }

    /// How the panel looks.
    pub async fn look(&self) -> Result<Panel> {
        let control = self.control.clone();
        let looked = tokio::task::spawn_blocking(move || PinsClient::connect(&control)?.status());
        Ok(looked.await??)
    }

    /// Waits until the panel looks so.
    pub async fn wait_for(&self, what: &str, seen: impl Fn(&Panel) -> bool) -> Result<Panel> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let panel = self.look().await?;
            if seen(&panel) {
                return Ok(panel);
            }
            if tokio::time::Instant::now() >= until {
                bail!("waited in vain for {what}; the panel is {panel:?}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl World {
    /// Starts the pins of the panel.
    pub async fn start_pins(&mut self) -> Result<()> {
        let (process, _) = Hands::start(&self.binaries, self.dir.path()).await?;
        self.pins = Some(process);
        Ok(())
    }

    /// Kills the pins: the chip is gone.
    pub async fn kill_pins(&mut self) -> Result<()> {
        kill(&mut self.pins, "the panel").await
    }

    /// The driver's hands on the panel.
    pub fn hands(&self) -> Hands {
        Hands::at(self.dir.path().join("hands.sock"))
    }

    /// Waits until the agent's log says something.
    pub async fn wait_for_log(&self, words: &str) -> Result<()> {
        let until = tokio::time::Instant::now() + PATIENCE;
        while self.agent_said(words) == 0 {
            if tokio::time::Instant::now() >= until {
                bail!("waited in vain for the agent's log to say `{words}`");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// How often the agent's log says something.
    pub fn agent_said(&self, words: &str) -> usize {
        let log = std::fs::read_to_string(self.dir.path().join("agent.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(words)).count()
    }
}
