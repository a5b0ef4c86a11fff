//! What devices say of themselves.

use ruminate_compute::{ComputeError, CudaOptions, Device};

use crate::cases::*;

#[test]
fn the_cpu_waits_for_nothing_and_has_no_memory_of_its_own() {
    let device = Device::Cpu;
    assert_eq!((device.name(), device.float_bytes(), device.steps_ahead()), ("cpu", 4, 1));
    assert_eq!((device.decode_rows(37), device.memory_bytes(), device.peak_bytes()), (37, None, None));
    device.synchronize().unwrap();
}

#[test]
fn a_missing_library_is_told_with_its_names_and_where_it_was_looked_for() {
    let options = CudaOptions { library_dirs: vec!["/no/such/place".into()], ..CudaOptions::default() };
    match Device::cuda(options) {
        Ok(device) => println!("skipped: this machine has {device:?}"),
        Err(error @ ComputeError::MissingLibrary { .. }) => {
            let message = error.to_string();
            assert!(message.contains(".so") && message.contains("/no/such/place") && message.contains("LD_LIBRARY_PATH"), "{message}");
        }
        // A driver without a device, as on some servers.
        Err(error) => println!("skipped: {error}"),
    }
}

#[test]
fn too_much_memory_is_an_error_that_says_how_much() {
    for Target { device, .. } in devices() {
        let (rows, cols) = (1 << 30, 1 << 20);
        let error = device.zeros_f32(rows, cols).unwrap_err();
        assert!(error.to_string().contains(&format!("{rows} x {cols}")), "{error}");
        // The device goes on.
        device.synchronize().unwrap();
        assert_eq!(upload_f32(&device, 1, 2, &[1.0, 2.0]).to_vec().unwrap(), [1.0, 2.0]);
    }
}
