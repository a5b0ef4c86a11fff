//! A real browser: Chromium without a window, driven over the WebDriver protocol of `chromedriver`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key that WebDriver knows by this letter.
pub(crate) const CONTROL: char = '\u{E009}';
pub(crate) const ENTER: char = '\u{E007}';
pub(crate) const RIGHT: char = '\u{E014}';
pub(crate) const ESCAPE: char = '\u{E00C}';

/// Longest wait for something to appear on a page. The machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments under which Chromium starts without a window, a sandbox of its own or any connection.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// An open browser with one page. It ends when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser. `None`, with a word about it, where Chromium or its driver is missing.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let has_browser = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        let (Ok(mut driver), true) = (driver, has_browser) else {
            eprintln!("skipped {test}: it needs chromium and chromedriver");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("chromedriver says its port").unwrap();
            if let Some(port) = line.split("successfully on port ").nth(1) {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // It must not stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut browser = Self { driver, agent, session: format!("http://127.0.0.1:{port}/session"), profile };
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", browser.profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.post("", &wanted)["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("{}/{session}", browser.session);
        Some(browser)
    }

    /// Opens an address in the page.
    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs a script in the page; its `return` value.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn wait(&self, expression: &str) {
        let begin = Instant::now();
        while self.script(&format!("return Boolean({expression})")) != json!(true) {
            let body = || self.script("return document.body.innerText");
            assert!(begin.elapsed() < PATIENCE, "waited in vain for {expression}; the page says: {}", body());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The text of the first element that a selector finds, as people see it.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.script(&format!("return document.querySelector({})?.innerText ?? '(nothing)'", json!(selector)));
        text.as_str().unwrap().to_owned()
    }

    /// Clicks the first element that a selector finds.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        let id = element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Presses keys one after the other, as on a keyboard, in whatever has the focus.
    pub(crate) fn keys(&self, keys: &str) {
        let presses = keys.chars().flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]);
        self.act(&presses.collect::<Vec<_>>());
    }

    /// Presses a key while another one is held.
    pub(crate) fn chord(&self, held: char, key: char) {
        let press = |kind: &str, key: char| json!({ "type": kind, "value": key });
        self.act(&[press("keyDown", held), press("keyDown", key), press("keyUp", key), press("keyUp", held)]);
    }

    /// Shows the page as on a device of this width and height, in CSS pixels, light or dark.
    pub(crate) fn look_like(&self, width: u32, height: u32, is_dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_dark { "dark" } else { "light" };
        self.command("Emulation.setEmulatedMedia", &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }));
    }

    /// Keeps a picture of the page as `NAME.png` in the folder that `RUMINATE_SCREENSHOTS` names, if it names one.
    pub(crate) fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("RUMINATE_SCREENSHOTS") else { return };
        let picture = self.command("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the page has complained about since this was last asked: errors of scripts and breaches of its policy. Statuses of answers
    /// are no complaints.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE" && entry["source"] != "network");
        entries.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    fn act(&self, actions: &[Value]) {
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }));
    }

    fn command(&self, name: &str, params: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": name, "params": params }))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.session)).header("content-type", "application/json");
        let mut response = request.send(&body.to_string()).unwrap();
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let reply: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", reply["value"]["message"]);
        reply["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session.
        drop(self.agent.delete(&self.session).call());
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
