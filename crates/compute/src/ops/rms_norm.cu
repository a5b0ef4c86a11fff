// Any number of columns: one warp for each row.
template <int N>
__device__ void rms_forward(real* y, float* inv_rms, const real* x, const real* w, int rows, int cols, float eps) {
  int row = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  x += (i64)row * cols, y += (i64)row * cols;
  float sum = 0.0f;
  for (int i = lane * N; i < cols; i += 32 * N) {
    float v[N];
    load<N>(x + i, v);
#pragma unroll
    for (int j = 0; j < N; j++) sum = fmaf(v[j], v[j], sum);
  }
  float r = 1.0f / sqrtf(warp_sum(sum) / cols + eps);
  for (int i = lane * N; i < cols; i += 32 * N) {
    float v[N], u[N];
    load<N>(x + i, v);
    load<N>(w + i, u);
#pragma unroll
    for (int j = 0; j < N; j++) v[j] = v[j] * r * u[j];
    store<N>(y + i, v);
  }
  if (lane == 0) inv_rms[row] = r;
}
WIDTHS(rms_forward, (real* y, float* inv_rms, const real* x, const real* w, int rows, int cols, float eps),
       (y, inv_rms, x, w, rows, cols, eps))

// The norm of a row, of which each thread of a block has 8 numbers v; u are the gains of its columns i...
__device__ __forceinline__ void normalize_row(real* y, float* inv_rms, float* v, const float* u, int i, int cols, float eps) {
  __shared__ float sums[32];
  float sum = 0.0f;
#pragma unroll
  for (int j = 0; j < 8; j++) sum = fmaf(v[j], v[j], sum);
  float r = 1.0f / sqrtf(block_sum(sum, sums) / cols + eps);
#pragma unroll
  for (int j = 0; j < 8; j++) v[j] = v[j] * r * u[j];
  if (i < cols) store8(y + (i64)blockIdx.x * cols + i, v);
  if (i == 0) inv_rms[blockIdx.x] = r;
}

// One block for each row, 8 numbers for each thread, which are read once.
KERNEL rms_forward_row(real* y, float* inv_rms, const real* x, const real* w, int cols, float eps) {
  int i = threadIdx.x * 8;
  float v[8] = {}, u[8] = {};
  // Gains are weights: they do not come from the kernel before.
  if (i < cols) load8(w + i, u);
  wait_for_inputs();
  if (i < cols) load8(x + (i64)blockIdx.x * cols + i, v);
  normalize_row(y, inv_rms, v, u, i, cols, eps);
}

// The same of x + the parts [n_parts, rows, cols], added up in their order, as it is stored in x.
KERNEL rms_forward_joined(real* x, real* y, float* inv_rms, const float* parts, const real* w, int n_parts, int cols, float eps) {
  int i = threadIdx.x * 8;
  i64 at = (i64)blockIdx.x * cols + i, apart = (i64)gridDim.x * cols;
  float v[8] = {}, u[8] = {};
  if (i < cols) load8(w + i, u);
  wait_for_inputs();
  if (i < cols) {
    float total[8] = {};
    load8(x + at, v);
#pragma unroll 4
    for (int p = 0; p < n_parts; p++) {
      float part[8];
      load8(parts + p * apart + at, part);
#pragma unroll
      for (int j = 0; j < 8; j++) total[j] += part[j];
    }
#pragma unroll
    for (int j = 0; j < 8; j++) v[j] = to_f32(from_f32<real>(v[j] + total[j]));
    store8(x + at, v);
  }
  normalize_row(y, inv_rms, v, u, i, cols, eps);
}

// y of an earlier forward, which left inv_rms.
template <int N>
__device__ void rms_again(real* y, const real* x, const float* inv_rms, const real* w, int rows, int cols) {
  i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * N;
  if (at >= (i64)rows * cols) return;
  float v[N], u[N], r = inv_rms[at / cols];
  load<N>(x + at, v);
  load<N>(w + at % cols, u);
#pragma unroll
  for (int j = 0; j < N; j++) v[j] = v[j] * r * u[j];
  store<N>(y + at, v);
}
WIDTHS(rms_again, (real* y, const real* x, const float* inv_rms, const real* w, int rows, int cols), (y, x, inv_rms, w, rows, cols))

KERNEL rms_backward_row(real* dx, const real* dy, const real* x, const float* inv_rms, const real* w, int cols, int add) {
  __shared__ float sums[32];
  int i = threadIdx.x * 8;
  i64 at = (i64)blockIdx.x * cols + i;
  float v[8] = {}, u[8] = {}, g[8] = {}, d[8] = {}, r = inv_rms[blockIdx.x], sum = 0.0f;
  if (i < cols) {
    load8(x + at, v);
    load8(w + i, u);
    load8(dy + at, g);
    if (add) load8(dx + at, d);
  }
#pragma unroll
  for (int j = 0; j < 8; j++) g[j] *= u[j], sum = fmaf(g[j], v[j], sum);
  float scale = r * r * (block_sum(sum, sums) / cols);
#pragma unroll
  for (int j = 0; j < 8; j++) d[j] += r * (g[j] - v[j] * scale);
  if (i < cols) store8(dx + at, d);
}

// dx (=, or += if add) r (dy w - x r r mean(dy w x)).
template <int N>
__device__ void rms_backward(real* dx, const real* dy, const real* x, const float* inv_rms, const real* w, int rows, int cols,
                             int add) {
  int row = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  i64 at = (i64)row * cols;
  x += at, dy += at, dx += at;
  float sum = 0.0f, r = inv_rms[row];
  for (int i = lane * N; i < cols; i += 32 * N) {
    float v[N], u[N], g[N];
    load<N>(x + i, v);
    load<N>(w + i, u);
    load<N>(dy + i, g);
#pragma unroll
    for (int j = 0; j < N; j++) sum = fmaf(g[j] * u[j], v[j], sum);
  }
  float scale = r * r * (warp_sum(sum) / cols);
  for (int i = lane * N; i < cols; i += 32 * N) {
    float v[N], u[N], g[N], d[N];
    load<N>(x + i, v);
    load<N>(w + i, u);
    load<N>(dy + i, g);
#pragma unroll
    for (int j = 0; j < N; j++) d[j] = 0.0f;
    if (add) load<N>(dx + i, d);
#pragma unroll
    for (int j = 0; j < N; j++) d[j] += r * (g[j] * u[j] - v[j] * scale);
    store<N>(dx + i, d);
  }
}
WIDTHS(rms_backward,
       (real* dx, const real* dy, const real* x, const float* inv_rms, const real* w, int rows, int cols, int add),
       (dx, dy, x, inv_rms, w, rows, cols, add))

// Partial sums of dw = dy x r.
template <int N>
__device__ void rms_weight(float* partial, const real* dy, const real* x, const float* inv_rms, int rows, int cols, int rows_per) {
  int first = blockIdx.y * rows_per;
  sum_columns<N>(partial, first, min(rows, first + rows_per), cols, [&](int row, int col, float* out) {
    float v[N];
    load<N>(x + (i64)row * cols + col, v);
    load<N>(dy + (i64)row * cols + col, out);
    float r = inv_rms[row];
#pragma unroll
    for (int j = 0; j < N; j++) out[j] *= v[j] * r;
  });
}
WIDTHS(rms_weight, (float* partial, const real* dy, const real* x, const float* inv_rms, int rows, int cols, int rows_per),
       (partial, dy, x, inv_rms, rows, cols, rows_per))
