use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ruminate_core::{Message, Outcome, Role};
use ruminate_rewards::judge::ChatParams;
use serde_json::{Value, json};

use super::*;

/// What the server does with one request.
enum Answer {
    Status(u16, &'static str, String),
    Slow(Duration, String),
    Drop,
}

/// A server on the loopback that answers each request by a script and remembers the bodies.
struct Server {
    url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
    heads: Arc<Mutex<Vec<String>>>,
    most_at_a_time: Arc<AtomicUsize>,
}

impl Server {
    /// `script` is given the number of the request, from 0, and its body.
    fn start(script: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = Self { url, bodies: Arc::default(), heads: Arc::default(), most_at_a_time: Arc::default() };
        let (bodies, heads, most) = (server.bodies.clone(), server.heads.clone(), server.most_at_a_time.clone());
        let (script, now) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (bodies, heads, most, script, now) = (bodies.clone(), heads.clone(), most.clone(), script.clone(), now.clone());
                std::thread::spawn(move || {
                    let Some((head, body)) = read_request(&stream) else { return };
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    heads.lock().unwrap().push(head);
                    let n_request = {
                        let mut bodies = bodies.lock().unwrap();
                        bodies.push(body.clone());
                        bodies.len() - 1
                    };
                    let answer = script(n_request, &body);
                    if let Answer::Slow(pause, _) = &answer {
                        std::thread::sleep(*pause);
                    }
                    // Before the reply: whoever reads it may ask again at once.
                    now.fetch_sub(1, Ordering::SeqCst);
                    match answer {
                        Answer::Status(status, headers, text) => respond(stream, status, headers, &text),
                        Answer::Slow(_, text) => respond(stream, 200, "", &text),
                        Answer::Drop => {}
                    }
                });
            }
        });
        server
    }

    fn n_requests(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::open(self.config()).unwrap()
    }

    /// Pauses of milliseconds, so that tests are quick.
    fn config(&self) -> EndpointConfig {
        EndpointConfig { url: self.url.clone(), pause_secs: 0.004, tries: 4, deadline_secs: 20.0, ..EndpointConfig::default() }
    }
}

