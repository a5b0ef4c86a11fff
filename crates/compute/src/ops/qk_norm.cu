// One warp for each row and query or key head; the warps beyond them copy a value head.
KERNEL qk_forward(real* out, float* inv_rms, const real* qkv, const real* q_weight, const real* k_weight, int rows, int n, int n_kv,
                  int size, float eps) {
  int lane = threadIdx.x % 32, n_heads = n + 2 * n_kv;
  i64 item = (i64)blockIdx.x * 4 + threadIdx.x / 32;
  if (item >= (i64)rows * n_heads) return;
  int row = item / n_heads, head = item % n_heads;
  qkv += item * size, out += item * size;
  if (head >= n + n_kv) {
    for (int i = lane; i < size; i += 32) out[i] = qkv[i];
    return;
  }
  const real* w = head < n ? q_weight : k_weight;
  float sum = 0.0f;
  for (int i = lane; i < size; i += 32) sum = fmaf(to_f32(qkv[i]), to_f32(qkv[i]), sum);
  float r = 1.0f / sqrtf(warp_sum(sum) / size + eps);
  for (int i = lane; i < size; i += 32) out[i] = from_f32<real>(to_f32(qkv[i]) * r * to_f32(w[i]));
  if (lane == 0) inv_rms[(i64)row * (n + n_kv) + head] = r;
}

KERNEL qk_backward(real* dqkv, const real* qkv, const float* inv_rms, const real* q_weight, const real* k_weight, int rows, int n,
                   int n_kv, int size) {
  int lane = threadIdx.x % 32, n_normed = n + n_kv;
  i64 item = (i64)blockIdx.x * 4 + threadIdx.x / 32;
  if (item >= (i64)rows * n_normed) return;
  int row = item / n_normed, head = item % n_normed;
  i64 at = ((i64)row * (n + 2 * n_kv) + head) * size;
  qkv += at, dqkv += at;
  const real* w = head < n ? q_weight : k_weight;
  float r = inv_rms[item], sum = 0.0f;
  for (int i = lane; i < size; i += 32) sum = fmaf(to_f32(dqkv[i]) * to_f32(w[i]), to_f32(qkv[i]), sum);
  float scale = r * r * (warp_sum(sum) / size);
  for (int i = lane; i < size; i += 32) dqkv[i] = from_f32<real>(r * (to_f32(dqkv[i]) * to_f32(w[i]) - to_f32(qkv[i]) * scale));
}

// Partial sums over rows and heads first_head..first_head + n_heads of dw = dy x r.
KERNEL qk_weight(float* partial, const real* dqkv, const real* qkv, const float* inv_rms, int rows, int cols, int size, int n_normed,
                 int first_head, int n_heads, int rows_per) {
  int first = blockIdx.y * rows_per;
  sum_columns<1>(partial, first, min(rows, first + rows_per), size, [&](int row, int col, float* out) {
    out[0] = 0.0f;
    for (int head = first_head; head < first_head + n_heads; head++) {
      i64 at = (i64)row * cols + head * size + col;
      out[0] += to_f32(dqkv[at]) * to_f32(qkv[at]) * inv_rms[(i64)row * n_normed + head];
    }
  });
}
