//! Quoting texts that must not speak for themselves.

/// Texts between marks that none of them contains, so that no text can end its own quotation and go on as if it were the asker.
///
/// The marks carry a hash of all texts: a text that holds its own mark would have to hold a hash of itself.
pub(super) struct Quotes {
    nonce: String,
}

impl Quotes {
    pub(super) fn new(texts: &[&str]) -> Self {
        let mut counter = 0_u64;
        loop {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&counter.to_le_bytes());
            for text in texts {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            let nonce = hasher.finalize().to_hex()[..12].to_owned();
            if !texts.iter().any(|text| text.contains(&nonce)) {
                return Self { nonce };
            }
            counter += 1;
        }
    }

    /// What says which mark counts. It stands with the texts, so that the instructions before them are the same for all questions and a
    /// server can reuse its work on them.
    pub(super) fn head(&self) -> String {
        format!("The code of the marks is {}.", self.nonce)
    }

    pub(super) fn quote(&self, name: &str, text: &str) -> String {
        let nonce = &self.nonce;
        format!("<{name} {nonce}>\n{text}\n</{name} {nonce}>")
    }
}
