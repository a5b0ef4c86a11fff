//! Kernels by name, and their launch.

#![expect(unsafe_code, reason = "calls of the driver")]

use std::ffi::{CString, c_void};

use cudarc::driver::{result, sys};

use super::memory::{Dtype, Span};
use super::{CudaDevice, compile, lock};
use crate::device::ComputeError;

/// One file of kernels.
#[derive(Debug)]
pub(crate) struct Source {
    pub name: &'static str,
    pub text: &'static str,
    /// Text that comes before it, for these constants.
    pub generated: Option<fn([usize; 2]) -> String>,
}

/// A static [`Source`]: its name, its files beside the module, the function that writes what comes before them; and the formats,
/// constants and architectures that it is used for, with a test that it compiles for them. If nothing else is said, that is both
/// formats, no constants, all architectures.
macro_rules! kernels {
    ($source:ident = $name:literal, $files:tt) => {
        kernels!($source = $name, $files, for [F32, Bf16], with [[0, 0]]);
    };
    ($source:ident = $name:literal, $files:tt, for $dtypes:tt, with $consts:expr) => {
        // The oldest, the first that launches early, and the newest.
        kernels!($source = $name, $files, for $dtypes, with $consts, on [80, 90, 120]);
    };
    ($source:ident = $name:literal, $files:tt, for $dtypes:tt, with $consts:expr, on $capabilities:expr) => {
        kernels!(@ $source, $name, $files, None, $dtypes, $consts, $capabilities);
    };
    ($source:ident = $name:literal, $files:tt after $generated:ident, for $dtypes:tt, with $consts:expr, on $capabilities:expr) => {
        kernels!(@ $source, $name, $files, Some($generated), $dtypes, $consts, $capabilities);
    };
    (@ $source:ident, $name:literal, [$($file:literal),+], $generated:expr, [$($dtype:ident),+], $consts:expr, $capabilities:expr) => {
        static $source: $crate::cuda::Source =
            $crate::cuda::Source { name: $name, text: concat!($(include_str!($file)),+), generated: $generated };

        #[cfg(test)]
        #[expect(non_snake_case, reason = "the test of a static")]
        mod $source {
            #[test]
            fn compiles() {
                use $crate::cuda::memory::Dtype;
                $crate::cuda::assert_compiles(&super::$source, &[$(Dtype::$dtype),+], &$consts, &$capabilities);
            }
        }
    };
}
pub(crate) use kernels;

/// A kernel: its file, what `real` stands for in it, and its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    pub source: &'static Source,
    pub dtype: Dtype,
    pub name: &'static str,
    /// What `CONST_0` and `CONST_1` stand for: sizes that the compiler must know.
    pub consts: [usize; 2],
    /// See [`Kernel::early`].
    pub is_early: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    function: sys::CUfunction,
    shared: u32,
}

/// A kernel's argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Ptr(u64),
    Map(&'a sys::CUtensorMap),
    Int(i32),
    Long(i64),
    Float(f32),
}

impl Kernel {
    pub(crate) fn new(source: &'static Source, dtype: Dtype, name: &'static str) -> Self {
        Self { source, dtype, name, consts: [0, 0], is_early: false }
    }

    /// The kernel may start while the one before it still runs: it calls `wait_for_inputs` before it writes anything, and before it
    /// reads what a kernel that may still run writes (programmatic dependent launch, from compute capability 9.0 on). Such kernels may
    /// start several ahead; what lies behind a launch that is not early, a copy from the host or the border of a graph has ended.
    pub(crate) fn early(self) -> Self {
        Self { is_early: true, ..self }
    }

    /// The kernel for these constants.
    pub(crate) fn with(self, consts: [usize; 2]) -> Self {
        Self { consts, ..self }
    }

    /// The kernel of a pair `[.., 8 numbers at a time; .., 1 at a time]` for this width.
    pub(crate) fn wide(source: &'static Source, dtype: Dtype, names: [&'static str; 2], width: usize) -> Self {
        Self::new(source, dtype, names[usize::from(width == 1)])
    }
}

impl From<Span<'_>> for Arg<'_> {
    fn from(span: Span<'_>) -> Self {
        Self::Ptr(span.ptr)
    }
}
/// No address where there is nothing.
impl From<Option<Span<'_>>> for Arg<'_> {
    fn from(span: Option<Span<'_>>) -> Self {
        Self::Ptr(span.map_or(0, |span| span.ptr))
    }
}
impl From<usize> for Arg<'_> {
    fn from(n: usize) -> Self {
        Self::Int(i32::try_from(n).expect("sizes of kernels fit 31 bits"))
    }
}
impl From<f32> for Arg<'_> {
    fn from(x: f32) -> Self {
        Self::Float(x)
    }
}

