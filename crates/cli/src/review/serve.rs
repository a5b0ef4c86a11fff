//! The page and its requests over HTTP.
//!
//! Every path begins with a random token, and every request without it is refused. So are requests for a host that is not this machine's
//! address and requests of other pages: whoever can make a browser here open an address cannot decide anything.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::desk::{Desk, Refusal, Way, Who, Wish};
use super::filter::Filter;
use super::view::{self, Sample, Shown, Taken};

/// Longest request, bytes.
const MAX_REQUEST_BYTES: usize = 4 << 20;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Where a review can be reached.
#[derive(Debug)]
pub(crate) struct Server {
    /// The address of the page, with its token.
    pub(crate) url: String,
    /// Whether other machines can reach it.
    pub(crate) is_public: bool,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    reviewer: String,
    token: blake3::Hash,
}

/// What the page asks for when it moves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    who: Who,
    filter: Filter,
    from: Option<usize>,
    way: Way,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    who: Who,
    wish: Wish,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    who: Who,
    filter: Filter,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    who: Who,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Undo {
    who: Who,
    filter: Filter,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

/// An example, or none that fits, and how far the review is.
#[derive(Serialize)]
struct Answer {
    sample: Option<Sample>,
    position: usize,
    n_matching: usize,
    progress: super::desk::Progress,
}

/// Serves until the process ends. `on_ready` hears where.
///
/// # Errors
/// An address that cannot be bound; no randomness for the token.
pub(crate) fn serve(address: SocketAddr, desk: Desk, reviewer: &str, on_ready: impl FnOnce(&Server) -> Result<()>) -> Result<()> {
    let token = token()?;
    let shared = Shared { desk: Mutex::new(desk), reviewer: reviewer.to_owned(), token: blake3::hash(token.as_bytes()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the server")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr().context("the server has no address")?;
        on_ready(&Server { url: format!("http://{address}/{token}/"), is_public: !address.ip().is_loopback() })?;
        axum::serve(listener, router(Arc::new(shared))).await.context("the server stopped")
    })
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{token}/", get(page))
        .route("/{token}/api/start", post(start))
        .route("/{token}/api/move", post(go))
        .route("/{token}/api/look", post(look))
        .route("/{token}/api/hold", post(hold))
        .route("/{token}/api/decide", post(decide))
        .route("/{token}/api/undo", post(undo))
        .route("/{token}/api/preview", post(preview))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing here") })
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// Lets in who has the token and speaks to this machine from this page, and says to the browser what the page may do.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match flaw(&shared, &request) {
        Some(flaw) => refusal(StatusCode::FORBIDDEN, flaw),
        None => next.run(request).await,
    };
    let mut set = |name: HeaderName, value| drop(response.headers_mut().insert(name, HeaderValue::from_static(value)));
    set(CACHE_CONTROL, "no-store");
    set(REFERRER_POLICY, "no-referrer");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}

fn flaw(shared: &Shared, request: &Request) -> Option<&'static str> {
    let header = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    // A name would let another site point its own at this machine.
    let Some(host) = header(HOST).filter(|host| is_address(host)) else {
        return Some("expected the address of this machine in numbers, or localhost, as the host");
    };
    if header(ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host)) {
        return Some("requests from other pages are refused");
    }
    let token = request.uri().path().split('/').nth(1).unwrap_or_default();
    // Hashes compare in constant time.
    (blake3::hash(token.as_bytes()) != shared.token).then_some("expected the address with its token, as `ruminate review` has printed it")
}

/// Whether a host is an address in numbers or localhost, with or without a port.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

async fn page() -> Response {
    let Ok(nonce) = token() else { return refusal(StatusCode::INTERNAL_SERVER_ERROR, "no randomness for the page") };
    let page = PAGE.replace("{{nonce}}", &nonce).replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).expect("a nonce has letters and digits only"));
    (headers, Body::from(page)).into_response()
}

async fn start(State(shared): State<Arc<Shared>>) -> Response {
    work(shared, |shared| {
        let desk = shared.desk();
        Ok(json!({
            "stage": desk.stage_dir().display().to_string(),
            "reviewer": shared.reviewer,
            "facets": desk.facets(),
            "progress": desk.progress(),
        }))
    })
    .await
}