fn read_request(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

fn respond(mut stream: TcpStream, status: u16, headers: &str, text: &str) {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", text.len());
    // The asker may be gone: that is what some tests are about.
    drop(stream.write_all(format!("{head}{text}").as_bytes()));
}

fn ok(text: &str) -> Answer {
    Answer::Status(200, "", completion(&[text]))
}

fn completion(texts: &[&str]) -> String {
    let choice = |text: &&str| json!({"message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    json!({"id": "x", "choices": texts.iter().map(choice).collect::<Vec<_>>()}).to_string()
}

fn error(status: u16) -> Answer {
    Answer::Status(status, "", format!("{{\"error\": \"status {status}\"}}"))
}

/// Replies to a conversation, kept for the next time.
fn chat(endpoint: &Endpoint, messages: Vec<Message>, params: ChatParams) -> Result<ChatReply, ChatError> {
    let request = ChatRequest { model: "m".to_owned(), messages, params, schema: None };
    let reply = endpoint.complete(&request)?;
    endpoint.keep(&request, &reply);
    Ok(reply)
}

fn hello(endpoint: &Endpoint) -> Result<String, ChatError> {
    let message = Message { role: Role::User, content: "hello".into() };
    chat(endpoint, vec![message], ChatParams::default()).map(|reply| reply.choices[0].text.clone())
}

fn question(prediction: &str) -> Question<'_> {
    Question { question: "6*7?", ground_truth: "42", prediction }
}

fn judge() -> Judge {
    Judge { model: "m".into(), ..Judge::default() }
}

#[test]
fn errors_that_pass_are_tried_again() {
    for (name, first) in [
        ("500", (|| error(500)) as fn() -> Answer),
        ("503", || error(503)),
        ("429", || Answer::Status(429, "retry-after: 0\r\n", String::new())),
        ("no JSON", || Answer::Status(200, "", "{\"choices\": [".into())),
        ("no choices", || Answer::Status(200, "", "{\"choices\": []}".into())),
        ("dropped", || Answer::Drop),
    ] {
        let server = Server::start(move |n, _| if n < 2 { first() } else { ok("hi") });
        assert_eq!(hello(&server.endpoint()), Ok("hi".into()), "{name}");
        assert_eq!(server.n_requests(), 3, "{name}");
    }
}

#[test]
fn after_all_tries_the_endpoint_is_down_with_the_last_cause() {
    let server = Server::start(|n, _| if n < 3 { Answer::Drop } else { error(500) });
    let expected = format!("{} after 4 tries: HTTP 500: {{\"error\": \"status 500\"}}", server.url);
    assert_eq!(hello(&server.endpoint()), Err(ChatError::Down(expected)));
    assert_eq!(server.n_requests(), 4);
    // Nobody listens here: the port was free a moment ago.
    let url = format!("http://{}/v1", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let nobody = Endpoint::open(EndpointConfig { url, ..server.config() }).unwrap();
    let Err(ChatError::Down(cause)) = hello(&nobody) else { panic!() };
    assert!(cause.contains("after 4 tries") && cause.to_lowercase().contains("refused"), "{cause}");
}

#[test]
fn reasoning_that_a_server_takes_apart_is_put_back() {
    let message = json!({"role": "assistant", "reasoning_content": "they greet\n", "content": "\n\nhi"});
    let body = json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string();
    let server = Server::start(move |_, _| Answer::Status(200, "", body.clone()));
    assert_eq!(hello(&server.endpoint()), Ok("<think>\nthey greet\n</think>\n\nhi".into()));
}

#[test]
fn what_no_try_can_mend_is_refused_at_once() {
    for status in [401, 403, 404, 413, 302] {
        let server = Server::start(move |_, _| error(status));
        let Err(ChatError::Refused(cause)) = hello(&server.endpoint()) else { panic!("{status}") };
        assert_eq!(cause, format!("HTTP {status}: {{\"error\": \"status {status}\"}}"));
        assert_eq!(server.n_requests(), 1);
    }
}

#[test]
fn a_deadline_ends_slow_tries_and_long_pauses() {
    let slow = Server::start(|_, _| Answer::Slow(Duration::from_secs(5), completion(&["late"])));
    let endpoint = Endpoint::open(EndpointConfig { deadline_secs: 0.3, ..slow.config() }).unwrap();
    let start = Instant::now();
    let Err(ChatError::Down(cause)) = hello(&endpoint) else { panic!() };
    assert!(cause.contains("after 1 try") && cause.contains("timeout"), "{cause}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());

    // A try may be shorter than the deadline: the second one is in time.
    let slow_once = Server::start(|n, _| if n == 0 { Answer::Slow(Duration::from_secs(5), String::new()) } else { ok("hi") });
    let endpoint = Endpoint::open(EndpointConfig { try_secs: 0.2, ..slow_once.config() }).unwrap();
    assert_eq!(hello(&endpoint), Ok("hi".into()));

    // A server that asks for a pause beyond the deadline is down for this question; nobody waits for it.
    let busy = Server::start(|_, _| Answer::Status(429, "Retry-After: 3600\r\n", "busy".into()));
    let start = Instant::now();
    let Err(ChatError::Down(cause)) = hello(&busy.endpoint()) else { panic!() };
    assert!(cause.ends_with("after 1 try: HTTP 429: busy"), "{cause}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn retry_after_is_obeyed() {
    let server = Server::start(|n, _| if n == 0 { Answer::Status(429, "Retry-After: 0.4\r\n", String::new()) } else { ok("hi") });
    let start = Instant::now();
    assert_eq!(hello(&server.endpoint()), Ok("hi".into()));
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
}

#[test]
fn forms_that_a_server_knows_not_are_given_up_one_by_one() {
    // Like llama-cpp-python: no json_schema, told with 500, but a schema beside json_object.
    let server = Server::start(|_, body| match body["response_format"]["type"].as_str() {
        Some("json_schema") => Answer::Status(500, "", "response_format: unexpected json_schema".into()),
        Some("json_object") if body["response_format"]["schema"].is_object() => ok(r#"{"reason":"same","verdict":"right"}"#),
        _ => error(400),
    });
    let endpoint = server.endpoint();
    let answers = [question("42"), question("43")];
    assert!(judge_all(&endpoint, &judge(), &answers, 1).iter().all(|graded| matches!(graded, Graded::Verdict(_))));
    // One refusal is enough: the second question begins with the form that worked.
    assert_eq!(server.n_requests(), 3);

    let simple = Server::start(|_, body| if body["response_format"].is_null() { ok("verdict: wrong") } else { error(422) });
    let endpoint = simple.endpoint();
    assert!(matches!(&judge_all(&endpoint, &judge(), &answers, 1)[1], Graded::Verdict(verdict) if verdict.outcome == Outcome::Wrong));
    assert_eq!(simple.n_requests(), 5);

    // What is refused in every form says nothing about forms.
    let strict = Server::start(|n, body| if n < 4 { error(400) } else { ok(body["response_format"]["type"].as_str().unwrap_or("none")) });
    let endpoint = strict.endpoint();
    let [Graded::Pending(reason)] = &judge_all(&endpoint, &judge(), &answers[..1], 1)[..] else { panic!() };
    assert!(reason.contains("refuses the request: HTTP 400"), "{reason}");
    judge_all(&endpoint, &judge(), &answers[1..], 1);
    assert_eq!(strict.bodies.lock().unwrap()[4]["response_format"]["type"], "json_schema");
}

#[test]
fn requests_say_what_was_asked_and_nothing_else() {
    let server = Server::start(|_, _| ok("hi"));
    let endpoint = server.endpoint();
    hello(&endpoint).unwrap();
    let expected =
        json!({"model": "m", "messages": [{"role": "user", "content": "hello"}], "temperature": 0.0, "top_p": 1.0, "max_tokens": 512});
    assert_eq!(server.bodies.lock().unwrap()[0], expected);
    let params = ChatParams { temperature: 0.6, top_p: 0.95, n: 2, seed: Some(7), stop: vec!["END".into()], ..ChatParams::default() };
    chat(&endpoint, Vec::new(), params).unwrap();
    let bodies = server.bodies.lock().unwrap();
    assert_eq!((&bodies[1]["temperature"], &bodies[1]["n"], &bodies[1]["stop"]), (&json!(0.6), &json!(2), &json!(["END"])));
    // The server gave one reply: the other is asked for with another seed.
    assert_eq!((bodies.len(), &bodies[2]["seed"], &bodies[2]["n"]), (3, &json!(8), &Value::Null));
    let heads = server.heads.lock().unwrap();
    assert!(heads[0].starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", heads[0]);
    assert!(!heads[0].to_lowercase().contains("authorization"), "{}", heads[0]);
}

#[test]
fn the_key_comes_from_the_environment() {
    let server = Server::start(|_, _| ok("hi"));
    // A variable that is set wherever cargo runs tests.
    let config = EndpointConfig { key_env: Some("CARGO_PKG_NAME".into()), ..server.config() };
    hello(&Endpoint::open(config).unwrap()).unwrap();
    assert!(server.heads.lock().unwrap()[0].contains("Bearer ruminate-cli"), "{}", server.heads.lock().unwrap()[0]);
    let config = EndpointConfig { key_env: Some("RUMINATE_NO_SUCH_KEY".into()), ..server.config() };
    let error = Endpoint::open(config).unwrap_err().to_string();
    assert_eq!(error, "key_env: the environment variable RUMINATE_NO_SUCH_KEY is not set; it must hold the key");
}

#[test]
fn settings_are_checked() {
    let refuse = |config: EndpointConfig, reason: &str| assert_eq!(Endpoint::open(config).unwrap_err().to_string(), reason);
    let config = || EndpointConfig { url: "http://localhost/v1".into(), ..EndpointConfig::default() };
    refuse(EndpointConfig::default(), "url: expected one such as http://localhost:8000/v1, found ''");
    refuse(EndpointConfig { concurrency: 0, ..config() }, "concurrency: expected 1 to 1024, found 0");
    refuse(EndpointConfig { tries: 0, ..config() }, "tries: expected at least 1, found 0");
    refuse(EndpointConfig { deadline_secs: f64::NAN, ..config() }, "deadline_secs: expected more than 0 and at most 1000000, found NaN");
}

#[test]
fn replies_of_use_are_kept_and_damaged_files_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|n, _| ok(if n == 0 { "hm" } else { "verdict: right" }));
    let config = EndpointConfig { cache: Some(folder.path().join("kept")), ..server.config() };
    let ask = || judge_all(&Endpoint::open(config.clone()).unwrap(), &judge(), &[question("42")], 1);
    let first = ask();
    assert!(matches!(&first[0], Graded::Verdict(verdict) if verdict.reward == 1.0), "{first:?}");
    assert_eq!(server.n_requests(), 2);
    // The first reply could not be read, the second one could: neither is asked for again.
    assert_eq!(ask(), first);
    assert_eq!(server.n_requests(), 2);

    let files = || -> Vec<PathBuf> {
        let folders = std::fs::read_dir(folder.path().join("kept")).unwrap();
        folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect()
    };
    let kept = std::fs::read_to_string(&files()[0]).unwrap();
    for damaged in ["", "{", &kept[..kept.len() / 2], &kept.replace("6*7?", "6*8?")] {
        files().iter().for_each(|file| std::fs::write(file, damaged).unwrap());
        let before = server.n_requests();
        assert_eq!(ask(), first);
        assert_eq!(server.n_requests(), before + 1, "{damaged}");
        // The new reply stands in the place of the damaged file.
        assert_eq!(ask(), first);
        assert_eq!(server.n_requests(), before + 1, "{damaged}");
    }
}

#[test]
fn replies_that_cannot_be_read_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| ok("hm"));
    let endpoint = Endpoint::open(EndpointConfig { cache: Some(folder.path().to_owned()), ..server.config() }).unwrap();
    for n_expected in [3, 6] {
        let graded = judge_all(&endpoint, &judge(), &[question("42")], 1);
        assert!(matches!(&graded[0], Graded::Pending(reason) if reason.contains("cannot be read")), "{graded:?}");
        assert_eq!(server.n_requests(), n_expected);
    }
}

#[test]
fn no_more_requests_at_a_time_than_allowed() {
    let server = Server::start(|_, _| Answer::Slow(Duration::from_millis(30), completion(&["verdict: right"])));
    let endpoint = Endpoint::open(EndpointConfig { concurrency: 3, ..server.config() }).unwrap();
    let predictions: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let answers: Vec<Question<'_>> = predictions.iter().map(|prediction| question(prediction)).collect();
    // More threads than the endpoint allows.
    assert_eq!(judge_all(&endpoint, &judge(), &answers, 8).len(), 12);
    assert_eq!((server.n_requests(), server.most_at_a_time.load(Ordering::SeqCst)), (12, 3));
}

#[test]
fn results_keep_the_order_of_the_items() {
    let items: Vec<u64> = (0..50).collect();
    let work = |&item: &u64| {
        std::thread::sleep(Duration::from_micros(500 * (item % 3)));
        item * item
    };
    assert_eq!(in_parallel(7, &items, work), items.iter().map(|item| item * item).collect::<Vec<_>>());
    assert_eq!(in_parallel(7, &[] as &[u64], work), [0_u64; 0]);
}

#[test]
fn a_judge_that_is_down_is_no_wrong_answer_and_is_asked_again_later() {
    let is_up = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let up = is_up.clone();
    let server = Server::start(move |_, body| {
        let is_right = body["messages"][1]["content"].as_str().unwrap_or_default().contains("\nforty-two\n");
        if up.load(Ordering::SeqCst) { ok(if is_right { "verdict: right" } else { "verdict: wrong" }) } else { error(503) }
    });
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::open(EndpointConfig { cache: Some(folder.path().to_owned()), ..server.config() }).unwrap();
    let answers = [question("forty-two"), question("41"), question("40"), question("39"), question("38")];
    let graded = judge_all(&endpoint, &judge(), &answers, 2);
    for graded in &graded {
        let Graded::Pending(reason) = graded else { panic!("{graded:?}") };
        assert!(reason.contains("after 4 tries: HTTP 503"), "{reason}");
    }
    // After two in a row the others were not asked about: at most one more each was under way.
    assert!(server.n_requests() <= 4 * 4, "{}", server.n_requests());

    is_up.store(true, Ordering::SeqCst);
    let outcomes = |graded: Vec<Graded>| -> Vec<Option<Outcome>> {
        graded.into_iter().map(|graded| if let Graded::Verdict(verdict) = graded { Some(verdict.outcome) } else { None }).collect()
    };
    let expected = [Outcome::Right, Outcome::Wrong, Outcome::Wrong, Outcome::Wrong, Outcome::Wrong].map(Some);
    assert_eq!(outcomes(judge_all(&endpoint, &judge(), &answers, 2)), expected);
    // And down again: what was judged is known.
    is_up.store(false, Ordering::SeqCst);
    let before = server.n_requests();
    assert_eq!(outcomes(judge_all(&endpoint, &judge(), &answers, 2)), expected);
    assert_eq!(server.n_requests(), before);
}

#[test]
fn one_question_that_fails_does_not_stop_the_others() {
    let server = Server::start(|_, body| {
        if body["messages"][1]["content"].as_str().unwrap_or_default().contains("\nbad\n") { error(500) } else { ok("verdict: wrong") }
    });
    let answers = [question("1"), question("bad"), question("2"), question("3"), question("4")];
    let graded = judge_all(&server.endpoint(), &judge(), &answers, 2);
    let pending: Vec<bool> = graded.iter().map(|graded| matches!(graded, Graded::Pending(_))).collect();
    assert_eq!(pending, [false, true, false, false, false]);
}

mod real;
