//! Kernels are compiled when they are first used, and the result is kept under a hash of everything it depends on.

#![expect(unsafe_code, reason = "calls of NVRTC")]

use std::ffi::{CString, c_char};

use cudarc::nvrtc::result::{NvrtcError, compile_program, create_program, destroy_program, get_program_log};
use cudarc::nvrtc::sys;

use super::KernelCache;
use super::launch::{Kernel, Source};
use super::memory::Dtype;
use crate::device::ComputeError;

/// What every kernel file starts with.
const PRELUDE: &str = include_str!("prelude.cuh");

/// Machine code (or PTX for architectures newer than the compiler) of one file of kernels.
pub(super) fn image(kernel: Kernel, capability: u32, cache: Option<&dyn KernelCache>) -> Result<Vec<u8>, ComputeError> {
    let (Source { name, text, generated }, [a, b]) = (kernel.source, kernel.consts);
    let generated = generated.map_or_else(String::new, |generate| generate(kernel.consts));
    let real = match kernel.dtype {
        Dtype::F32 => "float",
        Dtype::Bf16 => "bf16",
    };
    let source =
        format!("{PRELUDE}\ntypedef {real} real;\n#define CONST_0 {a}\n#define CONST_1 {b}\n{generated}#line 1 \"{name}.cu\"\n{text}");
    let (target, is_ptx) = target(capability)?;
    let (major, minor) = version()?;
    let version = format!("{major}.{minor}");
    let mut hash = blake3::Hasher::new();
    for part in [&target, &version, &source] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    let cached = format!("{name}-{real}-{target}-{}", &hash.finalize().to_hex()[..24]);
    if let Some(image) = cache.and_then(|cache| cache.load(&cached)).filter(|image| !image.is_empty()) {
        return Ok(image);
    }
    let image = compile(name, &source, &target, is_ptx)?;
    if let Some(cache) = cache {
        cache.store(&cached, &image);
    }
    Ok(image)
}

/// The architecture to compile for: the device's own, or PTX of the newest that the compiler knows.
fn target(capability: u32) -> Result<(String, bool), ComputeError> {
    let mut n = 0;
    // SAFETY: plain out-parameters; the list has as many elements as the compiler says.
    let architectures = unsafe {
        check(sys::nvrtcGetNumSupportedArchs(&raw mut n))?;
        let mut list = vec![0_i32; n as usize];
        check(sys::nvrtcGetSupportedArchs(list.as_mut_ptr()))?;
        list
    };
    if architectures.contains(&(capability as i32)) {
        let own = if has_own_instructions(capability)? { "a" } else { "" };
        return Ok((format!("sm_{capability}{own}"), false));
    }
    let newest = architectures.into_iter().filter(|&a| a <= capability as i32).max().unwrap_or(80);
    Ok((format!("compute_{newest}"), true))
}

/// Whether code for this architecture may use the instructions that it alone has: `sm_90a`, which compilers know since 12.0.
pub(super) fn has_own_instructions(capability: u32) -> Result<bool, ComputeError> {
    Ok(capability == 90 && version()?.0 >= 12)
}

/// Whether code for this architecture may use clusters of blocks and bulk copies to the L2 cache.
pub(super) fn has_clusters(capability: u32) -> Result<bool, ComputeError> {
    Ok(capability >= 90 && version()?.0 >= 12)
}

fn version() -> Result<(i32, i32), ComputeError> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: plain out-parameters.
    unsafe { check(sys::nvrtcVersion(&raw mut major, &raw mut minor))? };
    Ok((major, minor))
}

fn check(status: sys::nvrtcResult) -> Result<(), ComputeError> {
    status.result().map_err(|NvrtcError(code)| ComputeError::Compile { file: "NVRTC", log: format!("{code:?}") })
}

fn compile(name: &'static str, source: &str, target: &str, is_ptx: bool) -> Result<Vec<u8>, ComputeError> {
    let failed = |log: String| ComputeError::Compile { file: name, log };
    let text = CString::new(source).map_err(|error| failed(error.to_string()))?;
    let program = create_program(&text, None).map_err(|error| failed(format!("{error:?}")))?;
    let options = [format!("--gpu-architecture={target}"), "--std=c++17".into(), "--extra-device-vectorization".into()];
    // SAFETY: the program lives until it is destroyed below, once; the buffer is as long as the compiler says.
    unsafe {
        let compiled = compile_program(program, &options);
        let outcome = match compiled {
            Err(_) => {
                let log = get_program_log(program).unwrap_or_default();
                let bytes: Vec<u8> = log.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
                Err(failed(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Ok(()) => fetch(program, is_ptx),
        };
        let _ = destroy_program(program);
        outcome
    }
}

/// # Safety
/// `program` was compiled.
unsafe fn fetch(program: sys::nvrtcProgram, is_ptx: bool) -> Result<Vec<u8>, ComputeError> {
    let mut size = 0_usize;
    // SAFETY: the caller's promise; the buffer is as long as the compiler says.
    unsafe {
        if is_ptx {
            check(sys::nvrtcGetPTXSize(program, &raw mut size))?;
        } else {
            check(sys::nvrtcGetCUBINSize(program, &raw mut size))?;
        }
        let mut image = vec![0_u8; size];
        let data = image.as_mut_ptr().cast::<c_char>();
        check(if is_ptx { sys::nvrtcGetPTX(program, data) } else { sys::nvrtcGetCUBIN(program, data) })?;
        Ok(image)
    }
}

/// Compiles kernels for all combinations; needs NVRTC where the loader finds it, and no GPU.
#[cfg(test)]
pub(crate) fn assert_compiles(source: &'static Source, dtypes: &[Dtype], consts: &[[usize; 2]], capabilities: &[u32]) {
    if let Err(error) = super::library::load(super::library::NVRTC, &[]) {
        println!("skipped, kernels of {} are not compiled: {error}", source.name);
        return;
    }
    for (&dtype, &consts, &capability) in dtypes
        .iter()
        .flat_map(|dtype| consts.iter().flat_map(move |consts| capabilities.iter().map(move |capability| (dtype, consts, capability))))
    {
        let image = image(Kernel::new(source, dtype, "").with(consts), capability, None);
        assert!(!image.unwrap().is_empty(), "{}, {dtype:?}, {consts:?}, {capability}", source.name);
    }
}
