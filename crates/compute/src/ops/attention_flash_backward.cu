// The backward of attention with tensor cores: one kernel for the gradients of keys and values, one for those of queries. Both
// compute the probabilities again from the log-sum-exp; no sum is spread over blocks, so its order is fixed.
#define B 64

// s = a bᵀ and dp = c dᵀ, [16, 32]: rows `row`.. of the tiles a and c with rows `column`.. of the tiles b and d.
__device__ __forceinline__ void scores(float (*s)[4], float (*dp)[4], u32 a_tile, u32 c_tile, int row, u32 b_tile, u32 d_tile, int column) {
#pragma unroll
  for (int j = 0; j < 4; j++)
#pragma unroll
    for (int e = 0; e < 4; e++) s[j][e] = dp[j][e] = 0.0f;
#pragma unroll
  for (int k = 0; k < SIZE / 16; k++) {
    u32 a[4], c[4];
    load_a(a, a_tile, row, k);
    load_a(c, c_tile, row, k);
#pragma unroll
    for (int j = 0; j < 2; j++) {
      u32 b[4];
      load_b(b, b_tile, column + 16 * j, k);
      multiply(s[2 * j], a, b);
      multiply(s[2 * j + 1], a, b + 2);
      load_b(b, d_tile, column + 16 * j, k);
      multiply(dp[2 * j], c, b);
      multiply(dp[2 * j + 1], c, b + 2);
    }
  }
}

// Gradients of 64 keys and values of one key head, over the query heads of its group and the query rows from the keys on. Each
// warp takes 16 keys; products are transposed, so that nothing is added up between warps.
KERNEL_FOR(128, SIZE == 64 ? 3 : 2) flash_backward_key(bf16* dqkv, const bf16* dout, const float* delta, const float* lse, const bf16* qkv, const u32* tiles, int n,
                          int n_kv, float scale) {
  extern __shared__ __align__(128) unsigned char memory[];
  __shared__ float lse_now[2][B], delta_now[2][B];
  const u32 bytes = B * SIZE * 2;
  u32 k_tile = shared_address(memory), v_tile = k_tile + bytes, q_tiles = v_tile + bytes, g_tiles = q_tiles + 2 * bytes;
  int kv = blockIdx.x, group = n / n_kv, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int first = tiles[3 * blockIdx.y], end = tiles[3 * blockIdx.y + 2];
  i64 stride = (i64)(n + 2 * n_kv) * SIZE, out_stride = (i64)n * SIZE;
  int per_head = (end - first + B - 1) / B, n_steps = per_head * group;

  auto fetch = [&](int step) {
    int head = kv * group + step / per_head, row = first + step % per_head * B, at = step & 1;
    load_tile<B, 128>(q_tiles + at * bytes, qkv + head * SIZE, stride, row, end);
    load_tile<B, 128>(g_tiles + at * bytes, dout + head * SIZE, out_stride, row, end);
    if (threadIdx.x < B) {
      int i = row + threadIdx.x;
      lse_now[at][threadIdx.x] = i < end ? lse[(i64)i * n + head] * LOG2E : INFINITY_F;
      delta_now[at][threadIdx.x] = i < end ? delta[(i64)i * n + head] : 0.0f;
    }
  };
  load_tile<B, 128>(k_tile, qkv + (n + kv) * SIZE, stride, first, end);
  load_tile<B, 128>(v_tile, qkv + (n + n_kv + kv) * SIZE, stride, first, end);
  fetch(0);
  copies_end();

  float dk[SIZE / 8][4], dv[SIZE / 8][4];
#pragma unroll
  for (int i = 0; i < SIZE / 8; i++)
#pragma unroll
    for (int e = 0; e < 4; e++) dk[i][e] = dv[i][e] = 0.0f;
  float c = scale * LOG2E;

  for (int step = 0; step < n_steps; step++) {
    int at = step & 1;
    copies_wait<0>();
    __syncthreads();
    if (step + 1 < n_steps) {
      fetch(step + 1);
      copies_end();
    }
    u32 q_now = q_tiles + at * bytes, g_now = g_tiles + at * bytes;
    bool diagonal = step % per_head == 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      // Of 16 keys and 32 queries.
      float s[4][4], dp[4][4];
      scores(s, dp, k_tile, v_tile, warp * 16, q_now, g_now, half * 32);
#pragma unroll
      for (int j = 0; j < 4; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int query = half * 32 + 8 * j + 2 * (lane % 4) + (e & 1), key = warp * 16 + lane / 4 + (e / 2) * 8;
          float p = fast_exp2(fmaf(s[j][e], c, -lse_now[at][query]));
          if (diagonal && query < key) p = 0.0f;
          s[j][e] = p;
          dp[j][e] = p * (dp[j][e] - delta_now[at][query]);
        }
#pragma unroll
      for (int k = 0; k < 2; k++) {
        u32 p[4], ds[4];
        as_a(p, s[2 * k], s[2 * k + 1]);
        as_a(ds, dp[2 * k], dp[2 * k + 1]);
#pragma unroll
        for (int i = 0; i < SIZE / 16; i++) {
          u32 b[4];
          load_b_rows(b, g_now, half * 32 + 16 * k, i);
          multiply(dv[2 * i], p, b);
          multiply(dv[2 * i + 1], p, b + 2);
          load_b_rows(b, q_now, half * 32 + 16 * k, i);
          multiply(dk[2 * i], ds, b);
          multiply(dk[2 * i + 1], ds, b + 2);
        }
      }
    }
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = first + warp * 16 + lane / 4 + 8 * h;
    if (row >= end) continue;
    u32 *k = (u32*)(dqkv + row * stride + (n + kv) * SIZE) + lane % 4, *v = k + n_kv * SIZE / 2;
#pragma unroll
    for (int i = 0; i < SIZE / 8; i++) {
      k[4 * i] = pack_bf16(dk[i][2 * h] * scale, dk[i][2 * h + 1] * scale);
      v[4 * i] = pack_bf16(dv[i][2 * h], dv[i][2 * h + 1]);
    }
  }
}

