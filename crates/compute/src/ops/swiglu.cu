template <int N>
__device__ void swiglu_forward(real* y, const real* gate_up, int rows, int cols) {
  i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * N;
  if (at >= (i64)rows * cols) return;
  wait_for_inputs();
  i64 row = at / cols, in = row * 2 * cols + at % cols;
  float g[N], u[N];
  load<N>(gate_up + in, g);
  load<N>(gate_up + in + cols, u);
#pragma unroll
  for (int j = 0; j < N; j++) g[j] = g[j] * sigmoid(g[j]) * u[j];
  store<N>(y + at, g);
}
WIDTHS(swiglu_forward, (real* y, const real* gate_up, int rows, int cols), (y, gate_up, rows, cols))

// dy becomes y, rounded as `swiglu_forward` rounds it.
template <int N>
__device__ void swiglu_backward(real* gate_up, real* dy, int rows, int cols) {
  i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * N;
  if (at >= (i64)rows * cols) return;
  i64 row = at / cols, in = row * 2 * cols + at % cols;
  float g[N], u[N], d[N];
  load<N>(gate_up + in, g);
  load<N>(gate_up + in + cols, u);
  load<N>(dy + at, d);
#pragma unroll
  for (int j = 0; j < N; j++) {
    float s = sigmoid(g[j]), silu = g[j] * s;
    float y = silu * u[j];
    g[j] = d[j] * u[j] * (s + silu * (1.0f - s));
    u[j] = d[j] * silu;
    d[j] = y;
  }
  store<N>(gate_up + in, g);
  store<N>(gate_up + in + cols, u);
  store<N>(dy + at, d);
}
WIDTHS(swiglu_backward, (real* gate_up, real* dy, int rows, int cols), (gate_up, dy, rows, cols))
