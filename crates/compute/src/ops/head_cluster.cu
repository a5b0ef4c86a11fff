// Logits [rows, vocab] become 1[v = target] - p in bf16, in place: their gradient but for a factor of the row, which is known only when
// the loss has seen the log-probabilities. Rows stay where they are, numbers take half of the room.
//
// A cluster of BLOCKS blocks takes a row and holds it in registers, VECTORS times 4 numbers a thread, so that it is read once. Its sums
// have another order than those of `softmax.cuh`: not for deterministic devices.
#define VECTORS CONST_0
#define BLOCKS CONST_1
#define WARPS 16
#define THREADS (32 * WARPS)
#define LN2 0.6931471805599453f

// To the same place in another block of the cluster.
__device__ __forceinline__ void store_in(int block, float* p, float x) {
  u32 at;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(at) : "r"(shared_address(p)), "r"(block));
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(at), "f"(x) : "memory");
}
__device__ __forceinline__ void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
__device__ __forceinline__ void prefetch(const float* p, int n) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(4 * n) : "memory");
}

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
  return x;
}

// `ahead` rows further on, a row is brought to the L2 cache, unless that is 0. vocab is a multiple of 8.
extern "C" __global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 2)
    head_softmax(float* logprobs, float* entropies, float* logits, const u32* targets, int rows, int vocab, float scale, int ahead) {
  __shared__ float maxima[WARPS], sums[WARPS], weighted_sums[WARPS];
  __shared__ float maximum_of[BLOCKS], sum_of[BLOCKS], weighted_of[BLOCKS];
  int row = blockIdx.x / BLOCKS, block = blockIdx.x % BLOCKS, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float* l = logits + (i64)row * vocab;
  if (ahead && threadIdx.x == 0 && row + ahead < rows) {
    int share = (vocab / 4 + BLOCKS - 1) / BLOCKS * 4, first = block * share;
    if (first < vocab) prefetch(l + (i64)ahead * vocab + first, min(share, vocab - first));
  }
  const int stride = 4 * THREADS * BLOCKS;
  int first = 4 * (block * THREADS + threadIdx.x);
  float v[VECTORS][4], largest = -INFINITY_F;
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    int i = first + k * stride;
    float4 x = i < vocab ? __ldcs((const float4*)(l + i)) : make_float4(-INFINITY_F, -INFINITY_F, -INFINITY_F, -INFINITY_F);
    v[k][0] = x.x, v[k][1] = x.y, v[k][2] = x.z, v[k][3] = x.w;
  }
#pragma unroll
  for (int k = 0; k < VECTORS; k++)
#pragma unroll
    for (int j = 0; j < 4; j++) largest = fmaxf(largest, v[k][j]);
  largest = warp_max(largest);
  if (lane == 0) maxima[warp] = largest;
  __syncthreads();
  largest = warp_max(maxima[lane % WARPS]);

  // Powers of two from here on. Where a block has nothing but -inf, its sum is 0.
  float to_base2 = scale * LOG2E, most = largest == -INFINITY_F ? largest : largest * to_base2, base = largest == -INFINITY_F ? 0.0f : most;
  float sum = 0.0f, weighted = 0.0f;
#pragma unroll
  for (int k = 0; k < VECTORS; k++)
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float p = fast_exp2(fmaf(v[k][j], to_base2, -base));
      // Of what lies beyond the end p is 0.
      sum += p, weighted = fmaf(p, fmaxf(v[k][j], -3e38f), weighted);
    }
  sum = warp_sum(sum), weighted = warp_sum(weighted);
  if (lane == 0) sums[warp] = sum, weighted_sums[warp] = weighted;
  __syncthreads();
  if (warp == 0) {
    sum = warp_sum(lane < WARPS ? sums[lane] : 0.0f), weighted = warp_sum(lane < WARPS ? weighted_sums[lane] : 0.0f);
    if (lane < BLOCKS) store_in(lane, maximum_of + block, most), store_in(lane, sum_of + block, sum), store_in(lane, weighted_of + block, weighted);
  }
  // All of the row has been read, too: it may be written.
  cluster_barrier();
  most = -INFINITY_F, sum = 0.0f, weighted = 0.0f;
#pragma unroll
  for (int b = 0; b < BLOCKS; b++) most = fmaxf(most, maximum_of[b]);
#pragma unroll
  for (int b = 0; b < BLOCKS; b++) {
    float factor = fast_exp2(maximum_of[b] - most);
    sum = fmaf(sum_of[b], factor, sum), weighted = fmaf(weighted_of[b], factor, weighted);
  }
  float lse = most + log2f(sum);
  if (block == 0 && threadIdx.x == 0) entropies[row] = lse * LN2 - scale * weighted / sum;
  int target = targets[row];
  bf16* out = (bf16*)l;
#pragma unroll
  for (int k = 0; k < VECTORS; k++) {
    int i = first + k * stride;
    if (i >= vocab) break;
    float d[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float logprob = fmaf(v[k][j], to_base2, -lse);
      d[j] = -fast_exp2(logprob);
      if (i + j == target) logprobs[row] = logprob * LN2, d[j] += 1.0f;
    }
    *(uint2*)(out + i) = make_uint2(pack_bf16(d[0], d[1]), pack_bf16(d[2], d[3]));
  }
}

// y[row] = scale factors[row] x[row], rows as far apart as the strides say; may be in place. cols is a multiple of 8.
KERNEL scale_rows(bf16* y, const bf16* x, const float* factors, int rows, int cols, int y_stride, int x_stride, float scale) {
  int item = blockIdx.x * blockDim.x + threadIdx.x, row = item / (cols / 8), col = item % (cols / 8) * 8;
  if (row >= rows) return;
  float v[8], factor = scale * factors[row];
  load8(x + (i64)row * x_stride + col, v);
#pragma unroll
  for (int j = 0; j < 8; j++) v[j] *= factor;
  store8(y + (i64)row * y_stride + col, v);
}
