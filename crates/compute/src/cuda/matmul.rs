//! Matrix products by cuBLASLt, with one plan for each shape that occurs.
//!
//! cuBLASLt sees matrices column-major; a row-major `[rows, cols]` is its transpose with leading dimension `cols`.

#![expect(unsafe_code, reason = "calls of cuBLASLt")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::MaybeUninit;

use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys::{self, cublasLtMatmulHeuristicResult_t as Candidate};

use super::memory::{Dtype, Span};
use super::{CudaDevice, Kernel, blocks, kernels, lock, permanent};
use crate::device::ComputeError;

/// Bytes that cuBLASLt may use besides the operands: what its makers advise for Hopper.
pub(crate) const WORKSPACE: usize = 32 << 20;

kernels!(SOURCE = "matmul", ["matmul.cu"]);

/// Algorithms that cuBLASLt is asked for; it has no more for a shape.
const MAX_CANDIDATES: usize = 8;

/// Tiles of Hopper's algorithms for bf16 that are preferred to all others, see [`choose`]: in products of training they are 5% faster than
/// the first choices, which are larger (`docs/LOG.md`).
const MEDIUM_TILES: [sys::cublasLtMatmulTile_t; 12] = {
    use sys::cublasLtMatmulTile_t as Tile;
    [
        Tile::CUBLASLT_MATMUL_TILE_96x128,
        Tile::CUBLASLT_MATMUL_TILE_104x128,
        Tile::CUBLASLT_MATMUL_TILE_112x128,
        Tile::CUBLASLT_MATMUL_TILE_120x128,
        Tile::CUBLASLT_MATMUL_TILE_128x128,
        Tile::CUBLASLT_MATMUL_TILE_136x128,
        Tile::CUBLASLT_MATMUL_TILE_144x128,
        Tile::CUBLASLT_MATMUL_TILE_152x128,
        Tile::CUBLASLT_MATMUL_TILE_160x128,
        Tile::CUBLASLT_MATMUL_TILE_168x128,
        Tile::CUBLASLT_MATMUL_TILE_176x128,
        Tile::CUBLASLT_MATMUL_TILE_128x160,
    ]
};

/// One operand, row-major, and whether it enters transposed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    pub span: Span<'a>,
    /// Distance of rows.
    pub stride: usize,
    pub transposed: bool,
}

/// `d [m, n] = a [m, k] · b [k, n] (+ addend or bias)`, all row-major after transposition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product<'a> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Operand<'a>,
    pub b: Operand<'a>,
    /// `[m, n]`, contiguous.
    pub d: Span<'a>,
    /// `[m, n]`, added to the product; may be `d` itself.
    pub addend: Option<Span<'a>>,
    /// `[n]`, added to every row.
    pub bias: Option<Span<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Shape {
    sizes: [usize; 5],
    transposed: [bool; 2],
    types: [Dtype; 3],
    accumulates: bool,
    has_bias: bool,
    /// Bytes that all pointers are aligned to.
    alignment: u64,
}

/// Plans kept at most: batches of training have any number of rows, and each number is a shape of its own.
const MAX_PLANS: usize = 4096;

/// A plan, or `None` where cuBLASLt has none and the plain kernel is used.
type Plan = Option<Planned>;

#[derive(Clone, Copy)]
struct Planned {
    desc: sys::cublasLtMatmulDesc_t,
    a: sys::cublasLtMatrixLayout_t,
    b: sys::cublasLtMatrixLayout_t,
    d: sys::cublasLtMatrixLayout_t,
    algo: sys::cublasLtMatmulAlgo_t,
}

impl Planned {
    /// The library is done with descriptors when a product is enqueued.
    fn destroy(self) {
        // SAFETY: made by `make_plan`, not used again; an error would leave a few bytes behind.
        unsafe {
            let _ = result::destroy_matmul_desc(self.desc);
            for layout in [self.a, self.b, self.d] {
                let _ = result::destroy_matrix_layout(layout);
            }
        }
    }
}

