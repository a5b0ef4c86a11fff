KERNEL fill(real* x, i64 n, float value) {
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) x[i] = from_f32<real>(value);
}

KERNEL add(real* y, const real* x, i64 n) {
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x)
    y[i] = from_f32<real>(to_f32(y[i]) + to_f32(x[i]));
}

KERNEL cast_from_f32(real* y, const float* x, i64 n) {
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) y[i] = from_f32<real>(x[i]);
}

// y[i] = x[rows[i]], or y[rows[i]] = x[i] if scatter.
template <int N>
__device__ void move_rows(real* y, const real* x, const u32* rows, int n, int cols, int scatter) {
  int per_row = cols / N;
  i64 item = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (i64)n * per_row) return;
  wait_for_inputs();
  i64 i = item / per_row, c = item % per_row * N, other = rows[i];
  float v[N];
  load<N>(x + (scatter ? i : other) * cols + c, v);
  store<N>(y + (scatter ? other : i) * cols + c, v);
}
WIDTHS(move_rows, (real* y, const real* x, const u32* rows, int n, int cols, int scatter), (y, x, rows, n, cols, scatter))

// y[i] = scale factors[i] x[i], rows as far apart as the strides say; may be in place.
template <int N>
__device__ void scale_rows(real* y, const real* x, const float* factors, int n, int cols, int y_stride, int x_stride, float scale) {
  int per_row = cols / N;
  i64 item = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (i64)n * per_row) return;
  wait_for_inputs();
  i64 i = item / per_row, c = item % per_row * N;
  float v[N], factor = scale * factors[i];
  load<N>(x + i * x_stride + c, v);
#pragma unroll
  for (int j = 0; j < N; j++) v[j] *= factor;
  store<N>(y + i * y_stride + c, v);
}
WIDTHS(scale_rows, (real* y, const real* x, const float* factors, int n, int cols, int y_stride, int x_stride, float scale),
       (y, x, factors, n, cols, y_stride, x_stride, scale))

// One sum for each block, of a share that depends on n alone.
KERNEL sum_squares(double* partial, const real* x, i64 n) {
  __shared__ double sums[8];
  double sum = 0.0;
  for (i64 i = (i64)blockIdx.x * 256 + threadIdx.x; i < n; i += (i64)gridDim.x * 256 * 8) {
    float part = 0.0f;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      i64 at = i + (i64)j * gridDim.x * 256;
      float v = at < n ? to_f32(x[at]) : 0.0f;
      part = fmaf(v, v, part);
    }
    sum += part;
  }
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    double total = 0.0;
    for (int w = 0; w < 8; w++) total += sums[w];
    partial[blockIdx.x] = total;
  }
}
