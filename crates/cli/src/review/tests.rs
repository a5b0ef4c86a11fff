use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use ruminate_core::{Example, Gold, Language, Message, OpenTask, Problem, ProblemId, Role, Verdict};

use super::desk::{Refusal, Way, Who, Wish};
use super::pace::Pace;
use super::render::{Parts, split_response, to_html};
use super::*;
use crate::review_file::{DecisionKind, REVIEW_FILE, ReviewFile};

fn example(id: &str, source: &str, text: &str) -> Example {
    Example {
        id: id.into(),
        source: source.into(),
        problem: Problem {
            id: ProblemId(id.into()),
            kind: "chat".into(),
            question: format!("Question {id}?"),
            gold: Gold::Open(OpenTask::default()),
            language: Language::En,
            difficulty: None,
        },
        messages: vec![
            Message { role: Role::User, content: format!("Question {id}?") },
            Message { role: Role::Assistant, content: text.into() },
        ],
        verdicts: [("accuracy".to_owned(), Verdict::right("equal"))].into(),
    }
}

fn stage(examples: &[Example]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = examples.iter().map(|example| serde_json::to_string(example).unwrap() + "\n").collect();
    std::fs::write(dir.path().join("examples.jsonl"), lines).unwrap();
    dir
}

fn four() -> tempfile::TempDir {
    stage(&["a", "b", "c", "d"].map(|id| example(id, if id < "c" { "direct" } else { "teacher" }, "<think>x</think>\n**y**")))
}

fn who(name: &str) -> Who {
    Who { page: format!("page of {name}"), reviewer: name.into() }
}

fn wish(id: &str, version: u64, decision: DecisionKind) -> Wish {
    Wish { id: id.into(), version, decision, text: None }
}

fn filter(json: serde_json::Value) -> filter::Filter {
    serde_json::from_value(json).unwrap()
}

fn saved(dir: &Path) -> Vec<(String, DecisionKind, String)> {
    let file = ReviewFile::load(&dir.join(REVIEW_FILE)).unwrap().unwrap_or_default();
    file.decisions.into_iter().map(|(id, decision)| (id, decision.decision, decision.reviewer)).collect()
}

#[test]
fn two_reviewers_never_get_the_same_example_until_one_falls_silent() {
    let dir = four();
    let mut desk = Desk::open(dir.path()).unwrap();
    let (ada, bo, open, now) = (who("Ada"), who("Bo"), filter::Filter::default(), Instant::now());
    let mut next = |who: &Who, from, way, now| desk.next(who, &open, from, way, now).unwrap();
    assert_eq!(next(&ada, None, Way::Stay, now), Some(0));
    assert_eq!(next(&bo, None, Way::Stay, now), Some(1));
    assert_eq!(next(&ada, Some(0), Way::Forward, now), Some(2));
    assert_eq!(next(&bo, Some(1), Way::Forward, now), Some(3));
    assert_eq!(next(&bo, Some(3), Way::Forward, now), Some(0));
    assert_eq!(next(&bo, Some(0), Way::Backward, now), Some(3));
    let later = now + Duration::from_secs(91);
    assert_eq!(next(&bo, Some(3), Way::Backward, later), Some(2), "what a silent page held is free again");
    desk.decide(&bo, wish("c", 0, DecisionKind::Accept), 1, later).unwrap();
    let all = filter(serde_json::json!({ "decision": "any" }));
    assert_eq!(desk.next(&ada, &all, Some(1), Way::Forward, later).unwrap(), Some(2), "decided ones can be looked at together");
    assert_eq!(desk.other_holder(&ada, 2, later), Some("Bo"));
}

