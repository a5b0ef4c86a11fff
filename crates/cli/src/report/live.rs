//! The page of a run in progress, over HTTP.
//!
//! The run knows nothing of it: the page is made from the run's files by another thread, only when someone looks and something has
//! changed, and at most for a small share of the time. What goes wrong here is told to who looks, and never stops the run.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::{Digests, Mode, read, render};

/// A page is made anew after this time at the earliest.
const LEAST_PAUSE: Duration = Duration::from_secs(5);

/// After a page was made, so many times as long nothing is: one core is busy for at most a thirtieth of the time.
const PAUSE_FACTOR: u32 = 30;

/// A bound address, not yet served: a port that is in use is an error before the run starts.
#[derive(Debug)]
pub(crate) struct Live {
    listener: TcpListener,
    address: SocketAddr,
}

impl Live {
    /// Binds the address.
    ///
    /// # Errors
    /// An address that other machines reach, unless `is_public`; one that cannot be bound.
    pub(crate) fn bind(address: SocketAddr, is_public: bool) -> Result<Self> {
        if !address.ip().is_loopback() && !is_public {
            bail!(
                "--live {address}: expected a loopback address such as 127.0.0.1:{}; everyone who reaches this one could read the run: \
                 add --live-public if that is meant",
                address.port()
            );
        }
        let listener = TcpListener::bind(address).with_context(|| format!("--live {address}: cannot listen there"))?;
        listener.set_nonblocking(true).with_context(|| format!("--live {address}: cannot listen there"))?;
        let address = listener.local_addr().context("--live: the server has no address")?;
        Ok(Self { listener, address })
    }

    /// Where the page is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves the page of the run in `path` until the process ends.
    ///
    /// # Errors
    /// No thread or runtime can be started.
    pub(crate) fn serve(self, path: &Path) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the live page")?;
        let state = Arc::new(Mutex::new(Page::new(path.to_owned())));
        let router = Router::new().route("/", get(page)).route("/version", get(version)).with_state(state);
        let serve = move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(self.listener)?;
                axum::serve(listener, router).await
            })
        };
        std::thread::Builder::new().name("live page".to_owned()).spawn(serve).context("cannot start the live page")?;
        Ok(())
    }
}

type Shared = Arc<Mutex<Page>>;

async fn page(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    answer(shared, &headers, |page| {
        let Some(html) = page.html() else { return (StatusCode::INTERNAL_SERVER_ERROR, page.state.clone()).into_response() };
        let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
        (headers, html.to_owned()).into_response()
    })
    .await
}

async fn version(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    answer(shared, &headers, |page| {
        let (version, state) = page.version();
        ([(CACHE_CONTROL, "no-store")], Json(json!({ "version": version, "state": state }))).into_response()
    })
    .await
}

async fn answer(shared: Shared, headers: &HeaderMap, make: fn(&mut Page) -> Response) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_own_host(host) {
        return (StatusCode::FORBIDDEN, "expected an address or localhost as Host\n").into_response();
    }
    // Reading and drawing must not hold up other requests.
    let made = tokio::task::spawn_blocking(move || {
        let mut page = shared.lock().unwrap_or_else(PoisonError::into_inner);
        page.refresh();
        make(&mut page)
    });
    made.await.unwrap_or_else(|_| (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made\n").into_response())
}

/// Whether the name that a browser used is an address or localhost. A name of someone's domain that was pointed at this machine (DNS
/// rebinding) is neither, so pages of others cannot read this one.
fn is_own_host(host: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).is_some_and(|ip| ip.parse::<IpAddr>().is_ok())
}

/// The page as it was last made.
struct Page {
    path: PathBuf,
    digests: Digests,
    html: Option<String>,
    state: String,
    /// Hash of names, sizes and times of the files that the page was made from.
    stamp: String,
    made: Option<Instant>,
    pause: Duration,
}

impl Page {
    fn new(path: PathBuf) -> Self {
        Self { path, digests: Digests::default(), html: None, state: String::new(), stamp: String::new(), made: None, pause: LEAST_PAUSE }
    }

    /// The page; `None` if none could be made yet.
    fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }

    fn version(&self) -> (&str, &str) {
        (&self.stamp, &self.state)
    }

    /// Makes the page anew if its time has come and something has changed.
    fn refresh(&mut self) {
        if self.made.is_some_and(|made| made.elapsed() < self.pause) {
            return;
        }
        let stamp = stamp(&self.path);
        if self.made.is_some() && stamp == self.stamp {
            return;
        }
        let started = Instant::now();
        let made = read(std::slice::from_ref(&self.path), true, &mut self.digests).and_then(|report| {
            let stage = report.runs.iter().flat_map(|run| &run.stages).find(|stage| stage.state == super::model::State::Running);
            let state = stage.map_or_else(
                || "running".to_owned(),
                |stage| match (stage.steps, stage.planned_steps) {
                    (Some(made), Some(planned)) => format!("{}, step {made} of {planned}", stage.id),
                    _ => stage.id.clone(),
                },
            );
            Ok((render(&report, Mode::Live)?, state))
        });
        match made {
            Ok((html, state)) => (self.html, self.state) = (Some(html), state),
            Err(error) => self.state = format!("the page could not be made: {error:#}"),
        }
        self.pause = (started.elapsed() * PAUSE_FACTOR).max(LEAST_PAUSE);
        self.made = Some(Instant::now());
        self.stamp = stamp;
    }
}

/// Hash of what is in the run directory, two folders deep: stages, and their rollouts.
fn stamp(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    add(path, 2, &mut hasher);
    hasher.finalize().to_hex()[..16].to_owned()
}

fn add(folder: &Path, depth: u32, hasher: &mut blake3::Hasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let Ok(metadata) = entry.metadata() else { continue };
        hasher.update(entry.file_name().as_encoded_bytes());
        if metadata.is_dir() && depth > 0 {
            add(&entry.path(), depth - 1, hasher);
        } else if let Ok(modified) = metadata.modified() {
            hasher.update(format!("{}{modified:?}", metadata.len()).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_own_hosts() {
        for host in ["127.0.0.1:8080", "127.0.0.1", "localhost", "LOCALHOST:9000", "[::1]:8080", "[::1]", "10.0.0.5:80"] {
            assert!(is_own_host(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example:8080", "localhost:x", "[evil]"]
        {
            assert!(!is_own_host(host), "{host}");
        }
    }

    #[test]
    fn other_addresses_are_refused_unless_asked_for() {
        let error = Live::bind("0.0.0.0:0".parse().unwrap(), false).unwrap_err().to_string();
        assert!(error.contains("expected a loopback address") && error.contains("--live-public"), "{error}");
        Live::bind("0.0.0.0:0".parse().unwrap(), true).unwrap();
        let held = Live::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let error = Live::bind(held.address, false).unwrap_err().to_string();
        assert!(error.contains("cannot listen there"), "{error}");
    }

    #[test]
    fn a_stamp_changes_with_every_file() {
        let dir = tempfile::tempdir().unwrap();
        let empty = stamp(dir.path());
        std::fs::create_dir_all(dir.path().join("zero/rollouts")).unwrap();
        let with_folders = stamp(dir.path());
        std::fs::write(dir.path().join("zero/rollouts/step-00000.jsonl"), "x").unwrap();
        let with_rollouts = stamp(dir.path());
        assert!(empty != with_folders && with_folders != with_rollouts);
        assert_eq!(with_rollouts, stamp(dir.path()));
    }
}
