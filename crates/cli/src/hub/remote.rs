//! The hub over HTTP: what a repository has, and its contents.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::Response;

use super::Hub;
use super::cache::Cache;
use super::name::{HubName, is_inside};
use crate::run_dir::io_context;
use crate::ui::{Progress, Ui};

/// Longest list of files that is read.
const MAX_LIST_BYTES: u64 = 64 << 20;

/// Attempts in a row that bring nothing before a download is given up.
const MAX_ATTEMPTS: u32 = 5;

/// Longest time for one answer. The next one goes on where it ended.
const LONGEST_ANSWER: Duration = Duration::from_mins(30);

const CONNECT: Duration = Duration::from_secs(20);

/// What a repository has at one commit.
#[derive(Debug)]
pub(super) struct Remote<'a> {
    hub: &'a Hub,
    agent: Agent,
    name: HubName,
    listing: Listing,
}

/// One file of a repository.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "rfilename")]
    file: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Clone, Debug, Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Entry>,
}

/// The hash that a content must have.
#[derive(Clone, Copy, Debug)]
enum Expected<'a> {
    /// Of the content, for large files.
    Sha256(&'a str),
    /// Of git's blob: the content behind a head with its length.
    GitSha1(&'a str),
}

/// How one answer ended.
enum Ended {
    Complete,
    /// Another try may go on: why.
    Interrupted(String),
}

impl<'a> Remote<'a> {
    /// Asks what a repository has.
    pub(super) fn list(hub: &'a Hub, name: &HubName) -> Result<Self> {
        let config = Agent::config_builder().http_status_as_error(false).timeout_connect(Some(CONNECT));
        // The token goes to the hub alone: large files are kept elsewhere.
        let config = config.redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost);
        let agent = config.user_agent(concat!("ruminate/", env!("CARGO_PKG_VERSION"))).build().new_agent();
        let kind = if name.is_dataset { "datasets" } else { "models" };
        let url = format!("{}/api/{kind}/{}/revision/{}?blobs=true", hub.endpoint, name.repo, name.revision);
        let request = authorized(hub, agent.get(&url)).config().timeout_global(Some(Duration::from_mins(2))).build();
        let mut response = request.call().map_err(|error| unreachable(hub, &error))?;
        check_status(&response, hub, name, None)?;
        let text = response.body_mut().with_config().limit(MAX_LIST_BYTES).read_to_string();
        let text = text.with_context(|| format!("cannot read the list of files of {name} from {}", hub.endpoint))?;
        let listing: Listing = serde_json::from_str(&text).with_context(|| format!("{url}: expected a list of files"))?;
        let is_hash = |hash: &str| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_good = |entry: &Entry| is_inside(&entry.file) && entry.expected().is_none_or(|expected| is_hash(expected.hash()));
        if let Some(bad) = listing.siblings.iter().find(|entry| !is_good(entry)) {
            bail!("{url}: expected names inside of the repository and hashes of hexadecimal digits, found {:?}", bad.file);
        }
        if !is_hash(&listing.sha) {
            bail!("{url}: expected the hash of a commit, found {:?}", listing.sha);
        }
        Ok(Self { hub, agent, name: name.clone(), listing })
    }

    /// The commit that the revision means.
    pub(super) fn commit(&self) -> &str {
        &self.listing.sha
    }

    /// Names of all files.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.listing.siblings.iter().map(|entry| entry.file.as_str())
    }

    /// A file, if it is there.
    pub(super) fn find(&self, file: &str) -> Option<&Entry> {
        self.listing.siblings.iter().find(|entry| entry.file == file)
    }

    /// A file that must be there.
    pub(super) fn entry(&self, name: &HubName, file: &str) -> Result<&Entry> {
        self.find(file).with_context(|| {
            let there: Vec<&str> = self.names().take(10).collect();
            format!("{name} has no {file}; it has {}", there.join(", "))
        })
    }

    /// Brings files into the cache, those that are not there.
    pub(super) fn download(&self, files: &[Entry], cache: &Cache, ui: &Ui) -> Result<()> {
        let total: u64 = files.iter().map(Entry::size).sum();
        let mut progress =
            Download { progress: ui.progress("download, KiB", total >> 10), n_before: 0, n_fetched: 0, since: Instant::now() };
        for entry in files {
            let expected = entry.expected().with_context(|| format!("the hub gives no hash of {}", entry.file))?;
            let _lock = cache.lock(expected.hash())?;
            let blob = cache.blob(expected.hash());
            if fs::metadata(&blob).is_ok_and(|metadata| metadata.len() == entry.size()) {
                progress.n_before += entry.size();
            } else {
                self.fetch(entry, expected, &blob, &mut progress)?;
            }
            cache.link(self.commit(), &entry.file, expected.hash())?;
        }
        if progress.n_fetched > 0 {
            progress.progress.finish(&format!(
                "{}, {:.1} MiB in {:.0} s",
                self.name,
                mib(progress.n_fetched),
                progress.since.elapsed().as_secs_f64()
            ));
        }
        Ok(())
    }

    /// Fetches one content, going on with what an earlier attempt left.
    fn fetch(&self, entry: &Entry, expected: Expected<'_>, blob: &Path, progress: &mut Download) -> Result<()> {
        let mut partial = blob.as_os_str().to_owned();
        partial.push(".incomplete");
        let partial = Path::new(&partial);
        let mut n_vain = 0;
        let mut cause = String::new();
        while n_vain < MAX_ATTEMPTS {
            let before = fs::metadata(partial).map_or(0, |metadata| metadata.len());
            if n_vain > 0 {
                std::thread::sleep(self.hub.pause(n_vain));
            }
            match self.fetch_rest(entry, partial, progress)? {
                Ended::Complete => {
                    if let Some(found) = expected.differs(partial, entry.size())? {
                        fs::remove_file(partial).with_context(io_context("remove", partial))?;
                        bail!(
                            "{}: expected the hash {}, found {found}; what was fetched is removed, try again",
                            entry.file,
                            expected.hash()
                        );
                    }
                    progress.n_before += entry.size();
                    File::open(partial).and_then(|file| file.sync_all()).with_context(io_context("write", partial))?;
                    return fs::rename(partial, blob).with_context(io_context("rename", partial));
                }
                Ended::Interrupted(why) => cause = why,
            }
            let has_grown = fs::metadata(partial).map_or(0, |metadata| metadata.len()) > before;
            n_vain = if has_grown { 1 } else { n_vain + 1 };
        }
        bail!("{}: the download was interrupted {MAX_ATTEMPTS} times in a row: {cause}; the same command goes on with it", entry.file)
    }

    /// One request for what is missing of a content.
    fn fetch_rest(&self, entry: &Entry, partial: &Path, progress: &mut Download) -> Result<Ended> {
        let mut file = OpenOptions::new().create(true).append(true).open(partial).with_context(io_context("create", partial))?;
        let mut at = file.metadata().with_context(io_context("read", partial))?.len();
        if at > entry.size() {
            file.set_len(0).with_context(io_context("write", partial))?;
            at = 0;
        }
        if at == entry.size() {
            return Ok(Ended::Complete);
        }
        let datasets = if self.name.is_dataset { "datasets/" } else { "" };
        let url = format!("{}/{datasets}{}/resolve/{}/{}", self.hub.endpoint, self.name.repo, self.commit(), escaped(&entry.file));
        let mut request = authorized(self.hub, self.agent.get(&url));
        if at > 0 {
            request = request.header("range", format!("bytes={at}-"));
        }
        let mut response = match request.config().timeout_global(Some(LONGEST_ANSWER)).build().call() {
            Ok(response) => response,
            Err(error) => return Ok(Ended::Interrupted(error.to_string())),
        };
        match response.status().as_u16() {
            408 | 429 | 500..=599 => return Ok(Ended::Interrupted(format!("HTTP {}", response.status()))),
            206 if at > 0 && starts_at(&response) != Some(at) => {
                return Ok(Ended::Interrupted("the answer is another part of the file".into()));
            }
            // The server sends all of it.
            200 if at > 0 => {
                file.set_len(0).with_context(io_context("write", partial))?;
                at = 0;
            }
            _ => check_status(&response, self.hub, &self.name, Some(&entry.file))?,
        }
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 1 << 20];
        while at < entry.size() {
            let n = match body.read(&mut buffer) {
                Ok(0) => return Ok(Ended::Interrupted("the connection ended early".into())),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Ended::Interrupted(error.to_string())),
            };
            // More than was promised is left unread; the hash decides.
            let n = n.min(usize::try_from(entry.size() - at).unwrap_or(usize::MAX));
            file.write_all(&buffer[..n]).map_err(|error| disk_error(error, partial, entry.size() - at))?;
            at += n as u64;
            progress.set(at, n as u64, &entry.file);
        }
        Ok(Ended::Complete)
    }
}