#[test]
fn a_decision_about_another_version_is_refused_and_changes_nothing() {
    let dir = four();
    let mut desk = Desk::open(dir.path()).unwrap();
    let now = Instant::now();
    desk.decide(&who("Ada"), wish("a", 0, DecisionKind::Accept), 1, now).unwrap();
    let refused = desk.decide(&who("Bo"), wish("a", 0, DecisionKind::Reject), 2, now);
    assert!(matches!(refused, Err(Refusal::Conflict { idx: 0 })), "{refused:?}");
    assert_eq!(saved(dir.path()), [("a".into(), DecisionKind::Accept, "Ada".into())]);
    desk.decide(&who("Bo"), wish("a", 1, DecisionKind::Reject), 3, now).unwrap();
    assert_eq!(saved(dir.path()), [("a".into(), DecisionKind::Reject, "Bo".into())]);
    // Ada's undo would take back what Bo decided since.
    assert!(matches!(desk.undo(&who("Ada")), Err(Refusal::Conflict { idx: 0 })));
    assert!(matches!(desk.undo(&who("Ada")), Err(Refusal::NothingToUndo)));
    assert_eq!(desk.undo(&who("Bo")).unwrap(), 0);
    assert_eq!(saved(dir.path()), [("a".into(), DecisionKind::Accept, "Ada".into())]);
}

#[test]
fn edits_keep_the_conversation_and_must_have_a_form() {
    let dir = four();
    let mut desk = Desk::open(dir.path()).unwrap();
    let mut edit = |text: &str| {
        let wish = Wish { text: Some(text.into()), ..wish("b", 0, DecisionKind::Edit) };
        desk.decide(&who("Ada"), wish, 1, Instant::now())
    };
    for flawed in
        [" \n", "<think>a", "a</think>b", "<think></think>b", "<think>a</think>", "x <think>a</think>b", "<think>a</think>b</think>"]
    {
        assert!(matches!(edit(flawed), Err(Refusal::Invalid(_))), "{flawed:?}");
    }
    edit("<think>because</think>\n\n**so**").unwrap();
    let file = ReviewFile::load(&dir.path().join(REVIEW_FILE)).unwrap().unwrap();
    let messages = file.decisions["b"].messages.clone().unwrap();
    assert_eq!((messages.len(), messages[0].content.as_str()), (2, "Question b?"));
    assert_eq!(messages[1].content, "<think>because</think>\n\n**so**");
    for bad in [
        wish("b", 1, DecisionKind::Edit),
        Wish { text: Some("x".into()), ..wish("b", 1, DecisionKind::Accept) },
        wish("z", 0, DecisionKind::Skip),
    ] {
        assert!(matches!(desk.decide(&who("Ada"), bad, 1, Instant::now()), Err(Refusal::Invalid(_))));
    }
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        assert!(
            matches!(desk.decide(&who(name), wish("c", 0, DecisionKind::Skip), 1, Instant::now()), Err(Refusal::Invalid(_))),
            "{name:?}"
        );
    }
}

#[test]
fn a_file_that_something_else_has_changed_is_not_written_over() {
    let dir = four();
    let mut desk = Desk::open(dir.path()).unwrap();
    let now = Instant::now();
    desk.decide(&who("Ada"), wish("a", 0, DecisionKind::Accept), 1, now).unwrap();
    std::fs::write(dir.path().join(REVIEW_FILE), "{\"version\": 1, \"decisions\": {}}").unwrap();
    let refused = desk.decide(&who("Ada"), wish("b", 0, DecisionKind::Accept), 1, now);
    assert!(matches!(&refused, Err(Refusal::NotSaved(why)) if why.contains("changed by something else")), "{refused:?}");
    assert_eq!((saved(dir.path()), desk.version(1)), (vec![], 0));
    assert!(matches!(desk.undo(&who("Ada")), Err(Refusal::NotSaved(_))));
    drop(desk);

    let mut desk = Desk::open(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("examples.jsonl")).unwrap();
    let refused = desk.decide(&who("Ada"), wish("b", 0, DecisionKind::Accept), 1, now);
    assert!(matches!(&refused, Err(Refusal::NotSaved(why)) if why.contains("examples.jsonl has changed or gone")), "{refused:?}");
}

