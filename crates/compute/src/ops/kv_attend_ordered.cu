// Attention of one query row for each sequence over its pages, in the order of `flash_forward`: tiles of BN keys from the first
// position on, the same products and the same steps of the softmax, so that a row has the bits of the training forward. For devices
// that promise them; the kernels that split a sequence are faster where it is long.
//
// A block of 4 warps takes one sequence and up to 16 query heads of one key head: the rows of a product. All warps compute all
// scores; each sums its quarter of the columns.
#define PAGE 16
#define GROUP CONST_1
#define BN 64
#define N_SUMS (SIZE / 32)  // tiles of 8 columns of a warp

// Positions key..key + BN of a sequence, zeros from `length` on.
__device__ __forceinline__ void load_pages(u32 tile, const bf16* base, const u32* own, int key, int length, int kv, int n_kv) {
#pragma unroll
  for (int i = threadIdx.x; i < BN * CHUNKS; i += 128) {
    int row = i / CHUNKS, chunk = i % CHUNKS, position = key + row;
    bool is_there = position < length;
    i64 at = is_there ? (((i64)own[position / PAGE] * n_kv + kv) * PAGE + position % PAGE) * SIZE + chunk * 8 : 0;
    copy16(shared_at(tile, row, chunk), base + at, is_there);
  }
}

KERNEL_FOR(128, 3) attend_ordered(bf16* out, const bf16* qkv, const bf16* keys, const bf16* values, const u32* pages, const u32* lengths,
                                  int n_kv, int max_pages, float scale) {
  extern __shared__ __align__(128) unsigned char memory[];
  u32 q_tile = shared_address(memory), k_tile = q_tile + 16 * SIZE * 2, v_tile = k_tile + 2 * BN * SIZE * 2;
  int row = blockIdx.x, kv = blockIdx.y, first_head = blockIdx.z * 16, n = n_kv * GROUP, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  wait_for_inputs();
  int length = lengths[row], n_steps = (length + BN - 1) / BN;
  const u32* own = pages + (i64)row * max_pages;
  load_tile<16, 128>(q_tile, qkv + ((i64)row * (n + 2 * n_kv) + kv * GROUP) * SIZE, SIZE, first_head, GROUP);
  load_pages(k_tile, keys, own, 0, length, kv, n_kv);
  load_pages(v_tile, values, own, 0, length, kv, n_kv);
  copies_end();

  u32 q[SIZE / 16][4];
  float o[N_SUMS][4], m[2] = {-1e30f, -1e30f}, sum[2] = {0.0f, 0.0f}, c = scale * LOG2E;
#pragma unroll
  for (int i = 0; i < N_SUMS; i++) o[i][0] = o[i][1] = o[i][2] = o[i][3] = 0.0f;

  for (int step = 0; step < n_steps; step++) {
    int at = step & 1, key = step * BN;
    copies_wait<0>();
    __syncthreads();
    if (step == 0) {
#pragma unroll
      for (int k = 0; k < SIZE / 16; k++) load_a(q[k], q_tile, 0, k);
    }
    if (step + 1 < n_steps) {
      load_pages(k_tile + (at ^ 1) * BN * SIZE * 2, keys, own, key + BN, length, kv, n_kv);
      load_pages(v_tile + (at ^ 1) * BN * SIZE * 2, values, own, key + BN, length, kv, n_kv);
      copies_end();
    }
    u32 k_now = k_tile + at * BN * SIZE * 2, v_now = v_tile + at * BN * SIZE * 2;
    float s[BN / 8][4];
#pragma unroll
    for (int j = 0; j < BN / 8; j++) s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0.0f;
#pragma unroll
    for (int k = 0; k < SIZE / 16; k++)
#pragma unroll
      for (int j = 0; j < BN / 16; j++) {
        u32 b[4];
        load_b(b, k_now, 16 * j, k);
        multiply(s[2 * j], q[k], b);
        multiply(s[2 * j + 1], q[k], b + 2);
      }
    if (key + BN > length) {
#pragma unroll
      for (int j = 0; j < BN / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
          if (key + 8 * j + 2 * (lane % 4) + (e & 1) >= length) s[j][e] = -INFINITY_F;
    }
    soften(s, m, sum, o, c);
#pragma unroll
    for (int k = 0; k < BN / 16; k++) {
      u32 p[4];
      as_a(p, s[2 * k], s[2 * k + 1]);
#pragma unroll
      for (int i = 0; i < N_SUMS / 2; i++) {
        u32 b[4];
        load_b_rows(b, v_now, 16 * k, warp * (N_SUMS / 2) + i);
        multiply(o[2 * i], p, b);
        multiply(o[2 * i + 1], p, b + 2);
      }
    }
  }

#pragma unroll
  for (int h = 0; h < 2; h++) {
    float total = sum[h];
    total += __shfl_xor_sync(0xffffffffu, total, 1);
    total += __shfl_xor_sync(0xffffffffu, total, 2);
    int head = first_head + lane / 4 + 8 * h;
    if (head >= GROUP) continue;
    float inverse = 1.0f / total;
    u32* to = (u32*)(out + ((i64)row * n + kv * GROUP + head) * SIZE) + lane % 4;
#pragma unroll
    for (int i = 0; i < N_SUMS; i++) to[4 * (warp * N_SUMS + i)] = pack_bf16(o[i][2 * h] * inverse, o[i][2 * h + 1] * inverse);
  }
}
