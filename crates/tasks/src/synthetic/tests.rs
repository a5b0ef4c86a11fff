use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ruminate_core::{Outcome, Reasoning, Uses};
use ruminate_rewards::{FormatForm, check_gold, grade_accuracy, grade_format, language_share, reflection_words};

use super::corpus::{CorpusMix, Document, DocumentKind, Style, document};
use super::*;

const SEED: u64 = 17;
const LANGUAGES: [SyntheticLanguage; 2] = [SyntheticLanguage::En, SyntheticLanguage::Zh];

fn problem(kind: SyntheticKind, difficulty: u32, language: SyntheticLanguage, split: Split, index: u64) -> Problem {
    generate(kind, difficulty, language, split, index, Seed::new(SEED)).unwrap()
}

/// What identifies the content of a problem to a test: read from the question and gold, not from the generator.
fn content_key(problem: &Problem) -> String {
    match &problem.gold {
        Gold::Value { .. } => problem.question.replace("compute ", "").replace("计算", ""),
        Gold::Countdown { numbers, target, .. } => {
            let mut numbers = numbers.clone();
            numbers.sort_unstable();
            format!("{numbers:?} {target}")
        }
        Gold::Open(_) => problem.question.clone(),
        Gold::Knights { .. } => problem
            .question
            .replace(" is a knight", "是骑士")
            .replace(" is a knave", "是无赖")
            .replace(" are the same", "相同")
            .replace(" are different", "不同")
            .replace(" and ", "&")
            .replace(['和', '且'], "&")
            .replace(" or ", "或")
            .replace([' ', '.', '。', ':', '：'], ""),
        other => panic!("the synthetic world makes no {other:?}"),
    }
}

#[test]
fn generation_depends_on_every_argument_and_nothing_else() {
    let base = problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 5);
    assert_eq!(base, problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 5));
    assert_eq!(base.id.0, "arithmetic/3/train/en/5");
    let others = [
        problem(SyntheticKind::Arithmetic, 4, SyntheticLanguage::En, Split::Train, 5),
        problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::Zh, Split::Train, 5),
        problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::HeldOut, 5),
        problem(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 6),
        generate(SyntheticKind::Arithmetic, 3, SyntheticLanguage::En, Split::Train, 5, Seed::new(18)).unwrap(),
    ];
    assert!(others.iter().all(|other| content_key(other) != content_key(&base)));
    let error = generate(SyntheticKind::Logic, 5, SyntheticLanguage::En, Split::Train, 0, Seed::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "logic has difficulties 1 to 4, found 5");
    assert!(generate(SyntheticKind::Logic, 0, SyntheticLanguage::En, Split::Train, 0, Seed::new(1)).is_err());
}

#[test]
fn splits_are_disjoint_for_all_kinds_difficulties_and_languages() {
    for kind in SyntheticKind::ALL {
        // Of general requests there are few.
        let least = if kind.is_general() { 8 } else { 50 };
        for difficulty in 1..=kind.max_difficulty() {
            let contents = |split| -> BTreeSet<String> {
                let all = LANGUAGES.iter().flat_map(|&language| (0..400).map(move |i| problem(kind, difficulty, language, split, i)));
                all.map(|problem| content_key(&problem)).collect()
            };
            let (train, held_out) = (contents(Split::Train), contents(Split::HeldOut));
            assert!(train.is_disjoint(&held_out), "{kind} {difficulty}");
            assert!(held_out.len() >= least, "{kind} {difficulty}: only {} held-out problems differ", held_out.len());
        }
    }
}

#[test]
fn arithmetic_means_what_an_evaluator_reads() {
    for index in 0..500 {
        let difficulty = 1 + index as u32 % 6;
        let problem = problem(SyntheticKind::Arithmetic, difficulty, SyntheticLanguage::En, Split::Train, index);
        let expression = problem.question.strip_prefix("compute ").unwrap();
        let operations = expression.chars().filter(|c| "+-*".contains(*c)).count();
        assert_eq!(operations, difficulty as usize + 1, "{expression}");
        let Gold::Value { text } = &problem.gold else { panic!("{problem:?}") };
        let value: i64 = text.parse().unwrap();
        assert!((0..=999).contains(&value));
        // The countdown grader has its own parser with the usual precedence: a second opinion on the value.
        let numbers: Vec<i64> = expression.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let as_countdown = Problem { gold: Gold::Countdown { numbers, target: value, uses: Uses::ExactlyOnce }, ..problem.clone() };
        let verdict = grade_accuracy(&as_countdown, &format!("<answer>{expression}</answer>"));
        assert_eq!(verdict.outcome, Outcome::Right, "{expression}: {}", verdict.reason);
    }
}