/// The handle and its plans.
pub(super) struct Matmul {
    handle: sys::cublasLtHandle_t,
    workspace: u64,
    plans: HashMap<Shape, Plan>,
    /// Whether the device has algorithms with [`MEDIUM_TILES`].
    is_hopper: bool,
}

fn fail(operation: &'static str) -> impl Fn(CublasError) -> ComputeError {
    move |error| ComputeError::Driver { operation, name: format!("{:?}", error.0), text: "cuBLASLt".into() }
}

impl Matmul {
    pub(super) fn new(is_hopper: bool) -> Result<Self, ComputeError> {
        let handle = result::create_handle().map_err(fail("start of cuBLASLt"))?;
        Ok(Self { handle, workspace: 0, plans: HashMap::new(), is_hopper })
    }

    pub(super) fn take_workspace(&mut self, device: &CudaDevice) -> Result<(), ComputeError> {
        self.workspace = permanent(device, WORKSPACE)?;
        Ok(())
    }

    fn plan(&mut self, shape: Shape) -> Result<Plan, ComputeError> {
        if let Some(plan) = self.plans.get(&shape) {
            return Ok(*plan);
        }
        if self.plans.len() >= MAX_PLANS {
            self.plans.drain().filter_map(|(_, plan)| plan).for_each(Planned::destroy);
        }
        // SAFETY: all descriptors are made there and live until the plan is destroyed.
        let plan = unsafe { make_plan(self.handle, shape, self.is_hopper) }?;
        self.plans.insert(shape, plan);
        Ok(plan)
    }
}

fn data_type(dtype: Dtype) -> sys::cudaDataType {
    match dtype {
        Dtype::F32 => sys::cudaDataType::CUDA_R_32F,
        Dtype::Bf16 => sys::cudaDataType::CUDA_R_16BF,
    }
}

/// # Safety
/// A live handle.
unsafe fn make_plan(handle: sys::cublasLtHandle_t, shape: Shape, is_hopper: bool) -> Result<Plan, ComputeError> {
    use sys::cublasLtMatmulDescAttributes_t as Desc;
    use sys::cublasLtMatmulPreferenceAttributes_t as Pref;
    let [m, n, k, lda, ldb] = shape.sizes;
    let [ta, tb] = shape.transposed;
    let fail = || fail("plan of a matrix product");
    let desc = result::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, sys::cudaDataType::CUDA_R_32F).map_err(fail())?;
    // The row-major product d = a b is, column-major, dᵀ = bᵀ aᵀ: cuBLASLt's first operand is our b.
    let (first_operation, second_operation, workspace) = (i32::from(tb), i32::from(ta), WORKSPACE);
    // SAFETY: attributes with the sizes that the library documents; descriptors made above.
    unsafe {
        let set = |attribute, value: *const c_void, size| result::set_matmul_desc_attribute(desc, attribute, value, size).map_err(fail());
        set(Desc::CUBLASLT_MATMUL_DESC_TRANSA, (&raw const first_operation).cast(), 4)?;
        set(Desc::CUBLASLT_MATMUL_DESC_TRANSB, (&raw const second_operation).cast(), 4)?;
        if shape.has_bias {
            let epilogue = sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS;
            set(Desc::CUBLASLT_MATMUL_DESC_EPILOGUE, (&raw const epilogue).cast(), size_of_val(&epilogue))?;
            let bias: u64 = shape.alignment;
            set(Desc::CUBLASLT_MATMUL_DESC_BIAS_POINTER, (&raw const bias).cast(), 8)?;
        }
        let layout = |dtype, rows: usize, cols: usize, ld: usize| {
            result::create_matrix_layout(data_type(dtype), rows as u64, cols as u64, ld as i64).map_err(fail())
        };
        let first = if tb { layout(shape.types[1], k, n, ldb)? } else { layout(shape.types[1], n, k, ldb)? };
        let second = if ta { layout(shape.types[0], m, k, lda)? } else { layout(shape.types[0], k, m, lda)? };
        let d = layout(shape.types[2], n, m, n)?;
        let preference = result::create_matmul_pref().map_err(fail())?;
        let prefer =
            |attribute, value: *const c_void, size| result::set_matmul_pref_attribute(preference, attribute, value, size).map_err(fail());
        prefer(Pref::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (&raw const workspace).cast(), size_of::<usize>())?;
        let alignment = shape.alignment as u32;
        for attribute in [
            Pref::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
            Pref::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
            Pref::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
            Pref::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
        ] {
            prefer(attribute, (&raw const alignment).cast(), 4)?;
        }
        let (mut candidates, mut n_found) = ([const { MaybeUninit::uninit() }; MAX_CANDIDATES], 0);
        let status = sys::cublasLtMatmulAlgoGetHeuristic(
            handle,
            desc,
            first,
            second,
            d,
            d,
            preference,
            MAX_CANDIDATES as i32,
            candidates.as_mut_ptr().cast(),
            &raw mut n_found,
        );
        let _ = result::destroy_matmul_pref(preference);
        // The library has written the first `n_found`.
        let found = candidates[..n_found as usize].iter().map(|candidate: &MaybeUninit<Candidate>| candidate.assume_init());
        let found: Vec<Candidate> = found.filter(|candidate| candidate.state.result().is_ok()).collect();
        let prefers_medium = is_hopper && shape.types[0] == Dtype::Bf16;
        let choice = if prefers_medium { choose(&found.iter().map(Traits::of).collect::<Vec<_>>()) } else { 0 };
        let chosen = status.result().ok().and_then(|()| found.get(choice));
        Ok(chosen.map(|chosen| Planned { desc, a: first, b: second, d, algo: chosen.algo }))
    }
}