async fn go(State(shared): State<Arc<Shared>>, Json(asked): Json<Move>) -> Response {
    work(shared, move |shared| {
        let now = Instant::now();
        let found = shared.desk().next(&asked.who, &asked.filter, asked.from, asked.way, now)?;
        Ok(shared.answer(&asked.who, &asked.filter, found, now))
    })
    .await
}

/// Shows an example again, whatever the filter says, and keeps it for the page.
async fn look(State(shared): State<Arc<Shared>>, Json(asked): Json<Look>) -> Response {
    work(shared, move |shared| {
        let now = Instant::now();
        let idx = shared.desk().idx(&asked.id)?;
        shared.desk().hold(&asked.who, idx, now);
        Ok(shared.answer(&asked.who, &asked.filter, Some(idx), now))
    })
    .await
}

/// Keeps an example for a page that still shows it.
async fn hold(State(shared): State<Arc<Shared>>, Json(asked): Json<Hold>) -> Response {
    work(shared, move |shared| {
        let mut desk = shared.desk();
        let idx = desk.idx(&asked.id)?;
        desk.hold(&asked.who, idx, Instant::now());
        Ok(json!({ "version": desk.version(idx), "progress": desk.progress() }))
    })
    .await
}

async fn decide(State(shared): State<Arc<Shared>>, Json(asked): Json<Decide>) -> Response {
    work(shared, move |shared| {
        let at_unix_secs = unix_secs();
        let mut desk = shared.desk();
        let idx = desk.decide(&asked.who, asked.wish, at_unix_secs, Instant::now())?;
        Ok(json!({ "version": desk.version(idx), "progress": desk.progress() }))
    })
    .await
}

async fn undo(State(shared): State<Arc<Shared>>, Json(asked): Json<Undo>) -> Response {
    work(shared, move |shared| {
        let now = Instant::now();
        let idx = shared.desk().undo(&asked.who)?;
        shared.desk().hold(&asked.who, idx, now);
        Ok(shared.answer(&asked.who, &asked.filter, Some(idx), now))
    })
    .await
}

async fn preview(State(shared): State<Arc<Shared>>, Json(asked): Json<Text>) -> Response {
    work(shared, move |_| Ok(view::Response::set(&asked.text))).await
}

impl Shared {
    /// A panic while the desk was held has changed nothing by halves: decisions are replaced at once.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The desk is free again while the example is set as HTML.
    fn answer(&self, who: &Who, filter: &Filter, found: Option<usize>, now: Instant) -> Answer {
        let (shown, (position, n_matching), progress) = {
            let desk = self.desk();
            let position = found.map_or((0, 0), |idx| desk.position(filter, idx));
            (found.map(|idx| Shown::of(&desk, who, idx, now)), position, desk.progress())
        };
        Answer { sample: shown.map(Shown::set), position, n_matching, progress }
    }

    fn refuse(&self, refused: Refusal) -> Response {
        match refused {
            Refusal::Invalid(message) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &message),
            Refusal::NothingToUndo => refusal(StatusCode::NOT_FOUND, "there is nothing to undo on this page"),
            Refusal::NotSaved(message) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("not saved: {message}")),
            Refusal::Conflict { idx } => {
                let desk = self.desk();
                let current = desk.decision(idx).map(Taken::of);
                let body = json!({
                    "error": "somebody else has decided about this example since it was shown",
                    "conflict": { "id": desk.example(idx).id, "version": desk.version(idx), "current": current },
                });
                (StatusCode::CONFLICT, Json(body)).into_response()
            }
        }
    }
}

/// Works on another thread: files and long texts must not hold up the answers to others.
async fn work<T: Serialize + Send + 'static>(
    shared: Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, Refusal> + Send + 'static,
) -> Response {
    let done = tokio::task::spawn_blocking(move || match work(&shared) {
        Ok(answer) => serde_json::to_value(answer).map_or_else(
            |error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot write the answer: {error}")),
            |answer: Value| Json(answer).into_response(),
        ),
        Err(refused) => shared.refuse(refused),
    });
    done.await.unwrap_or_else(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("the request failed: {error}")))
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

/// 128 random bits as letters and digits.
fn token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        bail!("the system gives no randomness: {error}");
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unix_secs() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the record of a decision says when it was taken")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
