//! Products `x · wᵀ` of our own, for rows of forwards: the order in which an element's terms are added depends on nothing but the
//! number of columns (unless a product is cut into parts), and what comes before and after a product is part of its kernel.
//!
//! Compute capability 9.0 has `wgmma` and a copy engine for tiles (`product.cu`), the others `mma.sync` (`ordered.cu`).

use super::matmul::Product;
use super::memory::{Dtype, Span};
use super::wgmma::{Lies, TILE_COLS, instruction};
use super::{Arg, CudaDevice, Kernel, kernels, width};
use crate::device::ComputeError;

kernels!(ORDERED = "ordered", ["mma.cuh", "ordered.cu"], for [Bf16], with [[64, 0], [64, 1]]);
kernels!(
    PRODUCT = "product",
    ["wgmma.cuh", "product.cu"] after instructions, for [Bf16], with [[32, 64], [56, 128], [72, 128], [256, 128], [192, 256]], on [90]
);

/// The instructions of `product.cu`, for its constants.
fn instructions([cols, _]: [usize; 2]) -> String {
    instruction("wgmma", cols, Lies::Across, Lies::Across)
}

/// Columns of k in a step of the kernels for `mma.sync`.
const STEP: usize = 64;

/// Shared memory of a block: what it usually takes, and what it takes where that holds too few stages. Of one that has a processor to
/// itself, but for small kernels before and after; and of one that shares it with its like.
const ALONE: [usize; 2] = [200 << 10, 216 << 10];
const SHARING: [usize; 2] = [100 << 10, 100 << 10];

/// Stages of the pipeline that are enough for what is on its way to a processor.
const ENOUGH_STAGES: usize = 4;

/// Most stages, as in the kernels.
const MAX_STAGES: usize = 16;

/// Rows up to which products of one wave of blocks beat cuBLASLt's, with what they save in kernels before and after.
const FEW_ROWS: usize = 1024;

/// Most parts that k is cut into, and most rows for which that is worth it.
const MAX_PARTS: usize = 4;
const PARTS_ROWS: usize = 256;

/// Bytes that the parts of products with `n` columns take: the same for any number of rows and of parts.
pub(crate) fn parts_bytes(n: usize) -> usize {
    MAX_PARTS * PARTS_ROWS * n * Dtype::F32.bytes()
}

/// Rows and columns of the result that a block computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    rows: usize,
    cols: usize,
}

impl Tile {
    /// For `n` columns, cut into multiples of `unit`. All tiles give the same bits.
    fn of(m: usize, n: usize, unit: usize, n_processors: usize) -> (Self, [usize; 2]) {
        Self::in_one_wave(m, n, unit, n_processors).map_or_else(
            || {
                // Several waves: two blocks on a processor, one finishes while the other multiplies; or tiles that read least.
                if m < 4096 { (Self { rows: 128, cols: 128 }, SHARING) } else { (Self { rows: 128, cols: 256 }, ALONE) }
            },
            |tile| (tile, ALONE),
        )
    }

    /// The smallest tile of which every processor has at most one.
    fn in_one_wave(m: usize, n: usize, unit: usize, n_processors: usize) -> Option<Self> {
        [(64, 64), (128, 256), (256, 192)].into_iter().find_map(|(rows, most)| {
            let across = n_processors / m.div_ceil(rows);
            let cols = n.div_ceil(across.max(1)).next_multiple_of(unit).max(64);
            (across > 0 && cols <= most && (rows < 256 || m > 128)).then_some(Self { rows, cols })
        })
    }