#[test]
fn every_gold_answer_can_be_met() {
    for kind in SyntheticKind::ALL {
        for difficulty in 1..=kind.max_difficulty() {
            for index in 0..20 {
                let problem = problem(kind, difficulty, LANGUAGES[index as usize % 2], Split::HeldOut, index);
                check_gold(&problem).unwrap();
            }
        }
    }
}

#[test]
fn logic_puzzles_have_one_solution_by_another_solver() {
    for index in 0..200 {
        let problem = problem(SyntheticKind::Logic, 1 + index as u32 % 4, SyntheticLanguage::En, Split::Train, index);
        let Gold::Knights { roles, .. } = &problem.gold else { panic!("{problem:?}") };
        let names: Vec<&String> = roles.keys().collect();
        let consistent: Vec<BTreeMap<String, bool>> = (0..1_u32 << names.len())
            .map(|bits| names.iter().enumerate().map(|(i, name)| ((*name).clone(), bits >> i & 1 == 1)).collect())
            .filter(|guess: &BTreeMap<String, bool>| says_fit(&problem.question, guess))
            .collect();
        assert_eq!(consistent.iter().collect::<Vec<_>>(), [roles], "{}", problem.question);
    }
}

/// Reads the English question and says whether exactly the knights speak the truth.
fn says_fit(question: &str, roles: &BTreeMap<String, bool>) -> bool {
    let says = question.strip_suffix(" who is who?").unwrap().trim_end_matches('.');
    says.split(". ").all(|line| {
        let (speaker, text) = line.split_once(": ").unwrap();
        let claim = |text: &str| roles[&text[..1]] == text.ends_with("knight");
        let alike = |pair: &str| roles[&pair[..1]] == roles[&pair[6..7]];
        let truth = if let Some(pair) = text.strip_suffix(" are the same") {
            alike(pair)
        } else if let Some(pair) = text.strip_suffix(" are different") {
            !alike(pair)
        } else if let Some((a, b)) = text.split_once(" or ") {
            claim(a) || claim(b)
        } else if let Some((a, b)) = text.split_once(" and ") {
            claim(a) && claim(b)
        } else {
            claim(text)
        };
        truth == roles[speaker]
    })
}

fn documents(count: u64) -> Vec<Document> {
    (0..count).map(|index| document(Seed::new(SEED), index, &CorpusMix::default())).collect()
}

fn count(text: &str) -> usize {
    n_pieces(text).unwrap_or_else(|| panic!("no pieces for {text:?}"))
}

#[test]
fn pieces_cover_every_document_and_each_is_used() {
    let pieces = pieces();
    assert_eq!(pieces.iter().collect::<BTreeSet<_>>().len(), pieces.len(), "a piece stands twice");
    assert_eq!(pieces.len(), 386, "the vocabulary is part of the shipped weights");
    let mut unused: BTreeSet<&str> = pieces.iter().map(String::as_str).collect();
    let mut spend = |text: &str| {
        let mut rest = text;
        while !rest.is_empty() {
            let piece = pieces.iter().filter(|piece| rest.starts_with(piece.as_str())).max_by_key(|piece| piece.len()).unwrap();
            unused.remove(piece.as_str());
            rest = &rest[piece.len()..];
        }
    };
    for document in documents(8000) {
        let most = if document.kind == DocumentKind::FewShot { 500 } else { 52 };
        assert!(count(&document.prompt) <= most, "{}", document.prompt);
        assert!(count(&document.response) <= 300, "{}", document.response);
        let whole = format!("{}{}", document.prompt, document.response);
        assert!(count(&whole) <= 500, "{whole}");
        spend(&whole);
    }
    // Some of the few general requests are rare among the documents.
    for (kind, index) in SyntheticKind::GENERAL.into_iter().flat_map(|kind| (0..400).map(move |index| (kind, index))) {
        let language = LANGUAGES[index as usize % 2];
        spend(&general_example(kind, language, index, Seed::new(SEED)).unwrap().1);
        for split in [Split::Train, Split::HeldOut] {
            spend(&tiny_prompt(&problem(kind, 1, language, split, index).question));
        }
    }
    assert!(unused.is_empty(), "{unused:?}");
    assert_eq!(n_pieces("make tea"), None);
}

