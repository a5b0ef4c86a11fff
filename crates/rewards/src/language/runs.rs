//! The likeliest sequence of languages of the words of a paragraph.

/// What stands between a word and the one before it. The stronger the break, the easier the language changes at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// White space, a hyphen, a formula.
    Word,
    /// A comma, a bracket, a quotation mark, a dash.
    Clause,
    /// The end of a line.
    Line,
    /// The end of a sentence.
    Sentence,
}

impl Gap {
    /// What a change of language costs at this gap, in nats.
    fn switch_cost(self) -> f32 {
        match self {
            Self::Word => 3.5,
            Self::Clause => 2.5,
            Self::Line => 2.0,
            Self::Sentence => 2.0,
        }
    }
}

/// How well a word fits each of `N` languages: log-likelihoods, of which only differences matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<const N: usize> {
    /// What stands before the word.
    pub(super) gap: Gap,
    /// Log-likelihood of the word in each language, in nats.
    pub(super) fit: [f32; N],
}

/// The language of each word, as an index: the path of the largest sum of fits less the costs of its changes (Viterbi's algorithm).
/// `prior` is what each language gets at the beginning, and half of it at the end.
pub(super) fn label<const N: usize>(words: &[Evidence<N>], prior: [f32; N]) -> Vec<u8> {
    let mut scores = prior;
    let mut came_from = Vec::with_capacity(words.len());
    for (word_idx, word) in words.iter().enumerate() {
        let best = argmax(&scores);
        let changed = scores[best] - word.gap.switch_cost();
        let mut from = [best as u8; N];
        for (language, score) in scores.iter_mut().enumerate() {
            if word_idx == 0 || *score >= changed {
                from[language] = language as u8;
            } else {
                *score = changed;
            }
            *score += word.fit[language];
        }
        came_from.push(from);
    }
    for (score, prior) in scores.iter_mut().zip(prior) {
        *score += 0.5 * prior;
    }
    let mut language = argmax(&scores) as u8;
    let mut labels: Vec<u8> = came_from
        .iter()
        .rev()
        .map(|from| {
            let here = language;
            language = from[usize::from(here)];
            here
        })
        .collect();
    labels.reverse();
    labels
}

/// The first of the largest.
fn argmax<const N: usize>(scores: &[f32; N]) -> usize {
    let mut best = 0;
    for (idx, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = idx;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(gap: Gap, fit: [f32; 2]) -> Evidence<2> {
        Evidence { gap, fit }
    }

    #[test]
    fn a_phrase_changes_the_language_and_a_single_word_does_not() {
        let (a, b) = (word(Gap::Word, [0.0, -4.5]), word(Gap::Word, [-4.5, 0.0]));
        assert_eq!(label(&[a, a, b, a, a], [0.0; 2]), [0, 0, 0, 0, 0]);
        assert_eq!(label(&[a, a, b, b, a, a], [0.0; 2]), [0, 0, 1, 1, 0, 0]);
        let sentence = word(Gap::Sentence, [-4.5, 0.0]);
        assert_eq!(label(&[a, a, sentence], [0.0; 2]), [0, 0, 1]);
        assert_eq!(label::<2>(&[], [0.0; 2]), [0_u8; 0]);
    }

    #[test]
    fn words_without_evidence_go_with_the_prior_and_their_neighbours() {
        let neutral = word(Gap::Word, [0.0, 0.0]);
        assert_eq!(label(&[neutral, neutral], [0.0, 1.0]), [1, 1]);
        assert_eq!(label(&[neutral, word(Gap::Word, [-4.5, 0.0]), neutral], [0.0; 2]), [1, 1, 1]);
    }
}
