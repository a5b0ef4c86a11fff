// Attention for any head size up to 256: one warp for one row of results, lanes over 32 positions for scores and over the head's
// columns for sums. Blocks of 32 positions are counted from the start of the sequence, so that a row's bits depend on nothing else.
#define PARTS 8  // columns of a lane: 256 / 32

__device__ __forceinline__ float dot(const real* a, const real* b, int size) {
  float sum = 0.0f;
  for (int d = 0; d < size; d++) sum = fmaf(to_f32(a[d]), to_f32(b[d]), sum);
  return sum;
}

// out = softmax over n positions; at(j) gives the key and the value of position j. Returns the log-sum-exp.
template <typename At>
__device__ float attend_row(real* out, const real* q, int n, int size, float scale, At at) {
  int lane = threadIdx.x % 32;
  float acc[PARTS] = {}, m = -INFINITY_F, sum = 0.0f;
  for (int start = 0; start < n; start += 32) {
    int j = start + lane;
    const real *k, *v;
    float s = -INFINITY_F;
    if (j < n) {
      at(j, k, v);
      // Spelled out here and below: kernels that share this have the same bits.
      s = __fmul_rn(dot(q, k, size), scale);
    }
    float largest = s;
    for (int d = 16; d > 0; d /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, d));
    float next = fmaxf(m, largest), keep = m == -INFINITY_F ? 0.0f : expf(m - next), p = j < n ? expf(s - next) : 0.0f;
    sum = fmaf(sum, keep, warp_sum(p));
    m = next;
    for (int i = 0; i < PARTS; i++) acc[i] *= keep;
    int count = min(32, n - start);
    for (int l = 0; l < count; l++) {
      float pl = __shfl_sync(0xffffffffu, p, l);
      at(start + l, k, v);
#pragma unroll
      for (int i = 0; i < PARTS; i++)
        if (lane + 32 * i < size) acc[i] = fmaf(pl, to_f32(v[lane + 32 * i]), acc[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < PARTS; i++)
    if (lane + 32 * i < size) out[lane + 32 * i] = from_f32<real>(acc[i] / sum);
  return m + logf(sum);
}