#[test]
fn filters_choose_and_count() {
    let dir = four();
    let mut desk = Desk::open(dir.path()).unwrap();
    desk.decide(&who("Ada"), wish("c", 0, DecisionKind::Skip), 1, Instant::now()).unwrap();
    let mut found = |json: serde_json::Value| {
        let filter = filter(json);
        let idx = desk.next(&who("Bo"), &filter, None, Way::Stay, Instant::now()).unwrap();
        idx.map(|idx| (desk.example(idx).id.clone(), desk.position(&filter, idx)))
    };
    assert_eq!(found(serde_json::json!({})), Some(("a".into(), (1, 3))));
    assert_eq!(found(serde_json::json!({ "source": "teacher" })), Some(("d".into(), (1, 1))));
    assert_eq!(found(serde_json::json!({ "source": "teacher", "decision": "any" })), Some(("c".into(), (1, 2))));
    assert_eq!(found(serde_json::json!({ "decision": "skip" })), Some(("c".into(), (1, 1))));
    assert_eq!(found(serde_json::json!({ "text": " QUESTION B " })), Some(("b".into(), (1, 1))));
    assert_eq!(found(serde_json::json!({ "verdict": "accuracy: right" })), Some(("a".into(), (1, 3))));
    for none in [
        serde_json::json!({ "verdict": "accuracy: wrong" }),
        serde_json::json!({ "kind": "maths" }),
        serde_json::json!({ "decision": "edit" }),
    ] {
        assert_eq!(found(none), None);
    }
    assert!(serde_json::from_value::<filter::Filter>(serde_json::json!({ "colour": "red" })).is_err());
    let facets = serde_json::to_value(desk.facets()).unwrap();
    assert_eq!(facets["sources"], serde_json::json!({ "direct": 2, "teacher": 2 }));
    assert_eq!(facets["verdicts"], serde_json::json!({ "accuracy: right": 4 }));
}

#[test]
fn the_pace_leaves_breaks_out() {
    let (mut pace, mut now) = (Pace::default(), Instant::now());
    for gap in [0, 10, 3600, 20] {
        assert_eq!(pace.secs_left(100), None);
        now += Duration::from_secs(gap);
        pace.record(now);
    }
    assert_eq!(pace.secs_left(100), Some(1500.0));
    for _ in 0..30 {
        now += Duration::from_secs(4);
        pace.record(now);
    }
    assert_eq!(pace.secs_left(10), Some(40.0));
}

#[test]
fn folders_that_cannot_be_reviewed_are_named() {
    let refusal = |dir: &Path| format!("{:#}", Desk::open(dir).unwrap_err());
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(empty.path()).contains("found no"), "{}", refusal(empty.path()));
    assert!(refusal(stage(&[]).path()).contains("has no examples"));
    let twice = refusal(stage(&[example("a", "x", "y"), example("a", "x", "y")]).path());
    assert!(twice.contains("expected different ids, found \"a\" in examples 1 and 2"), "{twice}");
    let mut mute = example("a", "x", "y");
    mute.messages.pop();
    assert!(refusal(stage(&[mute]).path()).contains("end with an assistant's turn"));
    let dir = four();
    std::fs::write(dir.path().join("examples.jsonl"), "{}\nnonsense\n").unwrap();
    assert!(refusal(dir.path()).contains("examples.jsonl:1 is damaged"));
    let dir = four();
    let _open = Desk::open(dir.path()).unwrap();
    assert!(refusal(dir.path()).contains("is being reviewed by another process"));
}

#[test]
fn responses_are_cut_where_their_reasoning_ends() {
    let parts = |reasoning, summary| Parts { reasoning, summary };
    assert_eq!(split_response("<think>\na\n</think>\n\nb"), parts(Some("a"), "b"));
    assert_eq!(split_response(" <think>a</think>b</think>"), parts(Some("a"), "b</think>"));
    assert_eq!(split_response("<think>a"), parts(None, "<think>a"));
    assert_eq!(split_response("a</think>b"), parts(None, "a</think>b"));
}