    /// Of which every processor has at most one, with k cut into parts: the tile and the number of parts that take least time, unless k in
    /// one piece is about as fast.
    fn in_parts([m, n, k]: [usize; 3], n_processors: usize) -> Option<(Self, usize)> {
        let sizes = |parts| [(64, 64), (128, 256)].map(|(rows, most)| (rows, most, parts));
        let cut = (2..=MAX_PARTS).flat_map(sizes).filter_map(|(rows, most, parts)| {
            let across = n_processors / (m.div_ceil(rows) * parts);
            let cols = n.div_ceil(across.max(1)).next_multiple_of(8).max(32);
            let tile = Self { rows, cols };
            (across > 0 && cols <= most && parts <= k.div_ceil(tile.stage().1)).then_some((tile, parts))
        });
        let whole = Self::in_one_wave(m, n, 8, n_processors).map(|tile| (tile, 1));
        // Less than a quarter is within the error of the estimate, and the norm's work is not in it.
        let nanoseconds = |&(tile, parts): &(Self, usize)| tile.nanoseconds([m, n, k], parts) * if parts == 1 { 0.75 } else { 1.0 };
        let least = whole.into_iter().chain(cut).min_by(|a, b| nanoseconds(a).total_cmp(&nanoseconds(b)));
        least.filter(|&(_, parts)| parts > 1)
    }

    /// About how long a product takes besides its launch, as measured on an H200: a processor receives 63 numbers in a nanosecond and
    /// multiplies 3,400 pairs of them, but starts no instruction sooner than every 1.7 for each column of k; parts are written and read.
    fn nanoseconds(self, [m, n, k]: [usize; 3], parts: usize) -> f64 {
        let (rows, cols, numbers) = (self.rows as f64, self.cols as f64, (m * n * parts) as f64);
        let column = ((rows + cols) / 63.0).max(rows * cols / 3400.0).max(1.7);
        let joined = if parts > 1 { 300.0 + numbers * 1e-3 } else { 0.0 };
        k.div_ceil(parts) as f64 * column + joined
    }

    /// Bytes of a stage and its columns of k, as in the kernels.
    fn stage(self) -> (usize, usize) {
        let boxes = if self.rows + self.cols <= 192 { 2 } else { 1 };
        ((self.rows + self.cols) * TILE_COLS * Dtype::Bf16.bytes() * boxes, TILE_COLS * boxes)
    }

    fn threads(self) -> u32 {
        let (groups, tiles) = if self.rows == 64 { (1, 1) } else { (2, self.rows / 128) };
        128 * groups + if tiles * self.cols > 176 { 128 } else { 32 }
    }
}

/// How a product of our own ends.
#[derive(Clone, Copy)]
enum Finish<'a> {
    /// In the format of the operands.
    Plain { addend: Option<Span<'a>>, bias: Option<Span<'a>> },
    /// In f32.
    F32,
    /// The weights are gates, then what they let through.
    Activated,
}

impl Finish<'_> {
    /// Its kernel, and the number of matrices that the weights are.
    fn kernel(self) -> (&'static str, usize) {
        match self {
            Self::Plain { .. } => ("product", 1),
            Self::F32 => ("product_to_f32", 1),
            Self::Activated => ("product_activated", 2),
        }
    }
}

impl CudaDevice {
    /// As [`CudaDevice::multiply`] for `a · wᵀ` of a forward, where `w` is a weight: it does not come from the kernel before. On a
    /// deterministic device the bits of a row do not depend on how many rows there are: cuBLASLt chooses its kernels, and with them
    /// the order of additions, by the number of rows.
    pub(crate) fn multiply_rows(&self, p: Product<'_>) {
        assert!(!p.a.transposed && p.b.transposed, "products of forwards are of rows with rows");
        if p.m == 0 || p.n == 0 {
            return;
        }
        // All of this is the same for any number of rows: rows of buffers that start aligned are aligned if the first is.
        let in_bf16 = [p.a.span.dtype, p.b.span.dtype] == [Dtype::Bf16; 2];
        let has_tensor_cores = width(p.k, &[p.a.span, p.b.span]) == 8 && in_bf16 && p.k > 0 && [p.a.stride, p.b.stride] == [p.k; 2];
        let to_f32 = p.d.dtype == Dtype::F32;
        let results_aligned = width(p.n, &[p.d, p.addend.unwrap_or(p.d)]) == 8;
        let can_finish = if to_f32 { p.addend.is_none() && p.bias.is_none() } else { p.bias.is_none_or(|bias| bias.ptr.is_multiple_of(4)) };
        let can_wgmma = self.has_wgmma() && has_tensor_cores && results_aligned && can_finish;
        let one_wave = Tile::in_one_wave(p.m, p.n, 8, self.n_processors()).is_some();
        if can_wgmma && (self.is_deterministic() || (p.m <= FEW_ROWS && one_wave && !to_f32)) {
            let finish = if to_f32 { Finish::F32 } else { Finish::Plain { addend: p.addend, bias: p.bias } };
            self.keep(self.multiply_with(p.a.span, p.b.span, p.d, [p.m, p.n, p.k], finish));
        } else if !self.is_deterministic() {
            self.multiply(p);
        } else if has_tensor_cores {
            self.multiply_in_order(p);
        } else {
            self.multiply_plainly(p);
        }
    }