fn share(documents: &[&Document], holds: impl Fn(&Document) -> bool) -> f64 {
    documents.iter().filter(|document| holds(document)).count() as f64 / documents.len() as f64
}

fn is_right(document: &Document) -> bool {
    grade_accuracy(&document.problem, &document.response).outcome == Outcome::Right
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 0.03
}

#[test]
fn corpus_has_the_shape_that_r1_zero_needs() {
    let documents = documents(9000);
    let plain: Vec<&Document> = documents.iter().filter(|document| document.kind == DocumentKind::Plain).collect();
    let of = |style: Style| plain.iter().copied().filter(move |document| document.style == style).collect::<Vec<_>>();
    let length = |documents: &[&Document]| documents.iter().map(|d| count(&d.response)).sum::<usize>() as f64 / documents.len() as f64;
    let reflections = |documents: &[&Document]| documents.iter().map(|d| reflection_words(&d.response)).sum::<usize>();
    let (direct, worked, checked) = (of(Style::Direct), of(Style::Worked), of(Style::Checked));
    assert!(near(share(&plain, |d| d.style == Style::Direct), 0.6) && near(share(&plain, |d| d.style == Style::Worked), 0.25));
    // Some right answers are lost to missing tags, in every style alike.
    let right = |documents: &[&Document]| share(documents, is_right);
    assert!(right(&direct) < 0.25 && right(&worked) > right(&direct) + 0.15 && right(&checked) > right(&worked) + 0.1);
    assert!(length(&worked) > 2.0 * length(&direct) && length(&checked) > 1.2 * length(&worked));
    assert_eq!(reflections(&direct) + reflections(&worked), 0);
    assert!(reflections(&checked) > checked.len());
    let hard: Vec<&Document> =
        direct.iter().copied().filter(|d| d.problem.kind == "arithmetic" && d.problem.difficulty >= Some(5)).collect();
    assert!(right(&hard) < 0.12);
    assert!(near(share(&plain, |d| grade_format(&d.response, false).outcome == Outcome::Right), 0.95 * 0.34));
    assert!(near(share(&plain, |d| FormatForm::ThinkSummary.grade(&d.response, false).outcome == Outcome::Right), 0.05));
    assert!(near(share(&plain, |d| d.problem.language == Language::Zh), 0.4));
    let mixed = share(&checked, |d| language_share(&d.response, d.problem.language).is_some_and(|share| share < 1.0));
    assert!((0.15..0.3).contains(&mixed), "{mixed}");
}

#[test]
fn checking_pays_and_patience_pays_more() {
    let right = |kind: usize, style: usize, patient: f64| {
        let mut mix =
            CorpusMix { patient, general: 0.0, few_shot: 0.0, instructed: 0.0, max_difficulty: [6, 2, 3], ..CorpusMix::default() };
        (mix.kinds, mix.styles) = ([0.0; 3], [0.0; 3]);
        (mix.kinds[kind], mix.styles[style]) = (1.0, 1.0);
        let documents: Vec<Document> = (0..1500).map(|index| document(Seed::new(SEED), index, &mix)).collect();
        let waits = documents.iter().map(|d| reflection_words(&d.response)).sum::<usize>() as f64 / documents.len() as f64;
        (share(&documents.iter().collect::<Vec<_>>(), is_right), waits)
    };
    let ((worked, _), (impatient, few), (patient, many)) = (right(1, 1, 0.0), right(1, 2, 0.0), right(1, 2, 1.0));
    assert!(impatient > worked + 0.05 && patient > 2.0 * impatient, "countdown: {worked} {impatient} {patient}");
    assert!(many > 3.0 * few, "countdown: {few} {many}");
    let ((worked, _), (checked, _)) = (right(2, 1, 0.0), right(2, 2, 0.0));
    assert!(checked > worked + 0.2, "logic: {worked} {checked}");
}