#[test]
fn markdown_and_formulas_are_set() {
    let cases = [
        ("a *b* **c**\nd", "<p>a <em>b</em> <strong>c</strong><br>\nd</p>\n"),
        ("# One", "<h3>One</h3>\n"),
        ("$x^2$", "<p><math display=\"inline\"><msup><mi>x</mi><mn>2</mn></msup></math></p>\n"),
        (
            "\\(a_1\\) \\[b\\]",
            "<p><math display=\"inline\"><msub><mi>a</mi><mn>1</mn></msub></math> <math display=\"block\"><mi>b</mi></math></p>\n",
        ),
        ("$$\n1\n$$", "<p><math display=\"block\"><mn>1</mn></math></p>\n"),
        ("\\boxed{7} $\\boxed{7}$", "<p>\\boxed{7} <math class=\"boxed\" display=\"inline\"><mn>7</mn></math></p>\n"),
        ("it costs $5, or $7", "<p>it costs $5, or $7</p>\n"),
        ("\\$5 and \\$6", "<p>$5 and $6</p>\n"),
        ("`$x$` and ``\\(y\\)``", "<p><code>$x$</code> and <code>\\(y\\)</code></p>\n"),
        ("```\n$x$ <b>\n```", "<pre><code>$x$ &lt;b&gt;\n</code></pre>\n"),
        (
            "|$|a|$|\n|-|\n|1|",
            "<table><thead><tr><th><math display=\"inline\"><mi>|</mi><mi>a</mi><mi>|</mi></math></th></tr></thead><tbody>\n<tr><td>1</td></tr>\n</tbody></table>\n",
        ),
        ("[here](https://example.org)", "<p>here (https://example.org)</p>\n"),
        ("![cat](http://example.org/c.png)", "<p>[image: cat] (http://example.org/c.png)</p>\n"),
        ("\u{E000}0\u{E001}$y$", "<p>\u{FFFD}0\u{FFFD}<math display=\"inline\"><mi>y</mi></math></p>\n"),
        ("$\\frac{1}{$", "<p><code class=\"tex\">$\\frac{1}{$</code></p>\n"),
        ("$\\def\\a{\\a\\a}\\a$", "<p><code class=\"tex\">$\\def\\a{\\a\\a}\\a$</code></p>\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(to_html(text), expected, "{text}");
    }
}

/// Texts that once were slow, or may be: each nests or opens without end.
#[test]
fn texts_that_nest_or_open_without_end_are_set_in_time() {
    let texts = [
        format!("${}x{}$", "{".repeat(2000), "}".repeat(2000)),
        format!("${}x{}$", "\\left(".repeat(300), "\\right)".repeat(300)),
        format!("$x{}$", "_{x".repeat(1000) + &"}".repeat(1000)),
        format!("$$x{}y$$", "%\n".repeat(1900)),
        ">".repeat(120_000),
        "> ".repeat(100),
        "- ".repeat(60_000),
        (0..300).map(|depth| " ".repeat(2 * depth) + "- a\n").collect(),
        "[".repeat(120_000),
        "*a _b ".repeat(20_000),
        "$a ".repeat(40_000),
        "\\(a ".repeat(30_000),
        "\\begin{align}".repeat(9_000),
        "<!-- ".repeat(25_000),
        "x".repeat(1 << 20),
    ];
    for text in texts {
        let before = Instant::now();
        let html = to_html(&text);
        assert!(before.elapsed() < Duration::from_secs(3) && !html.is_empty(), "{} ... in {:?}", &text[..20], before.elapsed());
    }
}

proptest! {
    #[test]
    fn what_models_write_becomes_text_and_nothing_else(
        parts in prop::collection::vec(prop::sample::select(&[
            "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=x>", "<a href=javascript:x>", "</p>", "</math>", "<mi>",
            "<style>", "<!--", "-->", "<![CDATA[", "]]>", "[a](javascript:x)", "![b](//c \"d\")", "<http://e.f>", "[g]: h\n", "\"", "'", "&lt;", "&#60;",
            "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\operatorname{", "\\text{", "\\href{x}{", "}", "\\frac", "\\begin{array}{", "\\end{array}", "^", "_",
            "`", "```", "\n", "\n\n", "> ", "- ", "|", "# ", "*", "**", "x", " ", "\u{E000}", "\u{E001}", "0", "\\", "&",
        ][..]), 0..24),
    ) {
        let html = to_html(&parts.concat());
        // Every tag is one of the list, and no attribute is one that acts or reaches out.
        for tag in html.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            let name = tag.trim_start_matches('/').split(' ').next().unwrap();
            prop_assert!(render::is_allowed(name), "<{}> in {}", tag, html);
            for attribute in tag.split(' ').skip(1).filter(|attribute| attribute.contains('=')) {
                let name = attribute.split('=').next().unwrap();
                prop_assert!(!name.starts_with("on") && !["href", "src", "style", "id"].contains(&name), "<{}> in {}", tag, html);
            }
        }
    }
}
