//! Verdicts over HTTP: `POST /grade/KIND` takes a line or a list of lines and answers the same way; `GET /health` tells what is there.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Answer, Grader, Kind, error_line};

/// Longest request, bytes.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// Requests that are graded at a time; others wait.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Serves until the process ends. `on_ready` hears the address, whose port may have been 0 in the request.
///
/// # Errors
/// An address that cannot be bound.
pub(crate) fn serve(address: SocketAddr, grader: Grader, on_ready: impl FnOnce(SocketAddr) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the server")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        on_ready(listener.local_addr().context("the server has no address")?)?;
        axum::serve(listener, router(Arc::new(grader))).await.context("the server stopped")
    })
}

fn router(grader: Arc<Grader>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/grade/{kind}", post(grade))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(grader)
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "kinds": Kind::ALL.map(Kind::name) }))
}

async fn grade(State(grader): State<Arc<Grader>>, Path(kind): Path<String>, headers: HeaderMap, body: String) -> Response {
    // Scripts send no Origin; a page in a browser on this machine would, and it must not run programs here.
    if headers.contains_key(ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "requests from web pages are refused");
    }
    let Ok(kind) = Kind::from_str(&kind, false) else {
        let known = Kind::ALL.map(Kind::name).join(", ");
        return refusal(StatusCode::NOT_FOUND, &format!("kind: expected one of {known}, found '{kind}'"));
    };
    // A request uses all cores by itself: more at a time would only take memory.
    let Ok(_turn) = TURNS.acquire().await else { return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server is closing") };
    // Grading computes or waits for programs: neither may hold up the answers to other requests.
    let graded = tokio::task::spawn_blocking(move || answer(&grader, kind, &body)).await;
    match graded {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(error)) => refusal(StatusCode::BAD_REQUEST, &format!("{error:#}")),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &format!("grading failed: {error}")),
    }
}

/// What a request gets.
#[derive(Serialize)]
#[serde(untagged)]
enum Reply {
    One(Answer),
    Many(Vec<Answer>),
}

/// Lines stay text until their kind reads them: numbers of any length keep their digits.
fn answer(grader: &Grader, kind: Kind, body: &str) -> Result<Reply> {
    if !body.trim_start().starts_with('[') {
        return grader.grade(kind, &[body]).pop().context("expected a line")?.map(Reply::One);
    }
    let lines: Vec<&RawValue> = serde_json::from_str(body).context("expected an object or a list of objects")?;
    let lines: Vec<&str> = lines.into_iter().map(RawValue::get).collect();
    let answers = grader.grade(kind, &lines).into_iter().zip(&lines);
    Ok(Reply::Many(answers.map(|(answer, line)| answer.unwrap_or_else(|error| error_line(line, &error))).collect()))
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