/// How many blocks of `per_block` cover `n`.
pub(crate) fn blocks(n: usize, per_block: usize) -> u32 {
    n.div_ceil(per_block) as u32
}

/// Dynamic shared memory that a block gets without asking, with room for what kernels declare themselves.
const DEFAULT_SHARED: u32 = 40 << 10;

impl CudaDevice {
    /// Enqueues a kernel. A grid without blocks is no work.
    pub(crate) fn launch(&self, kernel: Kernel, grid: (u32, u32, u32), threads: u32, shared: u32, args: &[Arg<'_>]) {
        if grid.0 == 0 || grid.1 == 0 || grid.2 == 0 {
            return;
        }
        self.bind();
        self.keep(self.try_launch(kernel, grid, threads, shared, args));
    }

    fn try_launch(&self, kernel: Kernel, grid: (u32, u32, u32), threads: u32, shared: u32, args: &[Arg<'_>]) -> Result<(), ComputeError> {
        let function = self.function(kernel, shared)?;
        let mut pointers: [*mut c_void; 24] = [std::ptr::null_mut(); 24];
        for (pointer, arg) in pointers.iter_mut().zip(args) {
            *pointer = match arg {
                Arg::Map(map) => std::ptr::from_ref(*map).cast_mut().cast(),
                Arg::Ptr(x) => std::ptr::from_ref(x).cast_mut().cast(),
                Arg::Int(x) => std::ptr::from_ref(x).cast_mut().cast(),
                Arg::Long(x) => std::ptr::from_ref(x).cast_mut().cast(),
                Arg::Float(x) => std::ptr::from_ref(x).cast_mut().cast(),
            };
        }
        assert!(args.len() <= pointers.len(), "{}: too many arguments", kernel.name);
        // SAFETY: all zeros is a value of this plain structure; those that matter are set.
        let mut attribute: sys::CUlaunchAttribute = unsafe { std::mem::zeroed() };
        attribute.id = sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        attribute.value.programmaticStreamSerializationAllowed = 1;
        let config = sys::CUlaunchConfig {
            gridDimX: grid.0,
            gridDimY: grid.1,
            gridDimZ: grid.2,
            blockDimX: threads,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: shared,
            hStream: self.stream(),
            attrs: &raw mut attribute,
            numAttrs: u32::from(kernel.is_early && self.inner.capability >= 90),
        };
        // SAFETY: the arguments have the types of the kernel's parameters, which the conformance suite exercises; the driver
        // copies them and the configuration before it returns.
        let launched = unsafe { sys::cuLaunchKernelEx(&raw const config, function, pointers.as_mut_ptr(), std::ptr::null_mut()) };
        launched.result().map_err(|error| ComputeError::driver(kernel.name, error))
    }

    fn function(&self, kernel: Kernel, shared: u32) -> Result<sys::CUfunction, ComputeError> {
        let key = ((kernel.source.name, kernel.dtype, kernel.consts), kernel.name);
        let mut functions = lock(&self.inner.functions);
        let function = match functions.get_mut(&key) {
            Some(function) => function,
            None => {
                let module = self.module(kernel)?;
                let name = CString::new(kernel.name).expect("names of kernels hold no zero");
                // SAFETY: the module is loaded for the life of the process.
                let function =
                    unsafe { result::module::get_function(module, name) }.map_err(|error| ComputeError::driver(kernel.name, error))?;
                functions.entry(key).or_insert(Function { function, shared: DEFAULT_SHARED })
            }
        };
        if shared > function.shared {
            let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: a function of a loaded module.
            let set = unsafe { result::function::set_function_attribute(function.function, attribute, shared as i32) };
            set.map_err(|error| ComputeError::driver(kernel.name, error))?;
            function.shared = shared;
        }
        Ok(function.function)
    }

    fn module(&self, kernel: Kernel) -> Result<sys::CUmodule, ComputeError> {
        let key = (kernel.source.name, kernel.dtype, kernel.consts);
        let mut modules = lock(&self.inner.modules);
        if let Some(&module) = modules.get(&key) {
            return Ok(module as sys::CUmodule);
        }
        let cache = self.inner.options.cache.as_deref();
        let image = compile::image(kernel, self.inner.capability, cache)?;
        // PTX must end in a zero; to machine code one byte more is nothing.
        let image = [image, vec![0]].concat();
        // SAFETY: an image of the compiler, for this device.
        let module =
            unsafe { result::module::load_data(image.as_ptr().cast()) }.map_err(|error| ComputeError::driver(kernel.source.name, error))?;
        modules.insert(key, module as usize);
        Ok(module)
    }
}
