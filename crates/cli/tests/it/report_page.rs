//! The report in a real browser.

use serde_json::json;

use crate::browser::Browser;
use crate::report::{LIVE, folder, start_live};
use crate::util::Folder;

fn url(folder: &Folder, name: &str) -> String {
    format!("file://{}", folder.path().join(name).display())
}

/// Sets a filter as a user does.
fn filter(browser: &Browser, id: &str, value: &str) -> String {
    let (id, value) = (json!(format!("filter-{id}")), json!(value));
    let script = format!(
        "const it = document.getElementById({id}); it.value = {value}; it.dispatchEvent(new Event('input')); it.dispatchEvent(new Event('change'));"
    );
    browser.script(&script);
    browser.text("#count")
}

#[test]
fn filters_find_samples_and_hostile_text_does_nothing() {
    let Some(browser) = Browser::start("filters_find_samples_and_hostile_text_does_nothing") else { return };
    let folder = folder("run", 17);
    folder.ruminate(&["report", "run"]).well();
    browser.look_like(1200, 900, false);
    browser.open(&url(&folder, "run/report.html"));
    browser.wait("document.querySelectorAll('.sample').length > 0");
    assert_eq!(browser.text("#count"), "12 of 12 samples match");
    assert_eq!(filter(&browser, "outcome", "right"), "6 of 12 samples match");
    assert_eq!(filter(&browser, "step-to", "0"), "2 of 12 samples match");
    filter(&browser, "step-to", "");
    assert_eq!(filter(&browser, "text", "E/1"), "1 of 12 samples match");
    assert_eq!(filter(&browser, "outcome", ""), "2 of 12 samples match");
    assert_eq!(filter(&browser, "reward-to", "1"), "1 of 12 samples match");
    filter(&browser, "reward-to", "");
    assert_eq!(filter(&browser, "text", "onerror"), "12 of 12 samples match", "the hostile text is in every sample");
    assert_eq!(filter(&browser, "stage", "cold"), "2 of 12 samples match");
    browser.click(".sample summary");
    browser.wait("document.querySelector('.sample .tokens')");
    assert!(browser.text(".sample .tokens").contains("<img src=x onerror=alert(2)>"), "text is shown as text");
    for (what, expected) in [
        ("document.querySelectorAll('main img, main b, main i, main script:not([type])').length", 0),
        ("performance.getEntriesByType('resource').length", 0),
        ("document.querySelectorAll('svg').length - document.querySelectorAll('svg[aria-label]').length", 0),
    ] {
        assert_eq!(browser.script(&format!("return {what}")), json!(expected), "{what}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn tokens_are_shaded_and_the_page_fits_a_phone() {
    let Some(browser) = Browser::start("tokens_are_shaded_and_the_page_fits_a_phone") else { return };
    let folder = Folder::new();
    folder.write("t.toml", LIVE);
    folder.ruminate(&["run", "t.toml"]).well();
    folder.ruminate(&["report", "runs/t"]).well();
    browser.open(&url(&folder, "runs/t/report.html"));
    browser.wait("document.querySelectorAll('.sample').length > 0");
    browser.click(".sample summary");
    browser.wait("document.querySelector('.sample .tokens span')");
    let joined = browser.script("return document.querySelector('.sample .tokens').textContent.replaceAll('↵', '')");
    assert_eq!(joined, browser.script("return samples[0].pieces.join('')"), "every token is there");
    let shades = browser.script("return [...document.querySelectorAll('.sample .tokens span')].every((it) => /^p[0-7]$/.test(it.className) && it.title.includes('probability'))");
    assert_eq!(shades, json!(true));
    for is_dark in [false, true] {
        browser.look_like(390, 844, is_dark);
        assert_eq!(browser.script("return document.documentElement.scrollWidth"), json!(390), "nothing sticks out");
        browser.screenshot(if is_dark { "report-dark" } else { "report-light" });
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_live_page_renews_itself_and_keeps_its_filters() {
    let Some(browser) = Browser::start("a_live_page_renews_itself_and_keeps_its_filters") else { return };
    let folder = Folder::new();
    folder.write("t.toml", LIVE);
    let (mut child, address) = start_live(&folder, &["--set", "zero.steps=1000000"]);
    folder.wait_for_lines("runs/t/zero/metrics.jsonl", 2, &mut child);
    browser.open(&format!("http://{address}/"));
    browser.wait("document.getElementById('live').textContent.includes('step')");
    browser.wait("document.getElementById('filter-text')");
    filter(&browser, "text", "e");
    browser.script("window.before = document.querySelector('#run tbody').textContent");
    browser.wait("document.querySelector('#run tbody').textContent !== window.before");
    assert_eq!(browser.script("return document.getElementById('filter-text').value"), json!("e"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    child.kill().unwrap();
    child.wait().unwrap();
    browser.wait("document.querySelector('#live.gone')");
}
