//! Finding the CUDA libraries at run time: nothing of CUDA is needed to build, and a machine without it loses nothing but
//! the device.

#![expect(unsafe_code, reason = "loading a shared library runs its constructors")]

use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use crate::device::ComputeError;

/// One library that the device needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needed {
    /// What it is, for messages.
    what: &'static str,
    /// File names, the newest first.
    names: &'static [&'static str],
}

/// The kernel driver's library, which every machine with a GPU driver has.
pub(super) const DRIVER: Needed = Needed { what: "the NVIDIA driver", names: &["libcuda.so.1", "libcuda.so"] };
/// The run-time compiler.
pub(super) const NVRTC: Needed =
    Needed { what: "the CUDA run-time compiler NVRTC", names: &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"] };
/// Matrix products.
pub(super) const CUBLASLT: Needed = Needed { what: "cuBLASLt", names: &["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"] };

/// Loads the library for the rest of the process, so that a later load by its name finds it wherever it lies.
///
/// # Errors
/// [`ComputeError::MissingLibrary`], with the names and the places that were tried.
pub(super) fn load(needed: Needed, dirs: &[PathBuf]) -> Result<(), ComputeError> {
    let by_loader = needed.names.iter().map(PathBuf::from);
    let in_dirs = dirs.iter().flat_map(|dir| needed.names.iter().map(move |name| dir.join(name)));
    let found = by_loader.chain(in_dirs.filter(|path| path.exists())).any(|path| open(&path));
    if found {
        return Ok(());
    }
    Err(ComputeError::MissingLibrary { what: needed.what, names: needed.names, places: places(dirs) })
}

fn open(path: &Path) -> bool {
    // SAFETY: CUDA's libraries are made to be loaded; their constructors touch nothing of ours.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    library.map(std::mem::forget).is_ok()
}

fn places(dirs: &[PathBuf]) -> String {
    let mut places = String::from("the system's loader (LD_LIBRARY_PATH, ldconfig)");
    for dir in dirs {
        places.push_str(", ");
        places.push_str(&dir.display().to_string());
    }
    places
}