#[test]
fn examples_in_a_prompt_share_style_form_and_language_with_the_response() {
    let documents = documents(9000);
    let shown: Vec<&Document> = documents.iter().filter(|document| document.kind == DocumentKind::FewShot).collect();
    assert!(shown.len() > 500);
    for document in &shown {
        let tags = |text: &str| ["<think>", "</think>", "<answer>", "</answer>", "**"].map(|tag| text.contains(tag));
        let mut prompt = document.prompt.as_str();
        for (problem, response) in &document.shots {
            assert_eq!(tags(response), tags(&document.response), "{}", document.prompt);
            assert_eq!(problem.language, document.problem.language);
            assert!(document.style == Style::Checked || reflection_words(response) == 0);
            assert!(document.style != Style::Direct || count(response) <= 48, "{response}");
            prompt = prompt.strip_prefix(&format!("{}{response}\n\n", tiny_prompt(&problem.question))).unwrap();
        }
        assert_eq!(prompt, tiny_prompt(&document.problem.question));
    }
    // What is shown is what comes: responses behind long examples are long.
    let mean = |style: Style| {
        let lengths: Vec<usize> = shown.iter().filter(|d| d.style == style).map(|d| count(&d.response)).collect();
        lengths.iter().sum::<usize>() as f64 / lengths.len() as f64
    };
    assert!(mean(Style::Checked) > 1.2 * mean(Style::Worked) && mean(Style::Worked) > 2.0 * mean(Style::Direct));
}

#[test]
fn instructions_are_mostly_followed() {
    let documents = documents(9000);
    let instructed: Vec<&Document> = documents.iter().filter(|document| document.kind == DocumentKind::Instructed).collect();
    let asks = |document: &Document, style: Style, wants_summary: bool| {
        let language = LANGUAGES.into_iter().find(|&language| Language::from(language) == document.problem.language).unwrap();
        document.prompt == tiny_prompt(&format!("{}{}", document.problem.question, instruction(style, wants_summary, language)))
    };
    let followed = share(&instructed, |d| asks(d, d.style, false) || asks(d, d.style, true));
    assert!(near(followed, 0.9), "{followed}");
    let summarised: Vec<&Document> =
        instructed.iter().copied().filter(|d| Style::ALL.into_iter().any(|style| asks(d, style, true))).collect();
    assert!(near(summarised.len() as f64 / instructed.len() as f64, 0.4));
    assert!(near(share(&summarised, |d| FormatForm::ThinkSummary.grade(&d.response, false).outcome == Outcome::Right), 0.86));
}

#[test]
fn general_requests_are_answered_with_mixed_quality() {
    let documents = documents(20_000);
    let general: Vec<&Document> = documents.iter().filter(|document| document.kind == DocumentKind::General).collect();
    assert!(near(general.len() as f64 / 20_000.0, 0.12));
    let right =
        |kind: SyntheticKind| share(&general.iter().copied().filter(|d| d.problem.kind == kind.as_str()).collect::<Vec<_>>(), is_right);
    let expected = [
        (SyntheticKind::Greeting, 0.4),
        (SyntheticKind::Identity, 0.15),
        (SyntheticKind::Fact, 0.6),
        (SyntheticKind::Translation, 0.35),
        (SyntheticKind::Writing, 0.35),
        (SyntheticKind::Harmful, 0.3),
    ];
    for (kind, expected) in expected {
        assert!((right(kind) - expected).abs() < 0.1, "{kind}: {}", right(kind));
    }
}

#[test]
fn general_examples_pass_their_own_checks() {
    for kind in SyntheticKind::GENERAL {
        for (index, language) in (0..300).flat_map(|index| LANGUAGES.map(|language| (index, language))) {
            let (problem, response) = general_example(kind, language, index, Seed::new(SEED)).unwrap();
            let verdict = grade_accuracy(&problem, &response);
            assert_eq!(verdict.outcome, Outcome::Right, "{}\n{response}\n{}", problem.question, verdict.reason);
            count(&format!("{}{response}", tiny_prompt(&problem.question)));
            let Gold::Open(task) = &problem.gold else { panic!("{problem:?}") };
            let wants = task.reasoning == Reasoning::Wanted;
            assert_eq!(wants, response.contains("<think>"), "{response}");
            if wants {
                assert_eq!(FormatForm::ThinkSummary.grade(&response, false).outcome, Outcome::Right, "{response}");
                assert_eq!(language_share(&response, problem.language), Some(1.0), "{response}");
            }
        }
    }
    let error = general_example(SyntheticKind::Logic, SyntheticLanguage::En, 0, Seed::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "expected a kind of general requests, found logic");
}