impl Hub {
    /// Pause before another attempt. A server of a test is not waited for.
    fn pause(&self, n_vain: u32) -> Duration {
        let unit = if self.endpoint.starts_with("http://127.0.0.1:") { Duration::from_millis(5) } else { Duration::from_secs(1) };
        unit * 2_u32.pow(n_vain - 1)
    }
}

impl Entry {
    fn size(&self) -> u64 {
        self.lfs.as_ref().map(|lfs| lfs.size).or(self.size).unwrap_or(0)
    }

    fn expected(&self) -> Option<Expected<'_>> {
        match (&self.lfs, &self.blob_id) {
            (Some(lfs), _) => Some(Expected::Sha256(&lfs.sha256)),
            (None, Some(blob_id)) => Some(Expected::GitSha1(blob_id)),
            (None, None) => None,
        }
    }
}

impl<'a> Expected<'a> {
    fn hash(self) -> &'a str {
        match self {
            Self::Sha256(hash) | Self::GitSha1(hash) => hash,
        }
    }

    /// The hash of a file, if it is another one.
    fn differs(self, path: &Path, size: u64) -> Result<Option<String>> {
        let found = match self {
            Self::Sha256(_) => hash_file(Sha256::new(), path)?,
            Self::GitSha1(_) => hash_file(Sha1::new_with_prefix(format!("blob {size}\0")), path)?,
        };
        Ok((found != self.hash().to_lowercase()).then_some(found))
    }
}