    /// `d [m, n] = silu(g) ⊙ u`, `[g, u] = a [m, k] · w [2n, k]ᵀ` in one kernel, where there is one that is worth it: whether it did.
    /// The bits are those of the product and the activation one after the other.
    pub(crate) fn multiply_activated(&self, a: Span<'_>, w: Span<'_>, d: Span<'_>, [m, n, k]: [usize; 3]) -> bool {
        let aligned = width(k, &[a, w]) == 8 && width(n, &[d]) == 8;
        let fits = m > 0 && k > 0 && m <= FEW_ROWS && a.dtype == Dtype::Bf16 && aligned && self.has_wgmma();
        if !fits || Tile::in_one_wave(m, 2 * n, 16, self.n_processors()).is_none() {
            return false;
        }
        self.keep(self.multiply_with(a, w, d, [m, n, k], Finish::Activated));
        true
    }

    /// The product a `[m, k]` · w `[n, k]`ᵀ as several that only have to be added up, `[parts, m, n]` in f32, where that is worth it:
    /// whether it was. `join` gets them and their number; they lie in scratch memory of [`parts_bytes`].
    pub(crate) fn multiply_in_parts(&self, a: Span<'_>, w: Span<'_>, [m, n, k]: [usize; 3], join: impl FnOnce(Span<'_>, usize)) -> bool {
        let aligned = width(k, &[a, w]) == 8 && n.is_multiple_of(8);
        let fits = m > 0 && k > 0 && m <= PARTS_ROWS && a.dtype == Dtype::Bf16 && aligned && self.has_wgmma() && !self.is_deterministic();
        let cut = if fits { Tile::in_parts([m, n, k], self.n_processors()) } else { None };
        let Some((tile, parts)) = cut else {
            return false;
        };
        self.with_scratch(parts_bytes(n), |ptr| {
            let results = Span { ptr, dtype: Dtype::F32, len: parts * m * n, device: self };
            self.keep(self.multiply_tiles(a, w, results, [m, n, k], Finish::F32, (tile, ALONE), parts));
            join(results, parts);
        });
        true
    }

    fn multiply_with(&self, a: Span<'_>, w: Span<'_>, d: Span<'_>, [m, n, k]: [usize; 3], finish: Finish<'_>) -> Result<(), ComputeError> {
        let halves = finish.kernel().1;
        self.multiply_tiles(a, w, d, [m, n, k], finish, Tile::of(m, halves * n, 8 * halves, self.n_processors()), 1)
    }

    /// In tiles of blocks with so much shared memory, and in parts of k.
    #[expect(clippy::too_many_arguments, reason = "the operands, and how they are cut")]
    fn multiply_tiles(
        &self,
        a: Span<'_>,
        w: Span<'_>,
        d: Span<'_>,
        [m, n, k]: [usize; 3],
        finish: Finish<'_>,
        (tile, shared): (Tile, [usize; 2]),
        parts: usize,
    ) -> Result<(), ComputeError> {
        let (name, halves) = finish.kernel();
        let (stage, step) = tile.stage();
        // Tiles are aligned to 1,024 bytes.
        let [usual, most] = shared.map(|bytes| (bytes - 1024) / stage);
        let n_stages = usual.max(most.min(ENOUGH_STAGES)).min(MAX_STAGES).min(k.div_ceil(step).div_ceil(parts)).max(2);
        let maps = [self.tensor_map(a, [m, k], tile.rows)?, self.tensor_map(w, [halves * n, k], tile.cols / halves)?];
        let mut args = vec![Arg::Map(&maps[0]), Arg::Map(&maps[1]), d.into()];
        if let Finish::Plain { addend, bias } = finish {
            args.extend([addend, bias].map(Arg::from));
        }
        args.extend([m, n, k, n_stages].map(Arg::from));
        let n_tiles = m.div_ceil(tile.rows) * (halves * n).div_ceil(tile.cols);
        let kernel = Kernel::new(&PRODUCT, Dtype::Bf16, name).with([tile.cols, tile.rows]).early();
        self.launch(kernel, (n_tiles as u32, parts as u32, 1), tile.threads(), (n_stages * stage + 1024) as u32, &args);
        Ok(())
    }

    /// By `mma.sync`.
    fn multiply_in_order(&self, p: Product<'_>) {
        let tiles = |size: usize| p.m.div_ceil(size) * p.n.div_ceil(size);
        // Tiles of both sizes give the same bits: large ones read less, small ones keep all processors busy.
        let (size, stages, which) = if tiles(128) >= 2 * self.n_processors() { (128, 3, 0) } else { (64, 4, 1) };
        let name = if p.d.dtype == Dtype::Bf16 { "product" } else { "product_to_f32" };
        let kernel = Kernel::new(&ORDERED, Dtype::Bf16, name).with([STEP, which]).early();
        let pointers = [p.d.into(), p.addend.into(), p.bias.into(), p.a.span.into(), p.b.span.into()];
        let args = [&pointers[..], &[p.m, p.n, p.k].map(Into::into)].concat();
        let shared = stages * 2 * size * STEP * Dtype::Bf16.bytes();
        self.launch(kernel, (tiles(size) as u32, 1, 1), 128, shared as u32, &args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_one_wave_and_fit_their_processors() {
        for (m, n, unit, expected) in [
            (256, 960, 8, Some((64, 64))),
            (256, 576, 8, Some((64, 64))),
            (256, 2 * 4864, 16, Some((128, 160))),
            (256, 2 * 8960, 16, Some((256, 144))),
            (1024, 2 * 1536, 16, Some((128, 192))),
            (8, 151_936, 8, None),
            (8192, 960, 8, None),
        ] {
            let tile = Tile::in_one_wave(m, n, unit, 132);
            assert_eq!(tile, expected.map(|(rows, cols)| Tile { rows, cols }), "{m} x {n}");
            if let Some(tile) = tile {
                assert!(m.div_ceil(tile.rows) * n.div_ceil(tile.cols) <= 132 && tile.cols.is_multiple_of(unit));
            }
        }
    }

    #[test]
    fn products_are_cut_into_parts_where_processors_would_be_idle() {
        for (shape, expected) in [
            ([256, 576, 1536], Some((64, 56, 3))),
            ([256, 896, 4864], Some((128, 56, 4))),
            ([256, 1536, 8960], Some((128, 96, 4))),
            ([256, 1536, 1536], None),
            ([8, 576, 64], None),
            ([100_000, 1536, 8960], None),
        ] {
            let cut = Tile::in_parts(shape, 132);
            assert_eq!(cut, expected.map(|(rows, cols, parts)| (Tile { rows, cols }, parts)), "{shape:?}");
        }
    }

    #[test]
    fn tiles_of_any_shape_fit_the_instruction_and_shared_memory() {
        for m in [1, 8, 63, 64, 65, 129, 256, 257, 1000, 4095, 4096, 100_000] {
            for n in [8, 16, 64, 960, 4872, 9728, 17_920, 151_936] {
                for (unit, n_processors) in [(8, 132), (16, 132), (8, 1), (16, 114)] {
                    let (tile, shared) = Tile::of(m, n, unit, n_processors);
                    let (stage, step) = tile.stage();
                    assert!(tile.cols <= 256 && tile.cols.is_multiple_of(unit), "{m} x {n}: {tile:?}");
                    assert!(
                        2 * stage + 1024 <= shared[0] && shared[0] <= shared[1] && step.is_multiple_of(TILE_COLS),
                        "{m} x {n}: {tile:?}"
                    );
                }
            }
        }
    }
}
