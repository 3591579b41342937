//! A real browser without a window, spoken to over a pipe in its own protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::town::PATIENCE;

/// The browser reads what it is asked from descriptor 3 and answers on 4.
const START: &str = "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --no-first-run --user-data-dir=\"$1\" --remote-debugging-pipe 3<&0 4>&1 </dev/null >/dev/null 2>&1";

/// A browser with one page. It is killed when this is dropped.
pub(crate) struct Browser {
    child: Child,
    asks: ChildStdin,
    says: mpsc::UnboundedReceiver<Value>,
    session: Value,
    asked: u64,
    /// What it complained of, the page's policy not least.
    pub(crate) complaints: Vec<Value>,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The browser's program. Its absence is a failure: `scripts/test` installs it.
fn program() -> &'static str {
    let runs = |name: &&str| {
        let mut version = Command::new(name);
        let version = version.arg("--version").stdout(Stdio::null());
        version.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.into_iter().find(|name| runs(name)).expect("chromium, which scripts/test installs")
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("sh")
            .args(["-c", START, program()])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let asks = child.stdin.take().expect("piped");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, says) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while answers.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                let said = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes));
                if said.is_ok_and(|said: Value| sender.send(said).is_err()) {
                    break;
                }
                bytes.clear();
            }
        });
        let (session, complaints) = (Value::Null, Vec::new());
        let mut browser =
            Self { child, asks, says, session, asked: 0, complaints, _profile: profile };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.ask("Target.attachToTarget", attach).await["sessionId"].take();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.ask(domain, json!({})).await;
        }
        browser
    }

    /// Asks for something and waits for the answer.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut request = json!({ "id": self.asked, "method": method, "params": params });
        if self.session.is_string() {
            request["sessionId"] = self.session.clone();
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.asks.write_all(&bytes).expect("it listens");
        loop {
            let said = tokio::time::timeout(PATIENCE, self.says.recv()).await;
            let mut said = said.expect("it answers").expect("it lives");
            if said["id"] == self.asked {
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].take();
            }
            let kind = said["method"].as_str().unwrap_or_default();
            if ["Log.entryAdded", "Runtime.exceptionThrown"].contains(&kind) {
                self.complaints.push(said["params"].take());
            }
        }
    }

    pub(crate) async fn open(&mut self, url: &str) {
        let answer = self.ask("Page.navigate", json!({ "url": url })).await;
        assert!(answer["errorText"].is_null(), "{answer}");
    }

    /// The value of an expression on the page.
    pub(crate) async fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        self.ask("Runtime.evaluate", params).await["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression).await != true {
            if begun.elapsed() > PATIENCE {
                let page = self.value("document.documentElement.outerHTML").await;
                panic!("{expression} does not become true: {page} {:?}", self.complaints);
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}