// Gradients of 64 query rows of one head, over the keys up to them. Each warp takes 16 rows.
KERNEL_FOR(128, SIZE == 64 ? 4 : 2) flash_backward_query(bf16* dqkv, const bf16* dout, const float* delta, const float* lse, const bf16* qkv, const u32* tiles,
                            int n, int n_kv, float scale) {
  extern __shared__ __align__(128) unsigned char memory[];
  const u32 bytes = B * SIZE * 2;
  u32 q_tile = shared_address(memory), g_tile = q_tile + bytes, k_tiles = g_tile + bytes, v_tiles = k_tiles + 2 * bytes;
  int head = blockIdx.x, kv = head / (n / n_kv), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int first = tiles[3 * blockIdx.y], start = tiles[3 * blockIdx.y + 1], end = tiles[3 * blockIdx.y + 2];
  i64 stride = (i64)(n + 2 * n_kv) * SIZE, out_stride = (i64)n * SIZE;
  const bf16 *keys = qkv + (n + kv) * SIZE, *values = keys + n_kv * SIZE;
  int n_steps = (min(first + B, end) - start + B - 1) / B;

  load_tile<B, 128>(q_tile, qkv + head * SIZE, stride, first, end);
  load_tile<B, 128>(g_tile, dout + head * SIZE, out_stride, first, end);
  load_tile<B, 128>(k_tiles, keys, stride, start, end);
  load_tile<B, 128>(v_tiles, values, stride, start, end);
  copies_end();

  float dq[SIZE / 8][4], c = scale * LOG2E, lse_row[2], delta_row[2];
#pragma unroll
  for (int i = 0; i < SIZE / 8; i++) dq[i][0] = dq[i][1] = dq[i][2] = dq[i][3] = 0.0f;
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = first + warp * 16 + lane / 4 + 8 * h;
    lse_row[h] = row < end ? lse[(i64)row * n + head] * LOG2E : INFINITY_F;
    delta_row[h] = row < end ? delta[(i64)row * n + head] : 0.0f;
  }

  for (int step = 0; step < n_steps; step++) {
    int at = step & 1, key = start + step * B;
    copies_wait<0>();
    __syncthreads();
    if (step + 1 < n_steps) {
      load_tile<B, 128>(k_tiles + (at ^ 1) * bytes, keys, stride, key + B, end);
      load_tile<B, 128>(v_tiles + (at ^ 1) * bytes, values, stride, key + B, end);
      copies_end();
    }
    u32 k_now = k_tiles + at * bytes, v_now = v_tiles + at * bytes;
    bool diagonal = step + 1 == n_steps;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float s[4][4], dp[4][4];
      scores(s, dp, q_tile, g_tile, warp * 16, k_now, v_now, half * 32);
#pragma unroll
      for (int j = 0; j < 4; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int column = half * 32 + 8 * j + 2 * (lane % 4) + (e & 1), row = warp * 16 + lane / 4 + (e / 2) * 8;
          float p = fast_exp2(fmaf(s[j][e], c, -lse_row[e / 2]));
          if (diagonal && column > row) p = 0.0f;
          dp[j][e] = p * (dp[j][e] - delta_row[e / 2]);
        }
#pragma unroll
      for (int k = 0; k < 2; k++) {
        u32 ds[4];
        as_a(ds, dp[2 * k], dp[2 * k + 1]);
#pragma unroll
        for (int i = 0; i < SIZE / 16; i++) {
          u32 b[4];
          load_b_rows(b, k_now, half * 32 + 16 * k, i);
          multiply(dq[2 * i], ds, b);
          multiply(dq[2 * i + 1], ds, b + 2);
        }
      }
    }
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = first + warp * 16 + lane / 4 + 8 * h;
    if (row >= end) continue;
    u32* to = (u32*)(dqkv + row * stride + head * SIZE) + lane % 4;
#pragma unroll
    for (int i = 0; i < SIZE / 8; i++) to[4 * i] = pack_bf16(dq[i][2 * h] * scale, dq[i][2 * h + 1] * scale);
  }
}
