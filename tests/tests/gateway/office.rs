//! A platform's folder that knows gateways in software, and the real program on it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tripline_tests::gateway::Gateway;
use tripline_tests::world::Binaries;

/// Longer than anything takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A paper, and it in Base64.
pub(crate) const PDF: &[u8] = b"%PDF-1.7 a paper that is not for everybody";
pub(crate) const PDF_BASE64: &str = "JVBERi0xLjcgYSBwYXBlciB0aGF0IGlzIG5vdCBmb3IgZXZlcnlib2R5";

/// What the sample says of a company.
pub(crate) fn sample_info() -> Value {
    json!({
        "name": "Example Mobility Private Limited",
        "phone": "+91-8000000000",
        "email": "operations@example.com",
        "company_id": "U00000KA2026PTC000000",
    })
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl Ended {
    /// The one JSON object that it printed.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("{self:?}"))
    }

    /// It ended with this code and said every word.
    pub(crate) fn is(&self, code: i32, words: &[&str]) -> Result<()> {
        ensure!(self.code == code, "not {code}: {self:?}");
        for word in words {
            ensure!(self.said.contains(word) || self.out.contains(word), "{word:?}: {self:?}");
        }
        Ok(())
    }
}

/// A folder that `init` made, with a company in it.
pub(crate) struct Office {
    binaries: Binaries,
    dir: TempDir,
}

impl Office {
    /// One that knows these gateways, each with lines of its own in its table.
    pub(crate) fn with(gateways: &[(&str, &Gateway, &str)]) -> Result<Self> {
        let office = Self { binaries: Binaries::find()?, dir: tempfile::tempdir()? };
        let folder = office.dir.path().to_str().context("UTF-8")?;
        office.binaries.bpp(&["init", "--dir", folder, "--json"])?;
        let config = office.path("bpp.toml");
        let mut text = std::fs::read_to_string(&config)?;
        for port in [8080, 8883, 8884, 9090] {
            let listen = format!("listen = \"127.0.0.1:{port}\"");
            text = text.replace(&listen, "listen = \"127.0.0.1:0\"");
        }
        for (name, gateway, lines) in gateways {
            let url = gateway.url();
            text += &format!("\n[gateways.{name}]\nurl = \"{url}\"\ntimeout_ms = 1500\n{lines}\n");
        }
        std::fs::write(config, text)?;
        std::fs::write(office.path("paper.pdf"), PDF)?;
        office.write_company(&[])?;
        Ok(office)
    }

    /// One that knows a gateway by the name `city`.
    pub(crate) fn of_city(gateway: &Gateway) -> Result<Self> {
        Self::with(&[("city", gateway, "")])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> Result<String> {
        Ok(self.path(name).to_str().context("UTF-8")?.to_owned())
    }

    pub(crate) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Where what a gateway gave us is.
    pub(crate) fn state(&self, gateway: &str) -> PathBuf {
        self.path("data/gateways").join(format!("{gateway}.json"))
    }

    /// Writes the sample of a company, changed, with a paper.
    pub(crate) fn write_company(&self, changes: &[(&str, &str)]) -> Result<()> {
        let sample = std::process::Command::new(self.binaries.path("tripline-bpp"))
            .args(["gateway", "sample"])
            .output()?;
        let mut text = String::from_utf8(sample.stdout)?;
        let shown = "# [[document]]\n# file = \"compliance.pdf\"\n# name";
        ensure!(text.contains(shown), "the sample shows no paper: {text}");
        text = text.replace(shown, "[[document]]\nfile = \"paper.pdf\"\nname");
        for (from, to) in changes {
            text = text.replace(from, to);
        }
        std::fs::write(self.path("company.toml"), text)?;
        Ok(())
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<Ended> {
        let output = tokio::process::Command::new(self.binaries.path("tripline-bpp"))
            .args(arguments)
            .arg("--config")
            .arg(self.path("bpp.toml"))
            .stdin(Stdio::null())
            .output()
            .await?;
        Ok(Ended {
            code: output.status.code().context("killed by a signal")?,
            out: String::from_utf8(output.stdout)?,
            said: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs a command of `gateway`.
    pub(crate) async fn gateway(&self, arguments: &[&str]) -> Result<Ended> {
        self.run(&[&["gateway"], arguments].concat()).await
    }

    /// The JSON of a command of `gateway` that must succeed.
    pub(crate) async fn told(&self, arguments: &[&str]) -> Result<Value> {
        let ended = self.gateway(&[arguments, &["--json"]].concat()).await?;
        ended.is(0, &[])?;
        ended.json()
    }

    /// Signs up at a gateway with the company's file.
    pub(crate) async fn sign_up(&self, gateway: &str) -> Result<Value> {
        let company = self.text("company.toml")?;
        self.told(&["signup", gateway, "--from", &company]).await
    }
}

/// A file of so many bytes that says that it is a PDF.
pub(crate) fn write_pdf(path: &Path, len: usize) -> Result<()> {
    let mut bytes = PDF.to_vec();
    // Not one byte over and over, which somebody on the way could make small.
    bytes.extend(
        (0..len.saturating_sub(PDF.len()))
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 11).to_le_bytes()[0]),
    );
    std::fs::write(path, bytes)?;
    Ok(())
}

/// A gateway on a port of its own.
pub(crate) async fn gateway() -> Result<Gateway> {
    Gateway::start(([127, 0, 0, 1], 0).into()).await
}