#[test]
fn long_examples_are_right_reflect_and_end_with_a_summary() {
    for kind in SyntheticKind::REASONING {
        for (index, language) in (0..40).flat_map(|index| LANGUAGES.map(|language| (index, language))) {
            let difficulty = 1 + index as u32 % kind.max_difficulty();
            let (problem, response) = long_example(kind, difficulty, language, index, Seed::new(SEED)).unwrap();
            assert_eq!((problem.difficulty, problem.language), (Some(difficulty), language.into()));
            assert_eq!(grade_accuracy(&problem, &response).outcome, Outcome::Right, "{response}");
            assert_eq!(FormatForm::ThinkSummary.grade(&response, false).outcome, Outcome::Right, "{response}");
            assert!(reflection_words(&response) > 0 && language_share(&response, problem.language) == Some(1.0), "{response}");
            assert_eq!((problem.clone(), response), long_example(kind, difficulty, language, index, Seed::new(SEED)).unwrap());
        }
    }
    let error = long_example(SyntheticKind::Fact, 1, SyntheticLanguage::En, 0, Seed::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "expected a kind of problems with a checkable answer, found fact");
    assert!(long_example(SyntheticKind::Logic, 5, SyntheticLanguage::En, 0, Seed::new(1)).is_err());
}

#[test]
fn graders_read_the_answer_of_a_summary() {
    let value = |language| Problem { language, ..problem(SyntheticKind::Arithmetic, 1, SyntheticLanguage::En, Split::Train, 0) };
    for language in LANGUAGES {
        let response = format!("<think>7*8=56</think>{}", summary("56", language));
        let sum = Problem { gold: Gold::Value { text: "56".into() }, ..value(language.into()) };
        assert_eq!(grade_accuracy(&sum, &response).outcome, Outcome::Right, "{response}");
        let wrong = Problem { gold: Gold::Value { text: "7".into() }, ..value(language.into()) };
        assert_eq!(grade_accuracy(&wrong, &response).outcome, Outcome::Wrong, "{response}");
        for solution in ["(7*3)-9", "(7*3)*9", "9*(3*7)", "(9-3)+7"] {
            let response = format!("<think>7*3=21</think>{}", summary(solution, language));
            let target = [12, 189, 189, 13][["(7*3)-9", "(7*3)*9", "9*(3*7)", "(9-3)+7"].iter().position(|s| *s == solution).unwrap()];
            let gold = Gold::Countdown { numbers: vec![3, 7, 9], target, uses: Uses::ExactlyOnce };
            let puzzle = Problem { gold, ..value(language.into()) };
            let verdict = grade_accuracy(&puzzle, &response);
            assert_eq!(verdict.outcome, Outcome::Right, "{response}: {}", verdict.reason);
        }
    }
    assert_eq!(summary("7*3", SyntheticLanguage::En), "\n**answer:** `7*3`");
    assert_eq!(summary("A是骑士", SyntheticLanguage::Zh), "\n**答案：** A是骑士");
}

#[test]
fn held_out_problems_never_appear_in_the_corpus() {
    let held_out: BTreeSet<String> = SyntheticKind::ALL
        .into_iter()
        .flat_map(|kind| (1..=kind.max_difficulty()).map(move |difficulty| (kind, difficulty)))
        .flat_map(|(kind, difficulty)| (0..200).map(move |i| problem(kind, difficulty, LANGUAGES[i as usize % 2], Split::HeldOut, i)))
        .map(|problem| content_key(&problem))
        .collect();
    for document in documents(20_000) {
        for problem in document.shots.iter().map(|(problem, _)| problem).chain([&document.problem]) {
            assert!(!held_out.contains(&content_key(problem)), "{}", document.prompt);
        }
    }
}

#[test]
fn a_checked_correction_is_written_out() {
    let found =
        documents(3000).into_iter().find(|d| d.style == Style::Checked && d.problem.kind == "arithmetic" && d.response.contains("wait "));
    let response = found.unwrap().response;
    // The line in front of "wait" contradicts the step, the line with it corrects it.
    let lines: Vec<&str> = response.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("wait ")).unwrap();
    let (claim, check, fixed) = (lines[at - 2], lines[at - 1], lines[at]);
    assert!(check.starts_with("check ") || check.starts_with("检查"), "{response}");
    let result = |line: &str| line.rsplit('=').next().unwrap().to_owned();
    assert_ne!(result(claim), result(fixed), "{response}");
}

proptest! {
    #[test]
    fn any_mix_gives_documents(index in 0_u64..1_000_000, weight in -1.0_f64..2.0, hardest in 0_u32..100) {
        let mix = CorpusMix { kinds: [weight; 3], max_difficulty: [hardest; 3], mixed: weight, well_formed: weight, few_shot: weight, general: weight / 2.0, ..CorpusMix::default() };
        let document = document(Seed::new(SEED), index, &mix);
        prop_assert!(document.prompt.ends_with("\nAssistant:") && document.prompt.contains(&document.problem.question));
        prop_assert!(!document.response.is_empty());
    }
}
