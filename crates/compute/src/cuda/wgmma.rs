//! What kernels for `wgmma` and the copy engine need from the host, compute capability 9.0: their instructions as text, and maps of
//! matrices.

#![expect(unsafe_code, reason = "calls of the driver")]

use std::fmt::Write as _;

use cudarc::driver::sys;

use super::CudaDevice;
use super::memory::{Dtype, Span};
use crate::device::ComputeError;

/// Columns of a tile in shared memory: 128 bytes, as wide as the swizzle.
pub(crate) const TILE_COLS: usize = 64;

/// Where an operand of the instruction is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// The first one in registers.
    InRegisters,
    /// In a tile whose columns are those of k.
    Across,
    /// The second one in a tile whose rows are those of k.
    Down,
}

/// A function `name(d, a, b, adds)` in CUDA C: d `[64, cols]` (+)= a `[64, 16]` · b `[16, cols]`, by the four warps of a group. The
/// compiler wants every register by name.
pub(crate) fn instruction(name: &str, cols: usize, a: Lies, b: Lies) -> String {
    assert!(a != Lies::Down && b != Lies::InRegisters, "the first operand is never read down a tile, the second never in registers");
    let n = cols / 2;
    let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(", ");
    let results = list(&mut (0..n).map(|i| format!("%{i}")));
    let outputs = list(&mut (0..n).map(|i| format!("\"+f\"(d[{i}])")));
    let (parameter, n_a, inputs, transposed_a) = match a {
        Lies::InRegisters => ("const u32* a", 4, list(&mut (0..4).map(|i| format!("\"r\"(a[{i}])"))), ""),
        Lies::Across | Lies::Down => ("u64 a", 1, "\"l\"(a)".to_owned(), ", 0"),
    };
    let registers_a = list(&mut (n..n + n_a).map(|i| format!("%{i}")));
    let first = if n_a == 1 { registers_a } else { format!("{{{registers_a}}}") };
    let (second, adds, transposed_b) = (n + n_a, n + n_a + 1, u8::from(b == Lies::Down));
    let mut text = String::new();
    let _ = write!(
        text,
        "__device__ __forceinline__ void {name}(float* d, {parameter}, u64 b, int adds) {{\n\
         asm volatile(\"{{\\n.reg .pred p;\\nsetp.ne.b32 p, %{adds}, 0;\\n\"\n\
         \"wgmma.mma_async.sync.aligned.m64n{cols}k16.f32.bf16.bf16 {{{results}}}, {first}, %{second}, p, 1, 1{transposed_a}, {transposed_b};\\n}}\"\n\
         : {outputs} : {inputs}, \"l\"(b), \"r\"(adds));\n}}\n"
    );
    text
}

impl CudaDevice {
    /// Whether it has these instructions, and compiler and driver know them: they are of one architecture only.
    pub(crate) fn has_wgmma(&self) -> bool {
        self.inner.has_wgmma
    }

    /// A matrix `[rows, cols]` in bf16 as the copy engine sees it, in boxes of `box_rows` rows and [`TILE_COLS`] columns. It starts
    /// aligned to 16 bytes, and so do its rows.
    pub(crate) fn tensor_map(&self, span: Span<'_>, [rows, cols]: [usize; 2], box_rows: usize) -> Result<sys::CUtensorMap, ComputeError> {
        assert!(span.dtype == Dtype::Bf16 && span.len == rows * cols, "a matrix of {rows} x {cols} in bf16");
        self.bind();
        let mut map = sys::CUtensorMap { opaque: [0; 16] };
        let (sizes, stride) = ([cols as u64, rows as u64], [cols as u64 * 2]);
        let (box_sizes, steps) = ([TILE_COLS as u32, box_rows as u32], [1_u32; 2]);
        // SAFETY: the lists are as long as the rank says, or one less for strides; the address is only stored.
        let made = unsafe {
            sys::cuTensorMapEncodeTiled(
                &raw mut map,
                sys::CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                2,
                span.ptr as *mut _,
                sizes.as_ptr(),
                stride.as_ptr(),
                box_sizes.as_ptr(),
                steps.as_ptr(),
                sys::CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
                sys::CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_128B,
                sys::CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                sys::CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            )
        };
        made.result().map_err(|error| ComputeError::driver("map of a matrix", error))?;
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_names_every_register_once() {
        let text = instruction("both_in_tiles", 64, Lies::Across, Lies::Across);
        assert!(text.contains("m64n64k16") && text.contains("%31}, %32, %33, p, 1, 1, 0, 0;") && text.contains("p, %34, 0"), "{text}");
        assert!(text.contains("d[31]") && !text.contains("d[32]"));
        let text = instruction("first_in_registers", 128, Lies::InRegisters, Lies::Down);
        assert!(text.contains("%63}, {%64, %65, %66, %67}, %68, p, 1, 1, 1;") && text.contains("p, %69, 0"), "{text}");
    }
}
