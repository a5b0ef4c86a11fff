//! `review`: the page on this machine, its requests, and the page in a real browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use serde_json::{Value, json};

use crate::browser::{Browser, CONTROL, ENTER, ESCAPE, RIGHT};
use crate::util::Folder;

const EXAMPLES: &str = include_str!("data/examples.jsonl");

/// A server at work on the 20 examples.
struct Review {
    folder: Folder,
    child: Child,
    url: String,
}

impl Review {
    fn start() -> Self {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path().join("run/cold")).unwrap();
        folder.write("run/cold/examples.jsonl", EXAMPLES);
        let (child, url) = serve(&folder);
        Self { folder, child, url }
    }

    /// Kills the server and starts another one.
    fn restart(&mut self) {
        self.stop();
        (self.child, self.url) = serve(&self.folder);
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap().split('/').next().unwrap()
    }

    fn path(&self) -> &str {
        &self.url["http://".len() + self.address().len()..]
    }

    fn ask(&self, what: &str, body: &Value) -> (u16, Value) {
        let headers = format!("Host: {}\r\nContent-Type: application/json\r\n", self.address());
        let (status, _, body) = self.raw("POST", &format!("{}api/{what}", self.path()), &headers, &body.to_string());
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status}: {body}")))
    }

    /// One request with these headers: status, head and body.
    fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn go(&self, name: &str, from: Option<u64>, way: &str, filter: &Value) -> Value {
        let (status, answer) = self.ask("move", &json!({ "who": who(name), "filter": filter, "from": from, "way": way }));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn decide(&self, name: &str, id: &str, version: u64, decision: &str, text: Option<&str>) -> (u16, Value) {
        let wish = json!({ "id": id, "version": version, "decision": decision, "text": text });
        self.ask("decide", &json!({ "who": who(name), "wish": wish }))
    }

    fn decisions(&self) -> Value {
        self.folder.json("run/cold/review.json")["decisions"].clone()
    }
}

