//! Sequences of different lengths laid end to end, without padding.
//!
//! Shapes: S sequences, T tokens (prompts and completions), R rows (completion tokens, each predicted at the position before it).
//! Attention is causal within each range of `cu_seqlens`, so sequences of one batch do not see each other.

use std::ops::Range;

use ruminate_core::TokenId;

/// A prompt and what followed it. For pretraining the first token is the prompt and the rest the completion.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Tokens that are read but not trained; at least one, since the first trained token is predicted from the last of them.
    pub prompt_ids: &'a [TokenId],
    /// Tokens that are trained; may be empty.
    pub completion_ids: &'a [TokenId],
}

/// A sequence of which any tokens but the first may be trained, such as a conversation whose assistant speaks several times.
#[derive(Clone, Copy, Debug)]
pub struct MaskedSequence<'a> {
    /// All tokens.
    pub token_ids: &'a [TokenId],
    /// Whether each of them is trained.
    pub is_trained: &'a [bool],
}

/// One microbatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedBatch {
    /// Prompts and completions end to end.
    pub token_ids: Vec<TokenId>, // [T]
    /// Position of each token within its sequence, from 0.
    pub position_ids: Vec<u32>, // [T]
    /// Sequence s is `cu_seqlens[s]..cu_seqlens[s + 1]` of the tokens.
    pub cu_seqlens: Vec<usize>, // [S + 1]
    /// Tokens whose next token is trained, ascending.
    pub predict_rows: Vec<usize>, // [R]
    /// The trained token after each of `predict_rows`.
    pub targets: Vec<TokenId>, // [R]
    /// The trained tokens of sequence s are `completion_cu[s]..completion_cu[s + 1]` of `predict_rows` and `targets`.
    pub completion_cu: Vec<usize>, // [S + 1]
    /// Index of each sequence in the slice given to [`pack`] or [`pack_masked`].
    pub sequence_idx: Vec<usize>, // [S]
}

/// Consecutive rows of a microbatch, whose loss is computed at the same time.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    batch: &'a PackedBatch,
    /// Which of the microbatch's rows they are.
    pub rows: Range<usize>,
    /// The sequences that they are of.
    pub sequences: Range<usize>,
}

impl Part<'_> {
    /// As [`PackedBatch::completion_cu`], of these rows alone: the first and the last sequence may be cut.
    pub fn completion_cu(&self) -> Vec<usize> {
        let Range { start, end } = self.rows;
        self.batch.completion_cu[self.sequences.start..=self.sequences.end]
            .iter()
            .map(|border| border.clamp(&start, &end) - start)
            .collect()
    }

    /// Trained tokens of each of these sequences, those outside of the part included.
    pub fn lengths(&self) -> Vec<usize> {
        self.batch.completion_cu[self.sequences.start..=self.sequences.end].windows(2).map(|w| w[1] - w[0]).collect()
    }

    /// As [`PackedBatch::sequence_idx`], of these sequences.
    pub fn sequence_idx(&self) -> &[usize] {
        &self.batch.sequence_idx[self.sequences.clone()]
    }
}

/// Why sequences cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The first completion token would have nothing to be predicted from.
    #[error("sequence {sequence_idx}: expected at least one prompt token, found none")]
    EmptyPrompt {
        /// Index in the slice given to [`pack`].
        sequence_idx: usize,
    },
    /// The first token of a sequence has nothing to be predicted from.
    #[error("sequence {sequence_idx}: expected a first token that is not trained, found one that is")]
    FirstTrained {
        /// Index in the slice given to [`pack_masked`].
        sequence_idx: usize,
    },
    /// Not one flag for each token.
    #[error("sequence {sequence_idx}: expected a mask of {n_tokens} tokens, found one of {n_flags}")]
    MaskLength {
        /// Index in the slice given to [`pack_masked`].
        sequence_idx: usize,
        /// Tokens of the sequence.
        n_tokens: usize,
        /// Flags of its mask.
        n_flags: usize,
    },
}