/// What tells whether a candidate is preferred.
#[derive(Clone, Copy, Debug)]
struct Traits {
    /// Number of a `cublasLtMatmulTile_t`.
    tile: u32,
    /// Parts that the sum over k is cut into.
    n_splits: u32,
    /// Tiles for each that the device works on at once.
    waves: f32,
}

impl Traits {
    fn of(candidate: &Candidate) -> Self {
        use sys::cublasLtMatmulAlgoConfigAttributes_t::{CUBLASLT_ALGO_CONFIG_SPLITK_NUM, CUBLASLT_ALGO_CONFIG_TILE_ID};
        // What cannot be read stays 0, which no rule prefers.
        let [tile, n_splits] = [CUBLASLT_ALGO_CONFIG_TILE_ID, CUBLASLT_ALGO_CONFIG_SPLITK_NUM].map(|attribute| {
            let mut value = 0_u32;
            let into = (&raw mut value).cast();
            // SAFETY: an algorithm that the library made, and two attributes of this size.
            let _ = unsafe {
                sys::cublasLtMatmulAlgoConfigGetAttribute(&candidate.algo, attribute, into, size_of::<u32>(), std::ptr::null_mut())
            };
            value
        });
        Self { tile, n_splits, waves: candidate.wavesCount }
    }
}

/// The first of [`MEDIUM_TILES`] that does not cut the sum over k, where the library's first choice has two tiles or more for each
/// processor, or that choice.
fn choose(candidates: &[Traits]) -> usize {
    let is_medium = |candidate: &Traits| candidate.n_splits == 1 && MEDIUM_TILES.iter().any(|&tile| candidate.tile == tile as u32);
    let looks_further = candidates.first().is_some_and(|first| first.waves >= 2.0);
    if looks_further { candidates.iter().position(is_medium).unwrap_or(0) } else { 0 }
}

impl CudaDevice {
    /// Enqueues a product.
    pub(crate) fn multiply(&self, p: Product<'_>) {
        if p.m == 0 || p.n == 0 {
            return;
        }
        self.bind();
        self.keep(self.try_multiply(p));
    }