impl Drop for Review {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn serve(folder: &Folder) -> (Child, String) {
    let mut child = folder.spawn(&["review", "run/cold", "--no-open", "--reviewer", "Ada"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("20 examples, "), "{first}");
    (child, lines.next().unwrap().unwrap())
}

fn who(name: &str) -> Value {
    json!({ "page": format!("page of {name}"), "reviewer": name })
}

#[test]
fn the_page_needs_its_token_and_an_address_of_this_machine() {
    let review = Review::start();
    let (path, host) = (review.path(), format!("Host: {}\r\n", review.address()));
    let status = |method: &str, path: &str, headers: &str| {
        let (status, head, body) = review.raw(method, path, headers, "{}");
        assert!(head.contains("cache-control: no-store") && head.contains("referrer-policy: no-referrer"), "{head}");
        assert!(status == 200 || !body.contains("<html"), "{body}");
        status
    };
    assert_eq!(status("GET", path, &host), 200);
    for foreign in ["/", "/api/start", &path.replace(|c: char| c.is_ascii_digit(), "f"), &format!("/x{path}"), "/0/api/decide"] {
        assert_eq!(status("GET", foreign, &host), 403, "{foreign}");
        assert_eq!(status("POST", foreign, &host), 403, "{foreign}");
    }
    assert_eq!(status("GET", &format!("{path}else"), &host), 404);
    for host in ["Host: ruminate.example.org\r\n", "Host: localhost.example.org:80\r\n", "Host: 127.0.0.1.example.org\r\n", ""] {
        assert!([400, 403].contains(&review.raw("GET", path, host, "").0), "{host}");
    }
    for host in ["Host: localhost:1234\r\n", "Host: [::1]:80\r\n", "Host: 10.0.0.1\r\n"] {
        assert_eq!(status("GET", path, host), 200, "{host}");
    }
    let start = format!("{path}api/start");
    let json = "Content-Type: application/json\r\n";
    assert_eq!(status("POST", &start, &format!("{host}{json}Origin: http://{}\r\n", review.address())), 200);
    assert_eq!(status("POST", &start, &format!("{host}{json}Origin: http://example.org\r\n")), 403);
    assert_eq!(status("POST", &start, &format!("{host}{json}Origin: null\r\n")), 403);
    // What a form of another page could send is no JSON.
    assert_eq!(status("POST", &format!("{path}api/decide"), &format!("{host}Content-Type: text/plain\r\n")), 415);

    let (_, head, page) = review.raw("GET", path, &host, "");
    let policy = head.lines().find(|line| line.starts_with("content-security-policy")).unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.contains("{{") && !page.contains("https://") && !page.contains("http://"), "the page needs nothing else");
    assert_ne!(page, review.raw("GET", path, &host, "").2, "every page has a nonce of its own");
}

#[test]
fn decisions_are_saved_as_they_are_taken_and_a_killed_review_goes_on() {
    let mut review = Review::start();
    let open = json!({});
    let first = review.go("Ada", None, "stay", &open);
    let id = first["sample"]["id"].as_str().unwrap();
    assert_eq!((id, &first["n_matching"], &first["progress"]["n_reviewed"]), ("algebra/1/few-shot/0", &json!(20), &json!(0)));
    assert_eq!(first["sample"]["gold"], "\\{2, 3\\}");
    assert!(first["sample"]["reasoning_html"].as_str().unwrap().contains("<msup><mi>x</mi><mn>2</mn></msup>"), "{first}");
    let (status, answer) = review.decide("Ada", id, 0, "accept", None);
    assert_eq!((status, &answer["version"], &answer["progress"]["n_accepted"]), (200, &json!(1), &json!(1)));
    assert_eq!(review.decisions()[id]["decision"], "accept");
    assert_eq!(review.decide("Ada", "algebra/2/few-shot/0", 0, "reject", None).0, 200);
    assert_eq!(review.decide("Ada", "matrix/1/direct/1", 0, "skip", None).0, 200);
    let text = "<think>ad - bc = 4 - 6 = -2.</think>\n\n**-2**";
    assert_eq!(review.decide("Ada", "matrix/1/direct/1", 1, "edit", Some(text)).0, 200);
    let (status, refused) = review.decide("Ada", "matrix/1/direct/1", 2, "edit", Some("<think>no end"));
    assert!(status == 422 && refused["error"].as_str().unwrap().contains("each once and in this order"), "{refused}");
    let before = review.decisions();
    assert_eq!(before["matrix/1/direct/1"]["messages"][1]["content"], text);
    assert!(before["matrix/1/direct/1"]["at_unix_secs"].as_u64().unwrap() > 1_700_000_000);

    review.restart();
    assert_eq!(review.decisions(), before);
    let next = review.go("Bo", None, "stay", &open);
    assert_eq!((&next["sample"]["id"], &next["n_matching"]), (&json!("算术/1/direct/0"), &json!(17)));
    let progress = &next["progress"];
    assert_eq!([&progress["n_accepted"], &progress["n_rejected"], &progress["n_edited"], &progress["n_skipped"]], [1, 1, 1, 0]);
    assert_eq!(progress["reviewers"], json!({ "Ada": 3 }));
    let edited = review.go("Bo", None, "stay", &json!({ "decision": "edit" }));
    assert_eq!((&edited["sample"]["text"], &edited["sample"]["decision"]["reviewer"]), (&json!(text), &json!("Ada")));
    assert!(edited["sample"]["original"].as_str().unwrap().contains("1*4 - 2*3"));
}

#[test]
fn reviewers_at_once_get_other_examples_and_a_conflict_is_told() {
    let review = Review::start();
    let open = json!({});
    let [ada, bo] = ["Ada", "Bo"].map(|name| review.go(name, None, "stay", &open)["sample"].clone());
    assert_ne!(ada["id"], bo["id"]);
    let id = ada["id"].as_str().unwrap();
    assert_eq!(review.decide("Bo", id, 0, "reject", None).0, 200);
    let (status, told) = review.decide("Ada", id, 0, "accept", None);
    assert_eq!((status, &told["conflict"]["version"]), (409, &json!(1)));
    assert_eq!((&told["conflict"]["current"]["reviewer"], &told["conflict"]["current"]["decision"]), (&json!("Bo"), &json!("reject")));
    assert_eq!(review.decisions()[id]["decision"], "reject");
    let undo = |name: &str| review.ask("undo", &json!({ "who": who(name), "filter": {} }));
    assert_eq!(undo("Ada").0, 404);
    let (status, back) = undo("Bo");
    assert_eq!((status, &back["sample"]["id"], &back["sample"]["decision"]), (200, &json!(id), &Value::Null));
    assert_eq!(review.decisions(), json!({}));
    let held = review.ask("hold", &json!({ "who": who("Ada"), "id": id })).1;
    assert_eq!(held["version"], 2, "the page learns that the decision has changed");

    // Many at once: every decision arrives, and nobody decides twice.
    let taken: Vec<Vec<String>> = std::thread::scope(|scope| {
        let work = |name: &'static str| {
            let review = &review;
            scope.spawn(move || {
                let mut ids = Vec::new();
                loop {
                    let sample = review.go(name, None, "stay", &json!({}))["sample"].clone();
                    let Some(id) = sample["id"].as_str() else { return ids };
                    let (status, told) = review.decide(name, id, sample["version"].as_u64().unwrap(), "accept", None);
                    assert_eq!(status, 200, "{told}");
                    ids.push(id.to_owned());
                }
            })
        };
        ["Ada", "Bo", "Cy"].map(work).into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 20);
    assert_eq!(review.decisions().as_object().unwrap().len(), 20);
}

#[test]
fn what_cannot_be_reviewed_is_an_error_and_so_is_a_second_process() {
    let mut review = Review::start();
    let again = || review.folder.ruminate(&["review", "run/cold", "--no-open"]);
    again().failed(1, "run/cold is being reviewed by another process");
    review.folder.ruminate(&["review", "run"]).failed(1, "expected the folder of a stage that collects examples");
    review.folder.ruminate(&["review", "run/cold", "--addr", "nowhere"]).failed(2, "--addr");
    review.stop();
    review.folder.write("run/cold/review.json", "{\"version\": 3, \"decisions\": {}}");
    review.folder.ruminate(&["review", "run/cold", "--no-open"]).failed(1, "review.json");
    assert_eq!(review.folder.read("run/cold/review.json"), "{\"version\": 3, \"decisions\": {}}");
}

#[test]
fn a_reviewer_works_through_the_page_with_the_keyboard() {
    let Some(browser) = Browser::start("a_reviewer_works_through_the_page_with_the_keyboard") else { return };
    let review = Review::start();
    browser.look_like(1280, 900, false);
    browser.open(&review.url);
    browser.wait("document.querySelector('#where').textContent === 'Example 1 of 20'");
    assert_eq!(browser.script("return document.querySelector('#reviewer').value"), "Ada");
    assert!(browser.script("return document.querySelectorAll('#summary math').length").as_u64().unwrap() >= 4);
    browser.screenshot("review-desktop");
    let shows = |id: &str| browser.wait(&format!("sample.id === {} && !busy", json!(id)));
    let decided = |id: &str| review.decisions()[id]["decision"].clone();

    browser.keys("a");
    shows("algebra/2/few-shot/0");
    assert_eq!(decided("algebra/1/few-shot/0"), "accept");
    browser.screenshot("review-align");
    browser.keys("r");
    shows("matrix/1/direct/1");
    assert_eq!(decided("algebra/2/few-shot/0"), "reject");
    browser.keys("u");
    shows("algebra/2/few-shot/0");
    assert_eq!(decided("algebra/2/few-shot/0"), Value::Null);
    browser.keys("s");
    shows("matrix/1/direct/1");
    assert_eq!(decided("algebra/2/few-shot/0"), "skip");
    browser.keys("j");
    shows("算术/1/direct/0");
    browser.keys("k");
    shows("matrix/1/direct/1");
    browser.keys(&RIGHT.to_string());
    shows("算术/1/direct/0");
    browser.screenshot("review-chinese");

    // Keys in the editor are letters. A draft survives its closing, and a form that is broken is told.
    browser.keys("e");
    browser.wait("document.activeElement.id === 'edit-text'");
    browser.script("document.querySelector('#edit-text').setSelectionRange(0, 0)");
    browser.keys("ar");
    browser.keys(&ESCAPE.to_string());
    browser.wait("document.querySelector('#editor').hidden");
    browser.keys("e");
    browser.wait("document.querySelector('#edit-text').value.startsWith('ar<think>')");
    browser.chord(CONTROL, ENTER);
    browser.wait("document.querySelector('#banner-text').textContent.includes('each once and in this order')");
    browser.script("document.querySelector('#edit-text').value = '<think>$7 + 8 = 15$</think>\\n\\n**十五**'");
    browser.script("document.querySelector('#edit-text').dispatchEvent(new Event('input'))");
    browser.wait("document.querySelector('#preview math')");
    browser.screenshot("review-editor");
    browser.chord(CONTROL, ENTER);
    shows("算术/2/rewritten/0");
    assert_eq!(review.decisions()["算术/1/direct/0"]["messages"][1]["content"], "<think>$7 + 8 = 15$</think>\n\n**十五**");

    // Somebody else was faster: it is told, and nothing is lost until one of the two is chosen.
    assert_eq!(review.decide("Bo", "算术/2/rewritten/0", 0, "accept", None).0, 200);
    browser.keys("r");
    browser.wait("document.querySelector('#banner-text').textContent.startsWith('Bo has accepted this example at')");
    browser.screenshot("review-conflict");
    assert_eq!(decided("算术/2/rewritten/0"), "accept");
    browser.click("#banner-buttons button");
    shows("code/1/direct/0");
    assert_eq!(decided("算术/2/rewritten/0"), "reject");

    browser.keys("/");
    browser.wait("document.activeElement.name === 'text'");
    browser.keys("hypotenuse");
    shows("geometry/2/few-shot/1");
    assert!(browser.text("#verdicts").contains("expected 13, found 14"), "{}", browser.text("#verdicts"));
    browser.keys(&ESCAPE.to_string());
    browser.keys("t");
    browser.wait(
        "document.querySelector('#written').checkVisibility() && document.querySelector('#written').textContent.startsWith('<think>')",
    );
    browser.keys("?");
    browser.wait("document.querySelector('#help').open");
    browser.screenshot("review-help");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn hostile_text_does_nothing_on_the_page_and_the_page_fits_a_phone() {
    let Some(browser) = Browser::start("hostile_text_does_nothing_on_the_page_and_the_page_fits_a_phone") else { return };
    let mut review = Review::start();
    browser.look_like(390, 844, true);
    browser.open(&review.url);
    browser.wait("document.querySelector('#where').textContent === 'Example 1 of 20'");
    browser.screenshot("review-phone-dark");
    for step in 0..20 {
        let id = browser.script("return sample.id").as_str().unwrap().to_owned();
        assert_eq!(
            browser.script("return document.querySelectorAll('main script, main img, main iframe, main style, main a, main svg').length"),
            0,
            "{id}"
        );
        assert_eq!(browser.script("return window.hacked ?? null"), Value::Null, "{id}");
        let width = browser.script("return document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(width <= 390, "{id} is {width} pixels wide");
        if id.starts_with("hostile") || id.starts_with("broken") || id.starts_with("multi") {
            browser.screenshot(&format!("review-phone-{}", id.replace('/', "-")));
        }
        if step < 19 {
            browser.keys("j");
            browser.wait(&format!("sample.id !== {} && !busy", json!(id)));
        }
    }
    // Every control has a name.
    let nameless = "return [...document.querySelectorAll('button, input, select, textarea')].filter((e) => \
        !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).length";
    assert_eq!(browser.script(nameless), 0);
    // The policy blocks what would come from elsewhere even if it got into the page.
    let blocked = "const img = document.createElement('img'); img.setAttribute('onerror', 'window.hacked = 1'); img.src = 'http://127.0.0.1:9/x'; \
        document.body.append(img); const script = document.createElement('script'); script.textContent = 'window.hacked = 2'; document.body.append(script)";
    browser.script(blocked);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(browser.script("return window.hacked ?? null"), Value::Null);
    assert!(browser.complaints().iter().any(|complaint| complaint.contains("Content Security Policy")));

    // The server goes away in the middle: it is told, and the same decision goes through once it is back at the same address.
    let address = review.address().to_owned();
    review.stop();
    browser.keys("a");
    browser.wait("document.querySelector('#banner-text').textContent.startsWith('The server does not answer')");
    let mut child = review.folder.spawn(&["review", "run/cold", "--no-open", "--addr", &address]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    review.url = lines.next().unwrap().unwrap();
    review.child = child;
    browser.click("#banner-buttons button");
    browser.wait("document.querySelector('#banner-text').textContent.startsWith('This address is no longer valid')");
}
