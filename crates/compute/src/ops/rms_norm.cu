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

// The norms of rows first.., of which each thread of a block has 8 numbers v; u are the gains of its columns i...
template <int N_ROWS>
__device__ __forceinline__ void normalize_rows(real* y, float* inv_rms, float (&v)[N_ROWS][8], const float* u, i64 first, int n, int i,
                                               int cols, float eps) {
  __shared__ float sums[N_ROWS][32];
  int warp = threadIdx.x / 32;
#pragma unroll
  for (int k = 0; k < N_ROWS; k++) {
    float sum = 0.0f;
#pragma unroll
    for (int j = 0; j < 8; j++) sum = fmaf(v[k][j], v[k][j], sum);
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) sums[k][warp] = sum;
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < N_ROWS; k++) {
    if (k >= n) break;
    float total = 0.0f;
    for (int w = 0; w < blockDim.x / 32; w++) total += sums[k][w];
    float r = 1.0f / sqrtf(total / cols + eps);
#pragma unroll
    for (int j = 0; j < 8; j++) v[k][j] = v[k][j] * r * u[j];
    if (i < cols) store8(y + (first + k) * cols + i, v[k]);
    if (i == 0) inv_rms[first + k] = r;
  }
}

// A block for N_ROWS rows, 8 numbers of each for a thread, which are read once. The bits of a row do not depend on N_ROWS.
template <int N_ROWS>
__device__ void rms_forward_rows(real* y, float* inv_rms, const real* x, const real* w, int rows, int cols, float eps) {
  int i = threadIdx.x * 8, n = min(rows - (int)blockIdx.x * N_ROWS, N_ROWS);
  i64 first = (i64)blockIdx.x * N_ROWS;
  float v[N_ROWS][8] = {}, u[8] = {};
  // Gains are weights: they do not come from the kernel before.
  if (i < cols) load8(w + i, u);
  wait_for_inputs();
#pragma unroll
  for (int k = 0; k < N_ROWS; k++)
    if (i < cols && k < n) load8(x + (first + k) * cols + i, v[k]);
  normalize_rows<N_ROWS>(y, inv_rms, v, u, first, n, i, cols, eps);
}
KERNEL rms_forward_row(real* y, float* inv_rms, const real* x, const real* w, int rows, int cols, float eps) {
  rms_forward_rows<1>(y, inv_rms, x, w, rows, cols, eps);
}
KERNEL rms_forward_4_rows(real* y, float* inv_rms, const real* x, const real* w, int rows, int cols, float eps) {
  rms_forward_rows<4>(y, inv_rms, x, w, rows, cols, eps);
}

// The same of x + the parts [n_parts, rows, cols], added up in their order, as it is stored in x.
KERNEL rms_forward_joined(real* x, real* y, float* inv_rms, const float* parts, const real* w, int n_parts, int cols, float eps) {
  int i = threadIdx.x * 8;
  i64 at = (i64)blockIdx.x * cols + i, apart = (i64)gridDim.x * cols;
  float rows[1][8] = {}, u[8] = {};
  float(&v)[8] = rows[0];
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
  normalize_rows<1>(y, inv_rms, rows, u, blockIdx.x, 1, i, cols, eps);
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

// The same in one pass, and partial sums of dw: a row lies in the registers of a warp, N_VECTORS times 8 numbers in each lane.
template <int N_VECTORS>
__device__ void rms_backward_warps(real* dx, float* partial, const real* dy, const real* x, const float* inv_rms, const real* w, int rows,
                                   int cols, int add, int rows_per) {
  __shared__ float sums[N_VECTORS * 256];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, n_warps = blockDim.x / 32;
  int first = blockIdx.x * rows_per, last = min(rows, first + rows_per);
  float total[N_VECTORS][8] = {};
  for (int row = first + warp; row < last; row += n_warps) {
    i64 at = (i64)row * cols;
    Raw xs[N_VECTORS], grads[N_VECTORS], before[N_VECTORS] = {};
#pragma unroll
    for (int k = 0; k < N_VECTORS; k++) {
      int i = (32 * k + lane) * 8;
      if (i >= cols) continue;
      fetch(xs[k], x + at + i);
      fetch(grads[k], dy + at + i);
      if (add) fetch(before[k], dx + at + i);
    }
    float sum = 0.0f, r = inv_rms[row];
#pragma unroll
    for (int k = 0; k < N_VECTORS; k++) {
      int i = (32 * k + lane) * 8;
      if (i >= cols) continue;
      float v[8], g[8], u[8];
      expand<real>(xs[k], v);
      expand<real>(grads[k], g);
      load8(w + i, u);
#pragma unroll
      for (int j = 0; j < 8; j++) {
        total[k][j] += g[j] * v[j] * r;
        sum = fmaf(g[j] * u[j], v[j], sum);
      }
    }
    float scale = r * r * (warp_sum(sum) / cols);
#pragma unroll
    for (int k = 0; k < N_VECTORS; k++) {
      int i = (32 * k + lane) * 8;
      if (i >= cols) continue;
      float v[8], g[8], u[8], d[8];
      expand<real>(xs[k], v);
      expand<real>(grads[k], g);
      expand<real>(before[k], d);
      load8(w + i, u);
#pragma unroll
      for (int j = 0; j < 8; j++) d[j] += r * (g[j] * u[j] - v[j] * scale);
      store8(dx + at + i, d);
    }
  }
  // One warp after the other: the order of the sums is fixed.
  for (int turn = 0; turn < n_warps; turn++) {
    if (turn == warp) {
#pragma unroll
      for (int k = 0; k < N_VECTORS; k++)
#pragma unroll
        for (int j = 0; j < 8; j++) {
          float* of_lane = sums + 32 * (8 * k + j) + lane;
          *of_lane = turn == 0 ? total[k][j] : *of_lane + total[k][j];
        }
    }
    __syncthreads();
  }
  for (int col = threadIdx.x; col < cols; col += blockDim.x)
    partial[(i64)blockIdx.x * cols + col] = sums[32 * (8 * (col / 256) + col % 8) + col / 8 % 32];
}
KERNEL_FOR(256, 2) rms_backward_1024(real* dx, float* partial, const real* dy, const real* x, const float* inv_rms, const real* w, int rows,
                                     int cols, int add, int rows_per) {
  rms_backward_warps<4>(dx, partial, dy, x, inv_rms, w, rows, cols, add, rows_per);
}
KERNEL_FOR(256, 1) rms_backward_2048(real* dx, float* partial, const real* dy, const real* x, const float* inv_rms, const real* w, int rows,
                                     int cols, int add, int rows_per) {
  rms_backward_warps<8>(dx, partial, dy, x, inv_rms, w, rows, cols, add, rows_per);
}

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
