//! What one process tree may use.

use serde::{Deserialize, Serialize};

/// What a program may use in one run, all its processes together unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall-clock time from the start of the program, in seconds.
    pub seconds: f64,
    /// Processor time in seconds. Without a control group that counts it, this holds for each process alone.
    pub cpu_seconds: f64,
    /// Memory in MiB, files in the working folder included. Without a memory control group, this holds for each process alone.
    pub mebibytes: u64,
    /// Bytes of standard output, of standard error, and of a frame on the channel, each, in KiB.
    pub output_kibibytes: u64,
    /// Files in the working folder, in MiB.
    pub disk_mebibytes: u64,
    /// Processes and threads that exist at one time.
    pub processes: u32,
    /// Open files of each process.
    pub open_files: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seconds: 10.0,
            cpu_seconds: 10.0,
            mebibytes: 1024,
            output_kibibytes: 8 * 1024,
            disk_mebibytes: 64,
            processes: 64,
            open_files: 256,
        }
    }
}

impl Limits {
    /// Limits of a compiler, which needs more than the programs that it makes.
    pub fn compile() -> Self {
        Self {
            seconds: 60.0,
            cpu_seconds: 60.0,
            mebibytes: 2048,
            output_kibibytes: 1024,
            disk_mebibytes: 512,
            processes: 256,
            open_files: 1024,
        }
    }

    /// Says what is wrong with the limits, if anything is.
    pub(crate) fn check(&self) -> Result<(), String> {
        // A year: longer times would overflow the clocks of some systems.
        const MOST_SECONDS: f64 = 31_536_000.0;
        // 1 PiB in MiB: bytes must fit 64 bits.
        const MOST: u64 = 1 << 30;
        for (name, value) in [("seconds", self.seconds), ("cpu_seconds", self.cpu_seconds)] {
            if !(value > 0.0 && value <= MOST_SECONDS) {
                return Err(format!("{name}: expected more than 0 and at most {MOST_SECONDS}, found {value}"));
            }
        }
        for (name, value) in [
            ("mebibytes", self.mebibytes),
            ("output_kibibytes", self.output_kibibytes),
            ("disk_mebibytes", self.disk_mebibytes),
            ("processes", self.processes.into()),
            ("open_files", self.open_files.into()),
        ] {
            if !(1..=MOST).contains(&value) {
                return Err(format!("{name}: expected 1 to {MOST}, found {value}"));
            }
        }
        Ok(())
    }

    pub(crate) fn output_bytes(&self) -> usize {
        usize::try_from(self.output_kibibytes.saturating_mul(1024)).unwrap_or(usize::MAX)
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk_mebibytes.saturating_mul(1 << 20)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.mebibytes.saturating_mul(1 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_mean_nothing_are_refused() {
        Limits::default().check().unwrap();
        Limits::compile().check().unwrap();
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(Limits { seconds, ..Limits::default() }.check().unwrap_err().starts_with("seconds: expected"), "{seconds}");
        }
        assert!(Limits { mebibytes: u64::MAX, ..Limits::default() }.check().is_err());
        assert!(Limits { processes: 0, ..Limits::default() }.check().is_err());
    }
}
