//! Overlap with the problems that policies are evaluated on.

use std::collections::HashMap;

use super::words::{hash, words};

/// What must not be learned: sequences of words of evaluation problems. DeepSeek-R1 drops training texts that share a sequence of 10
/// words with an evaluation question.
#[derive(Clone, Debug, Default)]
pub struct Benchmarks {
    n: usize,
    /// Hash of each sequence, with the place of the problem that has it in `names`.
    sequences: HashMap<u64, usize>,
    /// Questions that are shorter than a sequence, by the hash of all their words.
    short: HashMap<u64, usize>,
    names: Vec<String>,
}

impl Benchmarks {
    /// Takes the names and questions of all evaluation problems, and how many words a sequence has.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn new<'a>(questions: impl IntoIterator<Item = (&'a str, &'a str)>, n: usize) -> Self {
        assert!(n > 0, "a sequence has words");
        let mut benchmarks = Self { n, ..Self::default() };
        for (name, question) in questions {
            let words = words(question);
            let place = benchmarks.names.len();
            benchmarks.names.push(name.to_owned());
            if words.len() < n {
                benchmarks.short.entry(hash(words.as_slice())).or_insert(place);
            }
            for sequence in words.windows(n) {
                benchmarks.sequences.entry(hash(sequence)).or_insert(place);
            }
        }
        benchmarks
    }

    /// Number of problems.
    pub fn n_problems(&self) -> usize {
        self.names.len()
    }

    /// The name of an evaluation problem that shares a sequence of `n` words with the question or the response, or whose whole question
    /// is this one where that is shorter.
    pub fn overlap(&self, question: &str, response: &str) -> Option<&str> {
        let asked = words(question);
        let in_text = |words: &[String]| words.windows(self.n.max(1)).find_map(|sequence| self.sequences.get(&hash(sequence)).copied());
        let place = self.short.get(&hash(asked.as_slice())).copied().or_else(|| in_text(&asked)).or_else(|| in_text(&words(response)))?;
        Some(&self.names[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_ten_words_and_short_questions_as_a_whole() {
        let long = "A train leaves at noon and travels 60 miles in each hour, how far?";
        let benchmarks = Benchmarks::new([("b/1", long), ("b/2", "compute 3+4")], 10);
        assert_eq!(benchmarks.n_problems(), 2);
        assert_eq!(benchmarks.overlap("Say: a TRAIN leaves at noon, and travels 60 miles in. What?", ""), Some("b/1"));
        assert_eq!(benchmarks.overlap("why?", "It says that at noon and travels 60 miles in each hour how"), Some("b/1"));
        assert_eq!(benchmarks.overlap("a train leaves at noon and travels 60 miles", ""), None, "nine words");
        assert_eq!(benchmarks.overlap("Compute 3 + 4.", ""), Some("b/2"));
        assert_eq!(benchmarks.overlap("compute 3-4", "compute 3+4"), None, "a short question counts as a question only");
        assert_eq!(Benchmarks::default().overlap("compute 3+4", ""), None);
    }
}
