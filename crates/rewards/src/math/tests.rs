use super::*;

fn verdict(gold: &str, prediction: &str) -> Comparison {
    compare_answers(gold, prediction)
}

/// Checks rows `gold | equal ones ; … | different ones ; …`, parts separated by " ;; ".
fn table(rows: &[(&str, &[&str], &[&str])]) {
    let mut wrong = Vec::new();
    for (gold, equal, different) in rows {
        for (predictions, wanted) in [(equal, Verdict::Equal), (different, Verdict::Different)] {
            for prediction in *predictions {
                let found = verdict(gold, prediction);
                if found.verdict != wanted {
                    wrong.push(format!("gold {gold} prediction {prediction}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn exact_numbers() {
    table(&[
        ("72", &["72", "72.0", "072", r"\frac{144}{2}", "36*2", "2^3 \\cdot 9", "100-28", "$72$"], &["73", "-72", "7.2", "27", "72.1"]),
        ("1/3", &[r"\frac13", "2/6", r"0.\overline{3}", r"\frac{1}{2}-\frac16"], &["0.333", "3", "-1/3", r"\frac{1}{2}"]),
        ("0.33", &["1/3", "0.33", "33/100", "0.3349", "0.335"], &["0.3", "0.34", "0.3351", "1/4"]),
        ("-2.5", &["-5/2", r"-2\frac12", "-2.50"], &["2.5", "-2.4", "-2"]),
        ("1.5e3", &["1500", r"1.5 \times 10^3", "1,500"], &["150", "15000"]),
        (r"2^{100}", &["1267650600228229401496703205376", r"4^{50}"], &["1267650600228229401496703205377", "2^{99}"]),
        (r"10^{20}+1", &["100000000000000000001"], &["100000000000000000000", "10^{20}"]),
    ]);
}
