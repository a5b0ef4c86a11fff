//! Element types of stored tensors and their way to f32.
//!
//! Quantised types store blocks of 32 or 256 elements; the layouts are those of ggml (`ggml-common.h`), little-endian. `d` and
//! `m` below are the block's scale and minimum, `q` its small integers.

use half::{bf16, f16};

/// How the elements of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// `d q`, `q` a nibble minus 8.
    Q4_0,
    /// `d q + m`, `q` a nibble.
    Q4_1,
    /// `d q`, `q` 5 bits minus 16.
    Q5_0,
    /// `d q + m`, `q` 5 bits.
    Q5_1,
    /// `d q`, `q` a signed byte.
    Q8_0,
    /// Eight sub-blocks of 32: `d s q - m t` with 6-bit `s` and `t`, 4-bit `q`.
    Q4K,
    /// As `Q4K` with 5-bit `q`.
    Q5K,
    /// Sixteen sub-blocks of 16: `d s q` with signed 8-bit `s`, `q` 6 bits minus 32.
    Q6K,
}

/// The types that a GGUF file may use, for messages.
pub(crate) const GGUF_TYPES: &str = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K";
/// The types that a safetensors file may use, for messages.
pub(crate) const SAFETENSORS_TYPES: &str = "F32, F16, BF16";

impl ElementType {
    /// The type with this number in a GGUF file, or its name for a message.
    pub(crate) fn from_ggml(id: u32) -> Result<Self, String> {
        const UNREADABLE: [(u32, &str); 20] = [
            (9, "Q8_1"),
            (10, "Q2_K"),
            (11, "Q3_K"),
            (15, "Q8_K"),
            (16, "IQ2_XXS"),
            (17, "IQ2_XS"),
            (18, "IQ3_XXS"),
            (19, "IQ1_S"),
            (20, "IQ4_NL"),
            (21, "IQ3_S"),
            (22, "IQ2_S"),
            (23, "IQ4_XS"),
            (24, "I8"),
            (25, "I16"),
            (26, "I32"),
            (27, "I64"),
            (28, "F64"),
            (29, "IQ1_M"),
            (34, "TQ1_0"),
            (39, "MXFP4"),
        ];
        Ok(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => {
                let name = UNREADABLE.iter().find(|(other, _)| *other == id).map(|(_, name)| (*name).to_owned());
                return Err(name.unwrap_or_else(|| format!("number {id}")));
            }
        })
    }

    /// The type with this name in a safetensors header.
    pub(crate) fn from_safetensors(name: &str) -> Option<Self> {
        match name {
            "F32" => Some(Self::F32),
            "F16" => Some(Self::F16),
            "BF16" => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Elements and bytes of one block.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Bytes of `n_elements`; `None` if they are no whole number of blocks or overflow.
    pub(crate) fn n_bytes(self, n_elements: usize) -> Option<usize> {
        let (elements, bytes) = self.block();
        if n_elements.is_multiple_of(elements) { (n_elements / elements).checked_mul(bytes) } else { None }
    }

    /// Decodes whole blocks: `bytes` holds exactly the elements of `out`.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut [f32]) {
        debug_assert_eq!(self.n_bytes(out.len()), Some(bytes.len()));
        match self {
            Self::F32 => decode_scalars(bytes, out, f32::from_le_bytes),
            Self::F16 => decode_scalars(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => decode_scalars(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Q4_0 => decode_blocks(bytes, out, q4_0),
            Self::Q4_1 => decode_blocks(bytes, out, q4_1),
            Self::Q5_0 => decode_blocks(bytes, out, q5_0),
            Self::Q5_1 => decode_blocks(bytes, out, q5_1),
            Self::Q8_0 => decode_blocks(bytes, out, q8_0),
            Self::Q4K => decode_blocks(bytes, out, q4_k),
            Self::Q5K => decode_blocks(bytes, out, q5_k),
            Self::Q6K => decode_blocks(bytes, out, q6_k),
        }
    }
}

fn decode_scalars<const N: usize>(bytes: &[u8], out: &mut [f32], scalar: impl Fn([u8; N]) -> f32) {
    for (b, y) in bytes.as_chunks::<N>().0.iter().zip(out) {
        *y = scalar(*b);
    }
}

fn decode_blocks<const BYTES: usize, const N: usize>(bytes: &[u8], out: &mut [f32], block: impl Fn(&[u8; BYTES], &mut [f32; N])) {
    for (b, y) in bytes.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<N>().0) {
        block(b, y);
    }
}

fn half_at(b: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([b[at], b[at + 1]]).to_f32()
}

/// Low nibbles are the first half of the block, high nibbles the second.
fn q4_0(b: &[u8; 18], y: &mut [f32; 32]) {
    let d = half_at(b, 0);
    for j in 0..16 {
        y[j] = d * (f32::from(b[2 + j] & 15) - 8.0);
        y[j + 16] = d * (f32::from(b[2 + j] >> 4) - 8.0);
    }
}

fn q4_1(b: &[u8; 20], y: &mut [f32; 32]) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    for j in 0..16 {
        y[j] = d * f32::from(b[4 + j] & 15) + m;
        y[j + 16] = d * f32::from(b[4 + j] >> 4) + m;
    }
}

