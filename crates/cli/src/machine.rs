//! What the system tells of this machine and of this process.

use ruminate_compute::Device;

/// The model of what computes, such as `NVIDIA H200`: of the GPU, or of the processor where the system tells it.
pub(crate) fn hardware(device: &Device) -> Option<String> {
    let of_cpu = || processor(&std::fs::read_to_string("/proc/cpuinfo").ok()?);
    device.model().map(str::to_owned).or_else(of_cpu)
}

/// Where something was computed, in words: `cpu (Some Processor), 2 threads`.
pub(crate) fn place(device: &str, hardware: Option<&str>, n_threads: Option<usize>) -> String {
    let hardware = hardware.map_or_else(String::new, |hardware| format!(" ({hardware})"));
    let threads = n_threads.map_or_else(String::new, |n| format!(", {n} thread{}", if n == 1 { "" } else { "s" }));
    format!("{device}{hardware}{threads}")
}

/// The model of the first processor in the text of `/proc/cpuinfo`, which has a line for it on x86 only.
fn processor(cpuinfo: &str) -> Option<String> {
    let of_line = |line: &str| line.strip_prefix("model name")?.trim_start().strip_prefix(':').map(|name| name.trim().to_owned());
    cpuinfo.lines().find_map(of_line).filter(|name| !name.is_empty())
}

/// The largest memory of this process so far.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Lets the largest memory start anew from what is in use now. Where the kernel does not allow it, peaks are those since the start of
/// the process: too large rather than too small.
pub(crate) fn reset_peak_bytes() {
    // 5 is the kernel's code for the peak resident set (proc_pid_clear_refs(5)).
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_have_the_name_that_the_system_gives_them() {
        let text = "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Some Processor 8481C\nprocessor\t: 1\nmodel name\t: Another\n";
        assert_eq!(processor(text).as_deref(), Some("Some Processor 8481C"));
        for without in ["", "processor\t: 0\nBogoMIPS\t: 50.00\n", "model name\t: \n"] {
            assert_eq!(processor(without), None);
        }
    }

    #[test]
    fn memory_is_known_on_linux() {
        if cfg!(target_os = "linux") {
            assert!(peak_bytes().unwrap() > 1 << 20);
        }
    }
}
