// Logits [rows, vocab] become their directions, in place: 1[v = target] - p in bf16, which is their gradient but for a factor of the row
// that is known only when the loss has seen the log-probabilities. Rows stay where they are, numbers take half of the room.
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
// What a thread has stored anywhere in the cluster before it arrives is seen by all that have waited.
__device__ __forceinline__ void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
__device__ __forceinline__ void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

__device__ __forceinline__ void prefetch(const float* p, int n) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(4 * n) : "memory");
}

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
  return x;
}

// The row that lies `ahead` rows further on is brought to the L2 cache, unless that is 0. vocab is a multiple of 8.
KERNEL_FOR(THREADS, 2)
__cluster_dims__(BLOCKS, 1, 1)
head_directions(float* logprobs, float* entropies, float* logits, const u32* targets, int rows, int vocab, float scale, int ahead) {
  __shared__ float maxima[WARPS], sums[WARPS], weighted_sums[WARPS];
  __shared__ float max_of[BLOCKS], sum_of[BLOCKS], weighted_of[BLOCKS];
  int row = blockIdx.x / BLOCKS, block = blockIdx.x % BLOCKS, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float* l = logits + (i64)row * vocab;
  // Nobody may write to a block that has not begun.
  cluster_arrive();
  if (ahead && threadIdx.x == 0 && row + ahead < rows) {
    int share = (vocab / 4 + BLOCKS - 1) / BLOCKS * 4, from = block * share;
    if (from < vocab) prefetch(l + (i64)ahead * vocab + from, min(share, vocab - from));
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

  // Sums are relative to the block's largest logit. From here on logits are exponents of 2.
  float to_base2 = scale * LOG2E, exponent = largest * to_base2, sum = 0.0f, weighted = 0.0f;
  // Where a block has nothing but -inf, its sum is 0.
  if (largest == -INFINITY_F) exponent = 0.0f;
#pragma unroll
  for (int k = 0; k < VECTORS; k++)
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float p = fast_exp2(fmaf(v[k][j], to_base2, -exponent));
      // Of what lies beyond the end p is 0.
      sum += p, weighted = fmaf(p, fmaxf(v[k][j], -3e38f), weighted);
    }
  sum = warp_sum(sum), weighted = warp_sum(weighted);
  if (lane == 0) sums[warp] = sum, weighted_sums[warp] = weighted;
  __syncthreads();
  cluster_wait();
  if (warp == 0) {
    sum = warp_sum(lane < WARPS ? sums[lane] : 0.0f), weighted = warp_sum(lane < WARPS ? weighted_sums[lane] : 0.0f);
    if (lane < BLOCKS) {
      store_in(lane, max_of + block, sum == 0.0f ? -INFINITY_F : exponent);
      store_in(lane, sum_of + block, sum);
      store_in(lane, weighted_of + block, weighted);
    }
    __syncwarp();
  }
  // When all have arrived, all of the row has been read, too: it may be written.
  cluster_arrive(), cluster_wait();
  exponent = -INFINITY_F, sum = 0.0f, weighted = 0.0f;
  // All at once would take registers that the logits are in.
#pragma unroll 1
  for (int b = 0; b < BLOCKS; b++) exponent = fmaxf(exponent, max_of[b]);
#pragma unroll 1
  for (int b = 0; b < BLOCKS; b++) {
    float factor = fast_exp2(max_of[b] - exponent);
    sum = fmaf(sum_of[b], factor, sum), weighted = fmaf(weighted_of[b], factor, weighted);
  }
  float lse = exponent + log2f(sum);
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
