// Rotates N pairs (i, i + size / 2) of a query or key head.
template <int N>
__device__ void rope(real* qkv, const float* table, const u32* positions, int rows, int n_rotated, int n_heads, int size, float sign) {
  int half = size / 2, per_head = half / N;
  i64 item = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (i64)rows * n_rotated * per_head) return;
  int i = (item % per_head) * N, head = item / per_head % n_rotated, row = item / ((i64)per_head * n_rotated);
  real* p = qkv + ((i64)row * n_heads + head) * size + i;
  const float* t = table + (i64)positions[row] * size + i;
  float a[N], b[N], c[N], s[N], x[N], y[N];
  load<N>(p, a);
  load<N>(p + half, b);
  load<N>(t, c);
  load<N>(t + half, s);
#pragma unroll
  for (int j = 0; j < N; j++) {
    x[j] = a[j], y[j] = b[j];
    rotate_pair(x[j], y[j], c[j], sign * s[j]);
  }
  store<N>(p, x);
  store<N>(p + half, y);
}
WIDTHS(rope, (real* qkv, const float* table, const u32* positions, int rows, int n_rotated, int n_heads, int size, float sign),
       (qkv, table, positions, rows, n_rotated, n_heads, size, sign))
