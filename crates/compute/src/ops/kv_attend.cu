// Attention of one query row for each sequence over its pages. A block of 4 warps takes one sequence, one key head with all
// CONST_1 query heads that share it, and `per_block` positions; CONST_0 / 8 lanes take one position.
#define PAGE 16
#define SIZE CONST_0
#define GROUP CONST_1
#define LANES (SIZE / 8)
#define AT_ONCE (32 / LANES)
#define WARPS 4
#define WIDTH (SIZE + 2)
// Positions of a lane in one turn: their loads are on their way together.
#define POSITIONS (GROUP <= 4 ? 4 : 2)
#define TURN (POSITIONS * WARPS * AT_ONCE)

// partial [rows, n, n_splits, SIZE + 2]: unnormalised sums, largest score (in powers of two), sum of exponentials.
KERNEL attend(real* out, float* partial, const real* qkv, const real* keys, const real* values, const u32* pages, const u32* lengths,
              int n_kv, int max_pages, int per_block, float scale) {
  __shared__ float parts[WARPS * AT_ONCE][GROUP][WIDTH];
  int row = blockIdx.x, kv = blockIdx.y, split = blockIdx.z, n = n_kv * GROUP;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, sub = lane % LANES, part = warp * AT_ONCE + lane / LANES;
  wait_for_inputs();
  int length = lengths[row], first = split * per_block, last = min(length, first + per_block);
  if (first >= length) return;
  const u32* own = pages + (i64)row * max_pages;
  float q[GROUP][8], acc[GROUP][8], m[GROUP], sum[GROUP];
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
    load8(qkv + ((i64)row * (n + 2 * n_kv) + kv * GROUP + g) * SIZE + sub * 8, q[g]);
    m[g] = -1e30f, sum[g] = 0.0f;
#pragma unroll
    for (int d = 0; d < 8; d++) q[g][d] *= scale * LOG2E, acc[g][d] = 0.0f;
  }
  // All lanes take the same number of turns: positions beyond the last are read from it and weigh nothing.
  for (int start = first; start < last; start += TURN) {
    Raw keys_now[POSITIONS], values_now[POSITIONS];
#pragma unroll
    for (int u = 0; u < POSITIONS; u++) {
      int j = min(start + u * WARPS * AT_ONCE + part, last - 1);
      i64 at = (((i64)own[j / PAGE] * n_kv + kv) * PAGE + j % PAGE) * SIZE + sub * 8;
      fetch(keys_now[u], keys + at);
      fetch(values_now[u], values + at);
    }
    float s[POSITIONS][GROUP];
#pragma unroll
    for (int u = 0; u < POSITIONS; u++) {
      float k[8];
      expand<real>(keys_now[u], k);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        s[u][g] = 0.0f;
#pragma unroll
        for (int d = 0; d < 8; d++) s[u][g] = fmaf(q[g][d], k[d], s[u][g]);
#pragma unroll
        for (int d = LANES / 2; d > 0; d /= 2) s[u][g] += __shfl_xor_sync(0xffffffffu, s[u][g], d);
        if (start + u * WARPS * AT_ONCE + part >= last) s[u][g] = -INFINITY_F;
      }
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      float next = m[g];
#pragma unroll
      for (int u = 0; u < POSITIONS; u++) next = fmaxf(next, s[u][g]);
      float keep = fast_exp2(m[g] - next);
      m[g] = next;
      sum[g] *= keep;
#pragma unroll
      for (int d = 0; d < 8; d++) acc[g][d] *= keep;
#pragma unroll
      for (int u = 0; u < POSITIONS; u++) sum[g] += s[u][g] = fast_exp2(s[u][g] - next);
    }
#pragma unroll
    for (int u = 0; u < POSITIONS; u++) {
      float v[8];
      expand<real>(values_now[u], v);
#pragma unroll
      for (int g = 0; g < GROUP; g++)
#pragma unroll
        for (int d = 0; d < 8; d++) acc[g][d] = fmaf(s[u][g], v[d], acc[g][d]);
    }
  }
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
#pragma unroll
    for (int d = 0; d < 8; d++) parts[part][g][sub * 8 + d] = acc[g][d];
    if (sub == 0) parts[part][g][SIZE] = m[g], parts[part][g][SIZE + 1] = sum[g];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < GROUP * SIZE; i += blockDim.x) {
    int g = i / SIZE, d = i % SIZE;
    float largest = -1e30f, total = 0.0f, value = 0.0f;
    for (int p = 0; p < WARPS * AT_ONCE; p++) largest = fmaxf(largest, parts[p][g][SIZE]);
    for (int p = 0; p < WARPS * AT_ONCE; p++) {
      float w = fast_exp2(parts[p][g][SIZE] - largest);
      total += w * parts[p][g][SIZE + 1];
      value += w * parts[p][g][d];
    }
    i64 item = (i64)row * n + kv * GROUP + g;
    if (gridDim.z == 1) {
      out[item * SIZE + d] = from_f32<real>(value / total);
    } else {
      float* to = partial + (item * gridDim.z + split) * WIDTH;
      to[d] = value;
      if (d == 0) to[SIZE] = largest, to[SIZE + 1] = total;
    }
  }
}

KERNEL attend_merge(real* out, const float* partial, const u32* lengths, int n, int n_splits, int per_block) {
  int row = blockIdx.x, head = blockIdx.y, d = threadIdx.x;
  wait_for_inputs();
  const float* from = partial + ((i64)row * n + head) * n_splits * WIDTH;
  int used = (lengths[row] + per_block - 1) / per_block;
  float largest = -1e30f, total = 0.0f, value = 0.0f;
  for (int p = 0; p < used; p++) largest = fmaxf(largest, from[p * WIDTH + SIZE]);
  for (int p = 0; p < used; p++) {
    float w = fast_exp2(from[p * WIDTH + SIZE] - largest);
    total += w * from[p * WIDTH + SIZE + 1];
    value += w * from[p * WIDTH + d];
  }
  out[((i64)row * n + head) * SIZE + d] = from_f32<real>(value / total);
}