/// Bytes of a download that are there, and the bar that shows them.
struct Download {
    progress: Progress,
    n_before: u64,
    n_fetched: u64,
    since: Instant,
}

impl Download {
    fn set(&mut self, at: u64, n: u64, file: &str) {
        if self.n_fetched == 0 {
            self.progress.start_at((self.n_before + at - n) >> 10);
            self.since = Instant::now();
        }
        self.n_fetched += n;
        let speed = mib(self.n_fetched) / self.since.elapsed().as_secs_f64().max(1e-3);
        self.progress.set((self.n_before + at) >> 10, &format!("{file}, {speed:.1} MiB/s"));
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn hash_file<D: Digest>(mut hasher: D, path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(io_context("open", path))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).with_context(io_context("read", path))?;
        if n == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..n]);
    }
}

fn authorized<B>(hub: &Hub, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
    match &hub.token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

/// What a status of the hub means for people.
fn check_status<T>(response: &Response<T>, hub: &Hub, name: &HubName, file: Option<&str>) -> Result<()> {
    let status = response.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(());
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let what = file.map_or_else(|| name.to_string(), |file| format!("{file} of {name}"));
    let token = if hub.token.is_some() { "the token of HF_TOKEN does not open it" } else { "set HF_TOKEN to a token that may read it" };
    match (status, header("x-error-code")) {
        (_, "GatedRepo") => bail!("{what} is gated: its terms must be accepted at {}/{} first, and {token}", hub.endpoint, name.repo),
        (_, "RevisionNotFound") => bail!("{} has no revision {}", name.repo, name.revision),
        (_, "EntryNotFound") => bail!("{what} is not there"),
        // The hub does not tell whether a repository of others is private or not there.
        (401 | 404, _) => bail!("{what} was not found at {}: check its name; if it is private, {token}", hub.endpoint),
        (403, _) => bail!("{what} is not open to you: {token}"),
        (_, code) => bail!("{} answered HTTP {status} {code} {} for {what}", hub.endpoint, header("x-error-message")),
    }
}

fn unreachable(hub: &Hub, error: &ureq::Error) -> anyhow::Error {
    anyhow!(
        "cannot reach {}: {error}; with HF_HUB_OFFLINE=1 only what is in the cache is used, and a folder can be named in place of the hub",
        hub.endpoint
    )
}

fn disk_error(error: std::io::Error, path: &Path, n_missing: u64) -> anyhow::Error {
    let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let error = anyhow::Error::new(error).context(format!("cannot write {}", path.display()));
    if is_full {
        return error.context(format!(
            "the disk is full: {:.1} MiB more are needed; make room, or name another place with HF_HOME",
            mib(n_missing)
        ));
    }
    error
}

/// Where a part begins: `Content-Range: bytes 100-199/200`.
fn starts_at<T>(response: &Response<T>) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// A file's name as a part of an address.
fn escaped(file: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    file.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