/// Cuts sequences, in their order, into microbatches of at most `max_tokens` tokens.
///
/// A microbatch is closed as soon as the next sequence does not fit. A sequence that is longer than `max_tokens` gets a microbatch of its own.
///
/// # Errors
/// [`PackError::EmptyPrompt`] if a sequence has no prompt token.
pub fn pack(sequences: &[Sequence<'_>], max_tokens: usize) -> Result<Vec<PackedBatch>, PackError> {
    let mut batches: Vec<PackedBatch> = Vec::new();
    for (sequence_idx, sequence) in sequences.iter().enumerate() {
        if sequence.prompt_ids.is_empty() {
            return Err(PackError::EmptyPrompt { sequence_idx });
        }
        with_room(&mut batches, sequence.n_tokens(), max_tokens).push(sequence_idx, sequence);
    }
    Ok(batches)
}

/// As [`pack`], for sequences with a mask.
///
/// # Errors
/// [`PackError::FirstTrained`], [`PackError::MaskLength`].
pub fn pack_masked(sequences: &[MaskedSequence<'_>], max_tokens: usize) -> Result<Vec<PackedBatch>, PackError> {
    let mut batches: Vec<PackedBatch> = Vec::new();
    for (sequence_idx, sequence) in sequences.iter().enumerate() {
        let (n_tokens, n_flags) = (sequence.token_ids.len(), sequence.is_trained.len());
        if n_tokens != n_flags {
            return Err(PackError::MaskLength { sequence_idx, n_tokens, n_flags });
        }
        if sequence.is_trained.first() == Some(&true) {
            return Err(PackError::FirstTrained { sequence_idx });
        }
        with_room(&mut batches, n_tokens, max_tokens).push_masked(sequence_idx, sequence);
    }
    Ok(batches)
}

/// The last batch if `n_tokens` more fit into it, or else a new one.
fn with_room(batches: &mut Vec<PackedBatch>, n_tokens: usize, max_tokens: usize) -> &mut PackedBatch {
    let fits = batches.last().is_some_and(|batch| batch.n_tokens() + n_tokens <= max_tokens);
    if !fits {
        batches.push(PackedBatch::new());
    }
    batches.last_mut().expect("a batch was just pushed if there was none")
}

impl Sequence<'_> {
    /// Tokens of prompt and completion together.
    pub fn n_tokens(&self) -> usize {
        self.prompt_ids.len() + self.completion_ids.len()
    }
}

/// As [`pack`], with every `n_together` consecutive sequences in one microbatch, such as the two responses of a pair.
///
/// # Errors
/// [`PackError::EmptyPrompt`] if a sequence has no prompt token.
///
/// # Panics
/// If `n_together` is 0.
pub fn pack_together(sequences: &[Sequence<'_>], n_together: usize, max_tokens: usize) -> Result<Vec<PackedBatch>, PackError> {
    if let Some(sequence_idx) = sequences.iter().position(|sequence| sequence.prompt_ids.is_empty()) {
        return Err(PackError::EmptyPrompt { sequence_idx });
    }
    let mut batches: Vec<PackedBatch> = Vec::new();
    for (group_idx, group) in sequences.chunks(n_together).enumerate() {
        let n_tokens: usize = group.iter().map(Sequence::n_tokens).sum();
        match batches.last_mut() {
            Some(batch) if batch.n_tokens() + n_tokens <= max_tokens => batch.push_all(group_idx * n_together, group),
            _ => {
                let mut batch = PackedBatch::new();
                batch.push_all(group_idx * n_together, group);
                batches.push(batch);
            }
        }
    }
    Ok(batches)
}

impl PackedBatch {
    /// Tokens that the forward reads, T.
    pub fn n_tokens(&self) -> usize {
        self.token_ids.len()
    }

    /// Sequences, S.
    pub fn n_sequences(&self) -> usize {
        self.sequence_idx.len()
    }

    /// Trained tokens, R.
    pub fn n_rows(&self) -> usize {
        self.predict_rows.len()
    }

    /// The rows of sequence `s` of this batch.
    pub fn rows(&self, s: usize) -> Range<usize> {
        self.completion_cu[s]..self.completion_cu[s + 1]
    }

    /// Some consecutive rows of this batch.
    pub fn part(&self, rows: Range<usize>) -> Part<'_> {
        assert!(rows.end <= self.n_rows(), "rows {rows:?} of {}", self.n_rows());
        let first = self.completion_cu[1..].partition_point(|&end| end <= rows.start);
        let end = self.completion_cu.partition_point(|&start| start < rows.end);
        Part { batch: self, rows, sequences: first.min(end)..end }
    }

    /// Values that each original sequence has one of, such as advantages, in the order of this batch; S values.
    ///
    /// # Panics
    /// If `values` is shorter than the slice given to [`pack`].
    pub fn gather_sequences(&self, values: &[f32]) -> Vec<f32> {
        self.sequence_idx.iter().map(|&i| values[i]).collect()
    }

    /// Values that each completion token has one of, such as `rollout_logprobs`, in the order of this batch; R values.
    ///
    /// # Panics
    /// If `values` is shorter than the slice given to [`pack`], or one of its entries is not as long as its completion.
    pub fn gather_rows(&self, values: &[&[f32]]) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.n_rows());
        for (s, &i) in self.sequence_idx.iter().enumerate() {
            assert_eq!(values[i].len(), self.rows(s).len(), "sequence {i}: one value for each completion token");
            rows.extend_from_slice(values[i]);
        }
        rows
    }

    fn new() -> Self {
        Self {
            token_ids: Vec::new(),
            position_ids: Vec::new(),
            cu_seqlens: vec![0],
            predict_rows: Vec::new(),
            targets: Vec::new(),
            completion_cu: vec![0],
            sequence_idx: Vec::new(),
        }
    }

    /// Adds sequences that stand one after the other, the first one at `first`.
    fn push_all(&mut self, first: usize, sequences: &[Sequence<'_>]) {
        sequences.iter().enumerate().for_each(|(idx, sequence)| self.push(first + idx, sequence));
    }

    fn push(&mut self, sequence_idx: usize, sequence: &Sequence<'_>) {
        // The token before the first completion token is the last prompt token; the last completion token predicts nothing.
        let first_row = self.n_tokens() + sequence.prompt_ids.len() - 1;
        self.predict_rows.extend(first_row..first_row + sequence.completion_ids.len());
        self.targets.extend_from_slice(sequence.completion_ids);
        self.completion_cu.push(self.targets.len());
        self.token_ids.extend_from_slice(sequence.prompt_ids);
        self.token_ids.extend_from_slice(sequence.completion_ids);
        self.close(sequence_idx, sequence.n_tokens());
    }

    fn push_masked(&mut self, sequence_idx: usize, sequence: &MaskedSequence<'_>) {
        let first = self.n_tokens();
        let trained = || (1..sequence.token_ids.len()).filter(|&at| sequence.is_trained[at]);
        self.predict_rows.extend(trained().map(|at| first + at - 1));
        self.targets.extend(trained().map(|at| sequence.token_ids[at]));
        self.completion_cu.push(self.targets.len());
        self.token_ids.extend_from_slice(sequence.token_ids);
        self.close(sequence_idx, sequence.token_ids.len());
    }

    /// Ends the sequence whose tokens were just added.
    fn close(&mut self, sequence_idx: usize, n_tokens: usize) {
        self.position_ids.extend((0_u32..).take(n_tokens));
        self.cu_seqlens.push(self.token_ids.len());
        self.sequence_idx.push(sequence_idx);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn borrow(pairs: &[(Vec<u32>, Vec<u32>)]) -> Vec<Sequence<'_>> {
        pairs.iter().map(|(p, c)| Sequence { prompt_ids: p, completion_ids: c }).collect()
    }

    #[test]
    fn layout_by_hand() {
        let pairs = [(vec![1, 2], vec![3, 4]), (vec![5], vec![]), (vec![6], vec![7]), (vec![8, 9, 10], vec![11])];
        let batches = pack(&borrow(&pairs), 7).unwrap();
        assert_eq!(batches.len(), 2);
        assert_eq!(
            batches[0],
            PackedBatch {
                token_ids: vec![1, 2, 3, 4, 5, 6, 7],
                position_ids: vec![0, 1, 2, 3, 0, 0, 1],
                cu_seqlens: vec![0, 4, 5, 7],
                predict_rows: vec![1, 2, 5],
                targets: vec![3, 4, 7],
                completion_cu: vec![0, 2, 2, 3],
                sequence_idx: vec![0, 1, 2],
            }
        );
        assert_eq!(batches[1].predict_rows, vec![2]);
        assert_eq!(batches[1].sequence_idx, vec![3]);
        assert_eq!(batches[0].gather_sequences(&[10.0, 11.0, 12.0, 13.0]), vec![10.0, 11.0, 12.0]);
        assert_eq!(batches[0].gather_rows(&[&[0.1, 0.2], &[], &[0.3], &[0.4]]), vec![0.1, 0.2, 0.3]);
        assert_eq!(batches[1].gather_rows(&[&[0.1, 0.2], &[], &[0.3], &[0.4]]), vec![0.4]);
    }

    #[test]
    fn a_long_sequence_stands_alone() {
        let pairs = [(vec![1], vec![2]), (vec![3; 5], vec![4; 5]), (vec![5], vec![6])];
        let batches = pack(&borrow(&pairs), 4).unwrap();
        assert_eq!(batches.iter().map(|b| b.sequence_idx.clone()).collect::<Vec<_>>(), vec![vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn pairs_stay_together() {
        let texts: Vec<(Vec<u32>, Vec<u32>)> = (0..6).map(|i| (vec![i; 2 + i as usize % 2], vec![])).collect();
        let batches = pack_together(&borrow(&texts), 2, 12).unwrap();
        assert_eq!(batches.iter().map(|b| b.sequence_idx.clone()).collect::<Vec<_>>(), vec![vec![0, 1, 2, 3], vec![4, 5]]);
        assert_eq!(batches[0].cu_seqlens, vec![0, 2, 5, 7, 10]);
        // One by one they fill the first microbatch better.
        assert_eq!(pack(&borrow(&texts), 12).unwrap()[0].sequence_idx, vec![0, 1, 2, 3, 4]);
        assert_eq!(pack_together(&borrow(&[(vec![1], vec![]), (vec![], vec![])]), 2, 8), Err(PackError::EmptyPrompt { sequence_idx: 1 }));
    }

    #[test]
    fn nothing_to_predict_from_is_an_error() {
        let pairs = [(vec![1], vec![2]), (vec![], vec![3])];
        assert_eq!(pack(&borrow(&pairs), 8), Err(PackError::EmptyPrompt { sequence_idx: 1 }));
        assert_eq!(pack(&[], 8), Ok(vec![]));
    }

    #[test]
    fn several_turns_of_one_sequence_are_trained() {
        // A user, an answer of two tokens, a user again, an answer of one.
        let conversation = MaskedSequence { token_ids: &[1, 2, 3, 4, 5, 6], is_trained: &[false, false, true, true, false, true] };
        let untrained = MaskedSequence { token_ids: &[7, 8], is_trained: &[false; 2] };
        let next = MaskedSequence { token_ids: &[9, 10], is_trained: &[false, true] };
        let batches = pack_masked(&[conversation, untrained, next], 10).unwrap();
        assert_eq!(
            batches,
            [PackedBatch {
                token_ids: (1..=10).collect(),
                position_ids: vec![0, 1, 2, 3, 4, 5, 0, 1, 0, 1],
                cu_seqlens: vec![0, 6, 8, 10],
                predict_rows: vec![1, 2, 4, 8],
                targets: vec![3, 4, 6, 10],
                completion_cu: vec![0, 3, 3, 4],
                sequence_idx: vec![0, 1, 2],
            }]
        );
        assert_eq!(pack_masked(&[conversation, next], 7).unwrap().len(), 2);
        let first = MaskedSequence { token_ids: &[1], is_trained: &[true] };
        assert_eq!(pack_masked(&[next, first], 8), Err(PackError::FirstTrained { sequence_idx: 1 }));
        let short = MaskedSequence { token_ids: &[1, 2], is_trained: &[false] };
        assert_eq!(pack_masked(&[short], 8), Err(PackError::MaskLength { sequence_idx: 0, n_tokens: 2, n_flags: 1 }));
    }

    proptest! {
        #[test]
        fn a_mask_of_one_completion_packs_like_a_prompt_and_a_completion(
            pairs in prop::collection::vec((prop::collection::vec(0_u32..50, 1..6), prop::collection::vec(0_u32..50, 0..6)), 0..20),
            max_tokens in 0_usize..30,
        ) {
            let whole: Vec<(Vec<u32>, Vec<bool>)> = pairs
                .iter()
                .map(|(p, c)| ([p.clone(), c.clone()].concat(), [vec![false; p.len()], vec![true; c.len()]].concat()))
                .collect();
            let masked: Vec<MaskedSequence<'_>> =
                whole.iter().map(|(token_ids, is_trained)| MaskedSequence { token_ids, is_trained }).collect();
            prop_assert_eq!(pack_masked(&masked, max_tokens), pack(&borrow(&pairs), max_tokens));
        }

        #[test]
        fn parts_are_a_batch_cut_anywhere(
            lens in prop::collection::vec((1_usize..6, 0_usize..6), 1..20), cuts in prop::collection::vec(0_usize..100, 0..4),
        ) {
            let pairs: Vec<(Vec<u32>, Vec<u32>)> = lens.iter().map(|&(p, c)| (vec![1; p], vec![2; c])).collect();
            let batch = &pack(&borrow(&pairs), 1000).unwrap()[0];
            let sequence_of_row: Vec<usize> = lens.iter().enumerate().flat_map(|(s, &(_, c))| vec![s; c]).collect();
            let n_rows = sequence_of_row.len();
            let mut borders: Vec<usize> = cuts.iter().map(|&cut| cut.min(n_rows)).chain([0, n_rows]).collect();
            borders.sort_unstable();
            for w in borders.windows(2) {
                let part = batch.part(w[0]..w[1]);
                let cu = part.completion_cu();
                prop_assert_eq!((cu[0], cu.last().copied()), (0, Some(w[1] - w[0])));
                let found: Vec<usize> = part.sequences.clone().zip(cu.windows(2)).flat_map(|(s, w)| vec![s; w[1] - w[0]]).collect();
                prop_assert_eq!(found, sequence_of_row[w[0]..w[1]].to_vec());
                prop_assert_eq!(part.lengths(), lens[part.sequences.clone()].iter().map(|&(_, c)| c).collect::<Vec<_>>());
                prop_assert_eq!(part.sequence_idx().to_vec(), part.sequences.collect::<Vec<_>>());
            }
        }

        #[test]
        fn every_completion_token_is_a_target_once(
            lens in prop::collection::vec((1_usize..6, 0_usize..6), 0..20), max_tokens in 0_usize..30,
        ) {
            // Token ids number the tokens of the whole data set, so that each can be recognised.
            let mut next = 0_u32;
            let mut number = |n: usize| -> Vec<u32> { let ids = (next..).take(n).collect(); next += n as u32; ids };
            let pairs: Vec<(Vec<u32>, Vec<u32>)> = lens.iter().map(|&(p, c)| (number(p), number(c))).collect();
            let batches = pack(&borrow(&pairs), max_tokens).unwrap();

            let targets: Vec<u32> = batches.iter().flat_map(|b| b.targets.clone()).collect();
            prop_assert_eq!(targets, pairs.iter().flat_map(|(_, c)| c.clone()).collect::<Vec<_>>());
            let order: Vec<usize> = batches.iter().flat_map(|b| b.sequence_idx.clone()).collect();
            prop_assert_eq!(order, (0..pairs.len()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert!(batch.n_tokens() <= max_tokens || batch.n_sequences() == 1);
                for s in 0..batch.n_sequences() {
                    let tokens = batch.cu_seqlens[s]..batch.cu_seqlens[s + 1];
                    let (prompt, completion) = &pairs[batch.sequence_idx[s]];
                    prop_assert_eq!(&batch.token_ids[tokens.clone()], &[prompt.clone(), completion.clone()].concat()[..]);
                    prop_assert_eq!(batch.position_ids[tokens.clone()].to_vec(), (0..tokens.len() as u32).collect::<Vec<_>>());
                    for row in batch.rows(s) {
                        let at = batch.predict_rows[row];
                        prop_assert!(tokens.contains(&at) && tokens.contains(&(at + 1)));
                        prop_assert_eq!(batch.token_ids[at + 1], batch.targets[row]);
                    }
                }
            }
            // Greedy: no microbatch could have taken the first sequence of the next one.
            for pair in batches.windows(2) {
                prop_assert!(pair[0].n_tokens() + pair[1].cu_seqlens[1] > max_tokens);
            }
        }
    }
}
