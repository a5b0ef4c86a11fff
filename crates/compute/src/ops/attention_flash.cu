// Attention with tensor cores, head sizes 64 and 128, bf16 (Dao 2023, arXiv 2307.08691). A block of 4 warps takes BM query rows
// of one head; each warp 16 TILES of them. Keys and values come in tiles of BN, the next one while this one is worked on.
#define TILES (SIZE == 64 ? 2 : 1)
#define BM (64 * TILES)
#define BN 64

// tiles: first row, start and end of its sequence. lse [T, n].
KERNEL_FOR(128, 2) flash_forward(bf16* out, float* lse, const bf16* qkv, const u32* tiles, int n, int n_kv, float scale) {
  extern __shared__ __align__(128) unsigned char memory[];
  u32 q_tile = shared_address(memory), k_tile = q_tile + BM * SIZE * 2, v_tile = k_tile + 2 * BN * SIZE * 2;
  int head = blockIdx.x, kv = head / (n / n_kv), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int first = tiles[3 * blockIdx.y], start = tiles[3 * blockIdx.y + 1], end = tiles[3 * blockIdx.y + 2];
  i64 stride = (i64)(n + 2 * n_kv) * SIZE;
  const bf16 *keys = qkv + (n + kv) * SIZE, *values = keys + n_kv * SIZE;
  int n_steps = (min(first + BM, end) - start + BN - 1) / BN;

  load_tile<BM, 128>(q_tile, qkv + head * SIZE, stride, first, end);
  load_tile<BN, 128>(k_tile, keys, stride, start, end);
  load_tile<BN, 128>(v_tile, values, stride, start, end);
  copies_end();

  u32 q[TILES][SIZE / 16][4];
  float o[TILES][SIZE / 8][4], m[TILES][2], sum[TILES][2];
#pragma unroll
  for (int t = 0; t < TILES; t++) {
    m[t][0] = m[t][1] = -1e30f, sum[t][0] = sum[t][1] = 0.0f;
#pragma unroll
    for (int i = 0; i < SIZE / 8; i++) o[t][i][0] = o[t][i][1] = o[t][i][2] = o[t][i][3] = 0.0f;
  }
  float c = scale * LOG2E;

  for (int step = 0; step < n_steps; step++) {
    int at = step & 1, key = start + step * BN;
    copies_wait<0>();
    __syncthreads();
    if (step == 0) {
#pragma unroll
      for (int t = 0; t < TILES; t++)
#pragma unroll
        for (int k = 0; k < SIZE / 16; k++) load_a(q[t][k], q_tile, (warp * TILES + t) * 16, k);
    }
    if (step + 1 < n_steps) {
      load_tile<BN, 128>(k_tile + (at ^ 1) * BN * SIZE * 2, keys, stride, key + BN, end);
      load_tile<BN, 128>(v_tile + (at ^ 1) * BN * SIZE * 2, values, stride, key + BN, end);
      copies_end();
    }
    u32 k_now = k_tile + at * BN * SIZE * 2, v_now = v_tile + at * BN * SIZE * 2;

    float s[TILES][BN / 8][4];
#pragma unroll
    for (int t = 0; t < TILES; t++)
#pragma unroll
      for (int j = 0; j < BN / 8; j++) s[t][j][0] = s[t][j][1] = s[t][j][2] = s[t][j][3] = 0.0f;
#pragma unroll
    for (int k = 0; k < SIZE / 16; k++)
#pragma unroll
      for (int j = 0; j < BN / 16; j++) {
        u32 b[4];
        load_b(b, k_now, 16 * j, k);
#pragma unroll
        for (int t = 0; t < TILES; t++) {
          multiply(s[t][2 * j], q[t][k], b);
          multiply(s[t][2 * j + 1], q[t][k], b + 2);
        }
      }

#pragma unroll
    for (int t = 0; t < TILES; t++) {
      int row = first + (warp * TILES + t) * 16 + lane / 4;
      if (key + BN - 1 > first + (warp * TILES + t) * 16) {
#pragma unroll
        for (int j = 0; j < BN / 8; j++)
#pragma unroll
          for (int e = 0; e < 4; e++)
            if (key + 8 * j + 2 * (lane % 4) + (e & 1) > row + (e / 2) * 8) s[t][j][e] = -INFINITY_F;
      }
      soften(s[t], m[t], sum[t], o[t], c);
    }

#pragma unroll
    for (int k = 0; k < BN / 16; k++) {
      u32 p[TILES][4];
#pragma unroll
      for (int t = 0; t < TILES; t++) as_a(p[t], s[t][2 * k], s[t][2 * k + 1]);
#pragma unroll
      for (int i = 0; i < SIZE / 16; i++) {
        u32 b[4];
        load_b_rows(b, v_now, 16 * k, i);
#pragma unroll
        for (int t = 0; t < TILES; t++) {
          multiply(o[t][2 * i], p[t], b);
          multiply(o[t][2 * i + 1], p[t], b + 2);
        }
      }
    }
  }

#pragma unroll
  for (int t = 0; t < TILES; t++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float total = sum[t][h];
      total += __shfl_xor_sync(0xffffffffu, total, 1);
      total += __shfl_xor_sync(0xffffffffu, total, 2);
      int row = first + (warp * TILES + t) * 16 + lane / 4 + 8 * h;
      if (row >= end) continue;
      float inverse = 1.0f / total;
      if (lane % 4 == 0) lse[(i64)row * n + head] = m[t][h] * scale + logf(total);
      u32* to = (u32*)(out + ((i64)row * n + head) * SIZE) + lane % 4;
#pragma unroll
      for (int i = 0; i < SIZE / 8; i++) to[4 * i] = pack_bf16(o[t][i][2 * h] * inverse, o[t][i][2 * h + 1] * inverse);
    }
}
