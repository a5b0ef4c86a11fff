//! Recorded sequences of launches, replayed with one call.

#![expect(unsafe_code, reason = "calls of the driver")]

use std::collections::HashMap;

use cudarc::driver::{result, sys};

use super::CudaDevice;
use crate::device::ComputeError;

/// A recorded sequence. What it reads and writes must be where it was when it was recorded.
#[derive(Debug)]
pub(crate) struct Graph {
    graph: sys::CUgraph,
    exec: sys::CUgraphExec,
    device: CudaDevice,
}

// SAFETY: graphs of the driver may be launched from any thread; a launch needs `&self` of the owner only.
unsafe impl Send for Graph {}
// SAFETY: as above.
unsafe impl Sync for Graph {}

impl CudaDevice {
    /// Records what `f` enqueues instead of doing it.
    pub(crate) fn record(&self, f: impl FnOnce()) -> Result<Graph, ComputeError> {
        let fail = |error| ComputeError::driver("recording", error);
        self.synchronize()?;
        // SAFETY: the stream is idle; whatever `f` enqueues comes from this thread.
        unsafe {
            let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
            result::stream::begin_capture(self.stream(), mode).map_err(fail)?;
            f();
            let graph = result::stream::end_capture(self.stream()).map_err(fail)?;
            let exec = result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)).map_err(fail)?;
            Ok(Graph { graph, exec, device: self.clone() })
        }
    }
}

/// Graphs by key.
#[derive(Debug, Default)]
pub(crate) struct Graphs {
    /// `None`: done once without recording, which compiles kernels, makes plans and takes scratch memory.
    by_key: HashMap<u64, Option<Graph>>,
}

impl Graphs {
    /// Does `f` the first time, records it the second, and replays it from then on.
    pub(crate) fn replay(&mut self, device: &CudaDevice, key: u64, mut f: impl FnMut()) {
        match self.by_key.get(&key) {
            Some(Some(graph)) => graph.replay(),
            Some(None) => match device.record(&mut f) {
                Ok(graph) => {
                    graph.replay();
                    self.by_key.insert(key, Some(graph));
                }
                Err(error) => device.keep(Err(error)),
            },
            None => {
                f();
                self.by_key.insert(key, None);
            }
        }
    }
}

impl Graph {
    /// Enqueues the sequence.
    pub(crate) fn replay(&self) {
        self.device.bind();
        // SAFETY: the graph is alive.
        let launched = unsafe { result::graph::launch(self.exec, self.device.stream()) };
        self.device.keep(launched.map_err(|error| ComputeError::driver("replay", error)));
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.device.bind();
        // SAFETY: both are alive and dropped once; the driver keeps what is still running.
        unsafe {
            let _ = result::graph::exec_destroy(self.exec);
            let _ = result::graph::destroy(self.graph);
        }
    }
}
