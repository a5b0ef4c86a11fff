use ruminate_core::Role;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    template: String,
    messages: Vec<Message>,
    add_generation_prompt: bool,
    rendered: Option<String>,
    raised: Option<String>,
}

#[test]
fn templates_render_as_in_transformers() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../../tests/golden/chat.json")).unwrap();
    assert_eq!(cases.len(), 66);
    for case in cases {
        let mut template = ChatTemplate::new(&case.template, Some("<s>"), Some("</s>")).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        if case.add_generation_prompt {
            template.set_variable("enable_thinking", false.into());
        }
        match (template.render(&case.messages, case.add_generation_prompt), case.rendered, case.raised) {
            (Ok(found), Some(expected), None) => assert_eq!(found, expected, "{}", case.name),
            (Err(found), None, Some(expected)) => assert!(found.to_string().contains(&expected), "{}: {found}", case.name),
            (found, expected, raised) => panic!("{}: {found:?}, expected {expected:?} or error {raised:?}", case.name),
        }
    }
}

fn render(template: &str) -> Result<String, ModelError> {
    let messages = [Message { role: Role::User, content: "hi".into() }];
    ChatTemplate::new(template, None, None)?.render(&messages, true)
}

#[test]
fn today_is_always_the_same_day() {
    assert_eq!(render("{{ strftime_now('%d %b %Y, %A %H:%M 100%%') }}").unwrap(), "26 Jul 2024, Friday 00:00 100%");
    let error = render("{{ strftime_now('%Q') }}").unwrap_err().to_string();
    assert!(error.contains("expected a date or time directive after %, found Q"), "{error}");
}

#[test]
fn faults_are_errors_with_their_line() {
    let check = |template: &str, expected: &str| {
        let error = render(template).unwrap_err().to_string();
        assert!(error.starts_with("chat template: ") && error.contains(expected), "{error}");
    };
    check("a\n{% for m in %}", "chat:2");
    check("a\n\n{% if x %}", "unexpected end of input");
    check("{{ messages | nothing }}", "filter nothing is unknown");
    check("{{ messages[0].nothing.more }}", "undefined value");
    check("{% generation %}a", "unexpected end of input");
    check("{{ [1] | tojson(ensure_ascii=true) }}", "expected ensure_ascii=false");
}

#[test]
fn a_template_without_end_is_stopped() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
    let error = render(endless).unwrap_err().to_string();
    assert!(error.contains("fuel"), "{error}");
}