    fn try_multiply(&self, p: Product<'_>) -> Result<(), ComputeError> {
        let pointers = [p.a.span.ptr, p.b.span.ptr, p.d.ptr, p.addend.map_or(0, |c| c.ptr), p.bias.map_or(0, |c| c.ptr)];
        let lowest = pointers.iter().fold(256_u64, |all, ptr| all | ptr);
        let shape = Shape {
            sizes: [p.m, p.n, p.k, p.a.stride, p.b.stride],
            transposed: [p.a.transposed, p.b.transposed],
            types: [p.a.span.dtype, p.b.span.dtype, p.d.dtype],
            accumulates: p.addend.is_some(),
            has_bias: p.bias.is_some(),
            alignment: 1 << lowest.trailing_zeros(),
        };
        let mut matmul = lock(&self.inner.matmul);
        let plan = if p.k == 0 { None } else { matmul.plan(shape)? };
        let Some(plan) = plan else {
            drop(matmul);
            self.multiply_plainly(p);
            return Ok(());
        };
        let (alpha, beta) = (1.0_f32, if p.addend.is_some() { 1.0_f32 } else { 0.0 });
        // SAFETY: plan and operands have the same shapes; the bias pointer is set under the lock and read by the call.
        unsafe {
            if let Some(bias) = p.bias {
                let attribute = sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER;
                result::set_matmul_desc_attribute(plan.desc, attribute, (&raw const bias.ptr).cast(), 8).map_err(fail("bias"))?;
            }
            result::matmul(
                matmul.handle,
                plan.desc,
                (&raw const alpha).cast(),
                (&raw const beta).cast(),
                p.b.span.ptr as *const c_void,
                plan.a,
                p.a.span.ptr as *const c_void,
                plan.b,
                p.addend.unwrap_or(p.d).ptr as *const c_void,
                plan.d,
                p.d.ptr as *mut c_void,
                plan.d,
                &raw const plan.algo,
                matmul.workspace as *mut c_void,
                WORKSPACE,
                self.stream().cast(),
            )
            .map_err(fail("matrix product"))
        }
    }

    /// One thread for each element: for shapes whose rows are not aligned well enough for cuBLASLt.
    pub(super) fn multiply_plainly(&self, p: Product<'_>) {
        let dtype = p.a.span.dtype;
        assert_eq!(dtype, p.b.span.dtype, "operands of one format");
        let strides = |x: Operand<'_>| if x.transposed { (1, x.stride) } else { (x.stride, 1) };
        let ((a_row, a_col), (b_row, b_col)) = (strides(p.a), strides(p.b));
        let name = if p.d.dtype == dtype { "multiply" } else { "multiply_to_f32" };
        let args = [
            p.d.into(),
            p.addend.into(),
            p.bias.into(),
            p.a.span.into(),
            p.b.span.into(),
            p.m.into(),
            p.n.into(),
            p.k.into(),
            a_row.into(),
            a_col.into(),
            b_row.into(),
            b_col.into(),
        ];
        self.launch(Kernel::new(&SOURCE, dtype, name), (blocks(p.m * p.n, 256), 1, 1), 256, 0, &args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medium_tiles_are_chosen_where_there_are_enough() {
        use sys::cublasLtMatmulTile_t::{CUBLASLT_MATMUL_TILE_128x128, CUBLASLT_MATMUL_TILE_176x128, CUBLASLT_MATMUL_TILE_256x128};
        let large = Traits { tile: CUBLASLT_MATMUL_TILE_256x128 as u32, n_splits: 1, waves: 2.9 };
        let medium = Traits { tile: CUBLASLT_MATMUL_TILE_176x128 as u32, waves: 4.2, ..large };
        let other_medium = Traits { tile: CUBLASLT_MATMUL_TILE_128x128 as u32, ..medium };
        let split = Traits { n_splits: 2, ..medium };
        let few = Traits { waves: 1.9, ..large };
        for (candidates, expected) in [
            (&[large, large, medium, other_medium][..], 2),
            (&[medium, large, other_medium], 0),
            (&[large, split, other_medium], 2),
            (&[split, medium], 1),
            (&[large, large, split], 0),
            (&[few, medium], 0),
            (&[], 0),
        ] {
            assert_eq!(choose(candidates), expected, "{candidates:?}");
        }
    }
}
