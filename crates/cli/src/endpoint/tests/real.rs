//! A real judge, where one is at hand: `RUMINATE_JUDGE_URL` is the base URL of any OpenAI-compatible server.

use ruminate_rewards::judge::{Compared, compare};

use super::*;

/// Answers about which there can be no doubt: question, ground truth, prediction, whether it is right.
fn answers() -> Vec<(String, String, String, bool)> {
    let mut answers = Vec::new();
    for n in 2..12_u32 {
        let product = n * 7;
        let question = format!("What is {n} times 7?");
        answers.push((question.clone(), product.to_string(), format!("The answer is {product}."), true));
        answers.push((question, product.to_string(), format!("The answer is {}.", product + n), false));
    }
    for (country, capital, other) in [
        ("France", "Paris", "Lyon"),
        ("Japan", "Tokyo", "Osaka"),
        ("Italy", "Rome", "Milan"),
        ("Spain", "Madrid", "Seville"),
        ("Egypt", "Cairo", "Luxor"),
        ("Canada", "Ottawa", "Toronto"),
        ("Kenya", "Nairobi", "Mombasa"),
        ("Norway", "Oslo", "Bergen"),
        ("Peru", "Lima", "Cusco"),
        ("Poland", "Warsaw", "Krakow"),
    ] {
        let question = format!("What is the capital of {country}?");
        answers.push((question.clone(), capital.to_owned(), format!("It is {capital}."), true));
        answers.push((question, capital.to_owned(), format!("It is {other}."), false));
    }
    answers
}

#[test]
fn a_real_judge_is_understood() {
    let Ok(url) = std::env::var("RUMINATE_JUDGE_URL") else {
        println!("skipped: RUMINATE_JUDGE_URL is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let config =
        EndpointConfig { url, cache: Some(folder.path().to_owned()), concurrency: 2, try_secs: 300.0, ..EndpointConfig::default() };
    let endpoint = Endpoint::open(config).unwrap();
    // Greedy and asked once: the share of readable replies is that of the model, not of patience.
    let judge = Judge { model: "judge".into(), max_tokens: 160, asks: 1, ..Judge::default() };
    let answers = answers();
    let questions: Vec<Question<'_>> =
        answers.iter().map(|(question, ground_truth, prediction, _)| Question { question, ground_truth, prediction }).collect();
    let mut seconds = Vec::new();
    let start = Instant::now();
    let mut graded = Vec::new();
    for question in &questions {
        let asked = Instant::now();
        graded.extend(judge_all(&endpoint, &judge, std::slice::from_ref(question), 1));
        seconds.push(asked.elapsed().as_secs_f64());
    }
    let elapsed = start.elapsed().as_secs_f64();
    let n_readable = graded.iter().filter(|graded| matches!(graded, Graded::Verdict(_))).count();
    let is_agreed = |(graded, (.., expected)): &(&Graded, &(String, String, String, bool))| matches!(graded, Graded::Verdict(verdict) if (verdict.outcome == Outcome::Right) == *expected && verdict.outcome != Outcome::Unparsed);
    let n_agreed = graded.iter().zip(&answers).filter(is_agreed).count();
    let n_said_right = graded.iter().filter(|graded| matches!(graded, Graded::Verdict(verdict) if verdict.reward > 0.0)).count();
    seconds.sort_by(f64::total_cmp);
    println!(
        "{} answers in {elapsed:.1} s: {n_readable} readable, {n_agreed} as expected, {n_said_right} said right; seconds each: median {:.2}, \
         most {:.2}; first: {:?}",
        answers.len(),
        seconds[seconds.len() / 2],
        seconds[seconds.len() - 1],
        graded[0]
    );
    for graded in &graded {
        if let Graded::Pending(reason) = graded {
            assert!(!reason.contains("the endpoint"), "{reason}");
        }
    }
    assert!(n_readable > 0, "no reply could be read: {:?}", graded[0]);
    // What was judged is known without asking.
    let start = Instant::now();
    let judged: Vec<usize> = (0..graded.len()).filter(|&idx| matches!(graded[idx], Graded::Verdict(_))).collect();
    for &idx in &judged {
        assert_eq!(judge_all(&endpoint, &judge, &questions[idx..=idx], 1)[0], graded[idx]);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    let judge = Judge { rounds: 1, asks: 2, ..judge };
    let compared = compare(&endpoint, &judge, "What is the capital of France?", "The capital of France is Paris.", "I like trains.");
    println!("pairwise: {compared:?}");
    assert!(!matches!(&compared, Compared::Pending(reason) if reason.contains("the endpoint")), "{compared:?}");
}