/// Bit `j` of the little-endian word at `at` is the fifth bit of element `j`; its place value is 16.
fn fifth_bit(b: &[u8], at: usize, j: usize) -> u8 {
    ((b[at + j / 8] >> (j % 8)) & 1) << 4
}

fn q5_0(b: &[u8; 22], y: &mut [f32; 32]) {
    let d = half_at(b, 0);
    for j in 0..16 {
        y[j] = d * (f32::from(b[6 + j] & 15 | fifth_bit(b, 2, j)) - 16.0);
        y[j + 16] = d * (f32::from(b[6 + j] >> 4 | fifth_bit(b, 2, j + 16)) - 16.0);
    }
}

fn q5_1(b: &[u8; 24], y: &mut [f32; 32]) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    for j in 0..16 {
        y[j] = d * f32::from(b[8 + j] & 15 | fifth_bit(b, 4, j)) + m;
        y[j + 16] = d * f32::from(b[8 + j] >> 4 | fifth_bit(b, 4, j + 16)) + m;
    }
}

fn q8_0(b: &[u8; 34], y: &mut [f32; 32]) {
    let d = half_at(b, 0);
    for j in 0..32 {
        y[j] = d * f32::from(b[2 + j].cast_signed());
    }
}

/// Scale and minimum of sub-block `k`, 6 bits each, from 12 bytes: the first four of each lie in the low 6 bits of bytes 0..8,
/// the other four have their low nibbles in bytes 8..12 and their upper two bits on top of bytes 0..8.
fn scale_and_min(packed: &[u8], k: usize) -> (f32, f32) {
    let (scale, min) = if k < 4 {
        (packed[k] & 63, packed[k + 4] & 63)
    } else {
        (packed[k + 4] & 15 | packed[k - 4] >> 6 << 4, packed[k + 4] >> 4 | packed[k] >> 6 << 4)
    };
    (f32::from(scale), f32::from(min))
}

fn q4_k(b: &[u8; 144], y: &mut [f32; 256]) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    for k in 0..8 {
        let (scale, min) = scale_and_min(&b[4..16], k);
        let (scale, min) = (d * scale, m * min);
        // Two sub-blocks share 32 bytes: the even one has the low nibbles.
        let nibbles = &b[16 + 32 * (k / 2)..][..32];
        for j in 0..32 {
            y[32 * k + j] = scale * f32::from(nibbles[j] >> (4 * (k % 2)) & 15) - min;
        }
    }
}

fn q5_k(b: &[u8; 176], y: &mut [f32; 256]) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    let high = &b[16..48];
    for k in 0..8 {
        let (scale, min) = scale_and_min(&b[4..16], k);
        let (scale, min) = (d * scale, m * min);
        let nibbles = &b[48 + 32 * (k / 2)..][..32];
        for j in 0..32 {
            let q = nibbles[j] >> (4 * (k % 2)) & 15 | (high[j] >> k & 1) << 4;
            y[32 * k + j] = scale * f32::from(q) - min;
        }
    }
}

fn q6_k(b: &[u8; 210], y: &mut [f32; 256]) {
    let d = half_at(b, 208);
    for (k, y) in y.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        // Each half of the block has 64 bytes of nibbles and 32 bytes of upper bits for its four runs of 32 elements.
        let (half, run) = (k / 4, k % 4);
        let nibbles = &b[64 * half + 32 * (run % 2)..][..32];
        let high = &b[128 + 32 * half..][..32];
        for j in 0..32 {
            let q = nibbles[j] >> (4 * (run / 2)) & 15 | (high[j] >> (2 * run) & 3) << 4;
            let scale = b[192 + 2 * k + j / 16].cast_signed();
            y[j] = d * f32::from(scale) * (f32::from(q) - 32.0);
        }
    }
}
