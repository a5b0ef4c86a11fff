// Borders of the sequence that holds a row.
__device__ int2 sequence(const u32* borders, int n, int row) {
  int low = 0, high = n;  // borders[low] <= row < borders[high]
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (borders[middle] <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  // Empty sequences share a border with the one that holds the row.
  return make_int2(borders[low], borders[low + 1]);
}

// Any head size: see attention.cuh. One warp for each row and query head.
KERNEL forward_any(real* out, float* lse, const real* qkv, const u32* borders, int n_borders, int rows, int n, int n_kv, int size,
                   float scale) {
  i64 item = (i64)blockIdx.x * 4 + threadIdx.x / 32;
  if (item >= (i64)rows * n) return;
  int row = item / n, head = item % n, kv = head / (n / n_kv), cols = (n + 2 * n_kv) * size;
  int first = sequence(borders, n_borders, row).x;
  const real* base = qkv + (i64)first * cols;
  float total = attend_row(out + item * size, qkv + (i64)row * cols + head * size, row - first + 1, size, scale,
                           [&](int j, const real*& k, const real*& v) {
                             k = base + (i64)j * cols + (n + kv) * size;
                             v = k + n_kv * size;
                           });
  if (threadIdx.x % 32 == 0) lse[item] = total;
}

// delta [rows, n] = dout . out of each head.
KERNEL backward_delta(float* delta, const real* dout, const real* out, int items, int size) {
  int item = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (item >= items) return;
  float sum = 0.0f;
  for (int d = lane; d < size; d += 32) sum = fmaf(to_f32(dout[(i64)item * size + d]), to_f32(out[(i64)item * size + d]), sum);
  sum = warp_sum(sum);
  if (lane == 0) delta[item] = sum;
}

KERNEL backward_query_any(real* dqkv, const real* dout, const float* delta, const float* lse, const real* qkv, const u32* borders,
                          int n_borders, int rows, int n, int n_kv, int size, float scale) {
  int lane = threadIdx.x % 32;
  i64 item = (i64)blockIdx.x * 4 + threadIdx.x / 32;
  if (item >= (i64)rows * n) return;
  int row = item / n, head = item % n, kv = head / (n / n_kv), cols = (n + 2 * n_kv) * size;
  int first = sequence(borders, n_borders, row).x, seen = row - first + 1;
  const real *base = qkv + (i64)first * cols + (n + kv) * size, *q = qkv + (i64)row * cols + head * size, *g = dout + item * size;
  float acc[PARTS] = {};
  for (int start = 0; start < seen; start += 32) {
    int j = start + lane;
    float ds = 0.0f;
    if (j < seen) {
      const real* k = base + (i64)j * cols;
      float p = expf(dot(q, k, size) * scale - lse[item]);
      ds = p * (dot(g, k + n_kv * size, size) - delta[item]) * scale;
    }
    int count = min(32, seen - start);
    for (int l = 0; l < count; l++) {
      float x = __shfl_sync(0xffffffffu, ds, l);
      const real* k = base + (i64)(start + l) * cols;
#pragma unroll
      for (int i = 0; i < PARTS; i++)
        if (lane + 32 * i < size) acc[i] = fmaf(x, to_f32(k[lane + 32 * i]), acc[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < PARTS; i++)
    if (lane + 32 * i < size) dqkv[(i64)row * cols + head * size + lane + 32 * i] = from_f32<real>(acc[i]);
}

// One warp for each row and key head; query heads of its group, then later rows, in order.
KERNEL backward_key_any(real* dqkv, const real* dout, const float* delta, const float* lse, const real* qkv, const u32* borders,
                        int n_borders, int rows, int n, int n_kv, int size, float scale) {
  int lane = threadIdx.x % 32, group = n / n_kv;
  i64 item = (i64)blockIdx.x * 4 + threadIdx.x / 32;
  if (item >= (i64)rows * n_kv) return;
  int row = item / n_kv, kv = item % n_kv, cols = (n + 2 * n_kv) * size, last = sequence(borders, n_borders, row).y;
  i64 at = (i64)row * cols + (n + kv) * size;
  const real *k = qkv + at, *v = k + n_kv * size;
  float dk[PARTS] = {}, dv[PARTS] = {};
  for (int head = kv * group; head < (kv + 1) * group; head++)
    for (int start = row; start < last; start += 32) {
      int i = start + lane;
      float p = 0.0f, ds = 0.0f;
      if (i < last) {
        i64 other = (i64)i * n + head;
        p = expf(dot(qkv + (i64)i * cols + head * size, k, size) * scale - lse[other]);
        ds = p * (dot(dout + other * size, v, size) - delta[other]) * scale;
      }
      int count = min(32, last - start);
      for (int l = 0; l < count; l++) {
        float x = __shfl_sync(0xffffffffu, ds, l), y = __shfl_sync(0xffffffffu, p, l);
        const real *q = qkv + (i64)(start + l) * cols + head * size, *g = dout + ((i64)(start + l) * n + head) * size;
#pragma unroll
        for (int c = 0; c < PARTS; c++)
          if (lane + 32 * c < size) {
            dk[c] = fmaf(x, to_f32(q[lane + 32 * c]), dk[c]);
            dv[c] = fmaf(y, to_f32(g[lane + 32 * c]), dv[c]);
          }
      }
    }
#pragma unroll
  for (int c = 0; c < PARTS; c++)
    if (lane + 32 * c < size) {
      dqkv[at + lane + 32 * c] = from_f32<real>(dk[c]);
      dqkv[at + n_kv * size + lane + 32 * c] = from_f32<real>(dv[c]);
    }
}
