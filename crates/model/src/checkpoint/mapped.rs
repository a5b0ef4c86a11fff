//! Files mapped into memory: the one place of this crate with unsafe code.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::ModelError;

/// Maps a whole file for reading.
///
/// The bytes belong to the file: whoever shortens it while it is mapped ends this process with a bus error. Checkpoints are
/// replaced by renaming, never changed in place, so ours cannot do that.
#[expect(unsafe_code, reason = "mapping is the only way to read tensors of a large file without copying it")]
pub(crate) fn map(path: &Path) -> Result<Mmap, ModelError> {
    let file = File::open(path).map_err(ModelError::io("open", path))?;
    let is_file = file.metadata().map_err(ModelError::io("read the size of", path))?.is_file();
    if !is_file {
        return Err(ModelError::key("file type", "a regular file", "another kind").at(path));
    }
    // SAFETY: the map is read-only and private to this process, and bytes are only ever read as `u8`, for which every value is
    // valid. A file that another process changes meanwhile gives other numbers; one that it shortens raises SIGBUS as said above.
    unsafe { Mmap::map(&file) }.map_err(ModelError::io("map", path))
}
