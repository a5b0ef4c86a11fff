// Sums over one row of logits: the same for forwards and for sampling, so that both have the same log-sum-exp (but for forwards of
// training by `head_cluster.cu`). What a compiler might fuse in one kernel and not in another is spelled out.
// A block of 16 warps takes a row; each warp takes a contiguous segment, lanes take 4 neighbours.
#define WARPS 16
#define THREADS 512

struct Sums {
  float max, sum, weighted;  // m, sum of e^(l - m), sum of e^(l - m) l
};

// e^x, good to a few units of the last place where it counts: next to 1.
__device__ __forceinline__ float fast_exp(float x) { return fast_exp2(__fmul_rn(x, LOG2E)); }

__device__ __forceinline__ Sums merge(Sums a, Sums b) {
  if (a.max == -INFINITY_F && a.sum == 0.0f) return b;
  if (b.max == -INFINITY_F && b.sum == 0.0f) return a;
  float m = fmaxf(a.max, b.max), x = fast_exp(a.max - m), y = fast_exp(b.max - m);
  return {m, fmaf(a.sum, x, __fmul_rn(b.sum, y)), fmaf(a.weighted, x, __fmul_rn(b.weighted, y))};
}

// Numbers of the vocabulary that each warp takes.
__device__ __forceinline__ int segment(int vocab) { return (vocab + WARPS * 128 - 1) / (WARPS * 128) * 128; }

// Scaled logits i..i+3, -inf beyond the end. `aligned`: rows are whole vectors of 4.
__device__ __forceinline__ float4 logits4(const float* row, int i, int end, bool aligned, float scale) {
  float4 v = make_float4(-INFINITY_F, -INFINITY_F, -INFINITY_F, -INFINITY_F);
  if (aligned && i + 4 <= end) {
    v = *(const float4*)(row + i);
    v.x = __fmul_rn(v.x, scale), v.y = __fmul_rn(v.y, scale), v.z = __fmul_rn(v.z, scale), v.w = __fmul_rn(v.w, scale);
  } else {
    if (i < end) v.x = __fmul_rn(row[i], scale);
    if (i + 1 < end) v.y = __fmul_rn(row[i + 1], scale);
    if (i + 2 < end) v.z = __fmul_rn(row[i + 2], scale);
    if (i + 3 < end) v.w = __fmul_rn(row[i + 3], scale);
  }
  return v;
}

template <bool WEIGHTED>
__device__ __forceinline__ void take(Sums& s, float l) {
  float p = fast_exp(l - s.max);
  s.sum = __fadd_rn(s.sum, p);
  // Of what lies beyond the end p is 0.
  if (WEIGHTED) s.weighted = fmaf(p, fmaxf(l, -3e38f), s.weighted);
}

// The sums of each warp's segment, in shared memory, and of the whole row. Sampling has no use for the weighted one.
template <bool WEIGHTED>
__device__ Sums row_sums(const float* row, int vocab, float scale, Sums* of_warp) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, size = segment(vocab);
  int end = min(vocab, (warp + 1) * size);
  bool aligned = vocab % 4 == 0;
  Sums s = {-INFINITY_F, 0.0f, 0.0f};
  for (int i = warp * size + lane * 4; i < end; i += 4 * 128) {
    float4 vs[4];
#pragma unroll
    for (int j = 0; j < 4; j++) vs[j] = logits4(row, i + 128 * j, end, aligned, scale);
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float4 v = vs[j];
      float largest = fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w));
      if (largest > s.max) {
        float x = fast_exp(s.max - largest);
        s.max = largest, s.sum = __fmul_rn(s.sum, x), s.weighted = __fmul_rn(s.weighted, x);
      }
      // Nothing but -inf so far, and no NaN: there is nothing to take.
      if (s.max == -INFINITY_F && v.x == -INFINITY_F && v.y == -INFINITY_F && v.z == -INFINITY_F && v.w == -INFINITY_F) continue;
      take<WEIGHTED>(s, v.x), take<WEIGHTED>(s, v.y), take<WEIGHTED>(s, v.z), take<WEIGHTED>(s, v.w);
    }
  }
  for (int d = 16; d > 0; d /= 2) {
    Sums o = {__shfl_xor_sync(0xffffffffu, s.max, d), __shfl_xor_sync(0xffffffffu, s.sum, d),
              WEIGHTED ? __shfl_xor_sync(0xffffffffu, s.weighted, d) : 0.0f};
    // The lower lane comes first on both sides: all lanes get the same bits.
    s = lane & d ? merge(o, s) : merge(s, o);
  }
  if (lane == 0) of_warp[warp] = s;
  __syncthreads();
  Sums total = of_warp[0];
  for (int w = 1; w < WARPS; w++) total = merge(total, of_warp[w]);
  return total;
}

__device__ __forceinline__ float log_sum_exp(Sums s) { return __fadd_rn(s.max, logf(s.sum)); }

__device__ __forceinline__ float logprob_of(float logit, float scale, float lse) { return __fsub_rn(__fmul_rn(logit, scale), lse); }
