// Attention of training and prefill by warpgroups (Shah et al. 2024, arXiv 2407.08608), causal, bf16, heads of 64 and 128 columns. A
// block has two warpgroups that multiply, 64 rows each, and one whose first warp fetches tiles ahead. Tiles in shared memory are
// [rows][64]; heads of 128 columns have two, one behind the other. Tiles do not stop where a sequence does: rows of the next one get no
// weight, but have to be finite.
#define HALVES (SIZE / 64)
#define PARTS (SIZE / 16)
#define ROWS 128          // of a block: queries, or keys in the gradient of keys
#define FLASH KERNEL_FOR(384, 1)

// A head's columns of N rows.
template <int N>
__device__ __forceinline__ void load_head(u32 to, const TensorMap* map, u32 barrier, int column, int row) {
#pragma unroll
  for (int i = 0; i < HALVES; i++) bulk_load(to + i * N * 128, map, barrier, column + 64 * i, row);
}

// First operand: rows row.. and columns 16 k.. of a tile of N rows, 16 x 16 for each warp.
template <int N>
__device__ __forceinline__ void load_a(u32* a, u32 tile, int row, int k) {
  int lane = threadIdx.x % 32, r = row + lane / 8 % 2 * 8 + lane % 8, chunk = 2 * (k % 4) + lane / 16;
  load4(a, tile + k / 4 * N * 128 + (r * 8 + (chunk ^ (r & 7))) * 16);
}

// Second operand whose columns of k are those of a tile of N rows: part k.
template <int N>
__device__ __forceinline__ u64 across(u32 tile, int k) {
  return tile_descriptor(tile + k / 4 * N * 128) + 2 * (k % 4);
}
// Second operand whose rows of k are those of a tile of N rows: rows 16 k... Halves of its columns are N rows apart.
template <int N>
__device__ __forceinline__ u64 down(u32 tile, int k) {
  return tile_descriptor(tile + k * 2048) | (u64)(N * 128 / 16) << 16;
}

// 16 columns of results as a first operand.
__device__ __forceinline__ void as_a(u32* a, const float* x) {
  a[0] = pack_bf16(x[0], x[1]), a[1] = pack_bf16(x[2], x[3]), a[2] = pack_bf16(x[4], x[5]), a[3] = pack_bf16(x[6], x[7]);
}

// Two rows of a lane, 8 apart, times `factor`, to rows `stride` apart.
__device__ __forceinline__ void store_rows(bf16* to, i64 stride, const float* x, const float* factor, int row, int end) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    u32 w[SIZE / 8];
#pragma unroll
    for (int j = 0; j < SIZE / 8; j++) w[j] = pack_bf16(x[4 * j + 2 * h] * factor[h], x[4 * j + 2 * h + 1] * factor[h]);
    store_row<SIZE>(to + (row + 8 * h) * stride, w, row + 8 * h < end ? SIZE : 0);
  }
}

// Item `item` of work: a head of `n`, and a tile of rows of a sequence.
struct Item {
  int head, first, start, end;
  __device__ __forceinline__ Item(const u32* tiles, int item, int n) : head(item % n) {
    const u32* tile = tiles + 3 * (item / n);
    first = tile[0], start = tile[1], end = tile[2];
  }
};

#define PLACE_IN_BLOCK                                                                              \
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = warp / 4, own = 64 * group + 16 * (warp % 4); \
  bool is_loader = warp >= 8

// Keys and values of a step of the forward.
#define KEYS 128
#define FORWARD_STAGES (SIZE == 64 ? 4 : 2)
#define FORWARD_STAGE (2 * KEYS * SIZE * 2)

// `map` is of qkv in boxes of 128 rows. lse [T, n]. A block takes every gridDim.x-th item, and fetches for the next one while this one
// ends; items of the backward are longer, and balance better with a block for each.
FLASH flash_forward(const __grid_constant__ TensorMap map, bf16* out, float* lse, const u32* tiles, int n_items, int n, int n_kv,
                    float scale) {
  extern __shared__ unsigned char memory[];
  __shared__ __align__(8) u64 barriers[2 + 2 * FORWARD_STAGES];
  u32 q_tile = first_tile(memory), stages = q_tile + ROWS * SIZE * 2;
  u32 has_q = shared_address(barriers), took_q = has_q + 8, full = took_q + 8, empty = full + 8 * FORWARD_STAGES;
  PLACE_IN_BLOCK;
  auto n_steps_of = [](Item item) { return (min(item.first + ROWS, item.end) - item.start + KEYS - 1) / KEYS; };
  if (threadIdx.x == 0) {
    barrier_init(has_q, 1), barrier_init(took_q, 8);
    for (int s = 0; s < FORWARD_STAGES; s++) barrier_init(full + 8 * s, 1), barrier_init(empty + 8 * s, 8);
    barriers_visible();
  }
  __syncthreads();
  if (is_loader) {
    fewer_registers<24>();
    if (threadIdx.x != 256) return;
    Ring ring;
    int n_loaded = 0, q_parity = 1;
    for (int i = blockIdx.x; i < n_items; i += gridDim.x, q_parity ^= 1) {
      Item item(tiles, i, n);
      int kv = item.head / (n / n_kv), n_steps = n_steps_of(item);
      if (i != blockIdx.x) barrier_wait(took_q, q_parity);
      barrier_expect(has_q, ROWS * SIZE * 2);
      load_head<ROWS>(q_tile, &map, has_q, item.head * SIZE, item.first);
      for (int step = 0; step < n_steps; step++, ring.next(FORWARD_STAGES)) {
        u32 to = stages + ring.stage * FORWARD_STAGE, is_full = full + 8 * ring.stage;
        if (n_loaded++ >= FORWARD_STAGES) barrier_wait(empty + 8 * ring.stage, ring.parity ^ 1);
        barrier_expect(is_full, FORWARD_STAGE);
        load_head<KEYS>(to, &map, is_full, (n + kv) * SIZE, item.start + step * KEYS);
        load_head<KEYS>(to + FORWARD_STAGE / 2, &map, is_full, (n + n_kv + kv) * SIZE, item.start + step * KEYS);
      }
    }
    return;
  }
  more_registers<240>();
  float c = scale * LOG2E, m[2], sum[2], keep[2], s[KEYS / 2], o[SIZE / 2];
  u32 q[PARTS][4], p[KEYS / 16][4];
  auto scores = [&](Ring ring) {
    barrier_wait(full + 8 * ring.stage, ring.parity);
    u32 keys = stages + ring.stage * FORWARD_STAGE;
    wgmma_begin();
#pragma unroll
    for (int k = 0; k < PARTS; k++) wgmma_keys(s, q[k], across<KEYS>(keys, k), k);
    wgmma_commit();
  };
  // Scores become exponentials; what was summed before is to be scaled by `keep`.
  auto soften = [&](int key, int row) {
    if (key + KEYS - 1 > row - lane / 4) {
#pragma unroll
      for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
          if (key + 8 * j + 2 * (lane % 4) + (e & 1) > row + e / 2 * 8) s[4 * j + e] = -INFINITY_F;
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float largest = m[h];
#pragma unroll
      for (int j = 0; j < KEYS / 8; j++) largest = fmaxf(largest, fmaxf(s[4 * j + 2 * h], s[4 * j + 2 * h + 1]));
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
      keep[h] = fast_exp2((m[h] - largest) * c);
      m[h] = largest;
      float shift = largest * c, total = sum[h] * keep[h];
#pragma unroll
      for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int e = 2 * h; e < 2 * h + 2; e++) {
          s[4 * j + e] = fast_exp2(fmaf(s[4 * j + e], c, -shift));
          total += s[4 * j + e];
        }
      sum[h] = total;
    }
  };
  auto sums = [&](Ring ring, bool adds) {
    u32 values = stages + ring.stage * FORWARD_STAGE + FORWARD_STAGE / 2;
    wgmma_begin();
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) wgmma_sums(o, p[k], down<KEYS>(values, k), adds || k > 0);
    wgmma_commit();
  };
  Ring now;
  int q_parity = 0;
  for (int i = blockIdx.x; i < n_items; i += gridDim.x, q_parity ^= 1) {
    Item item(tiles, i, n);
    int row = item.first + own + lane / 4, n_steps = n_steps_of(item);
    m[0] = m[1] = -1e30f, sum[0] = sum[1] = 0.0f;
    barrier_wait(has_q, q_parity);
#pragma unroll
    for (int k = 0; k < PARTS; k++) load_a<ROWS>(q[k], q_tile, own, k);
    __syncwarp();
    if (lane == 0) barrier_arrive(took_q);
    Ring next = now;
    scores(next);
    wgmma_wait<0>();
    soften(item.start, row);
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) as_a(p[k], s + 8 * k);
#pragma unroll 1
    for (int step = 1; step < n_steps; step++) {
      next.next(FORWARD_STAGES);
      scores(next);
      sums(now, step > 1);
      wgmma_wait<1>();
      soften(item.start + step * KEYS, row);
      wgmma_wait<0>();
      if (lane == 0) barrier_arrive(empty + 8 * now.stage);
#pragma unroll
      for (int i = 0; i < SIZE / 2; i++) o[i] *= keep[i / 2 % 2];
#pragma unroll
      for (int k = 0; k < KEYS / 16; k++) as_a(p[k], s + 8 * k);
      now = next;
    }
    sums(now, n_steps > 1);
    wgmma_wait<0>();
    if (lane == 0) barrier_arrive(empty + 8 * now.stage);
    now.next(FORWARD_STAGES);
    float inverse[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float total = sum[h];
      total += __shfl_xor_sync(0xffffffffu, total, 1);
      total += __shfl_xor_sync(0xffffffffu, total, 2);
      inverse[h] = 1.0f / total;
      if (lane % 4 == 0 && row + 8 * h < item.end) lse[(i64)(row + 8 * h) * n + item.head] = m[h] * scale + logf(total);
    }
    store_rows(out + item.head * SIZE, (i64)n * SIZE, o, inverse, row, item.end);
  }
}

// Rows of the other side in a step of the backward.
#define STEP 64
#define BACKWARD_STAGES (SIZE == 64 ? 4 : 2)
#define TILE_BYTES (STEP * SIZE * 2)
#define OWN_BYTES (ROWS * SIZE * 2)

// Gradients of 128 keys and values of one key head, over the query heads of its group and the query rows from the keys on. Products
// are transposed: rows are keys, columns queries. `rows` and `steps` are of qkv in boxes of 128 and of 64 rows, `grads` of dout in
// boxes of 64.
FLASH flash_backward_key(const __grid_constant__ TensorMap rows, const __grid_constant__ TensorMap steps,
                         const __grid_constant__ TensorMap grads, bf16* dqkv, const float* delta, const float* lse, const u32* tiles, int n,
                         int n_kv, float scale) {
  extern __shared__ unsigned char memory[];
  __shared__ __align__(8) u64 barriers[1 + 2 * BACKWARD_STAGES];
  __shared__ float lse_of[BACKWARD_STAGES][STEP], delta_of[BACKWARD_STAGES][STEP];
  u32 k_tile = first_tile(memory), v_tile = k_tile + OWN_BYTES, stages = v_tile + OWN_BYTES;
  u32 has_own = shared_address(barriers), full = has_own + 8, empty = full + 8 * BACKWARD_STAGES;
  Item item(tiles, blockIdx.x, n_kv);
  PLACE_IN_BLOCK;
  int kv = item.head, n_heads = n / n_kv, first = item.first, end = item.end;
  int per_head = (end - first + STEP - 1) / STEP, n_steps = per_head * n_heads;
  if (threadIdx.x == 0) {
    barrier_init(has_own, 1);
    for (int s = 0; s < BACKWARD_STAGES; s++) barrier_init(full + 8 * s, 33), barrier_init(empty + 8 * s, 8);
    barriers_visible();
  }
  __syncthreads();
  if (is_loader) {
    fewer_registers<24>();
    if (warp > 8) return;
    if (lane == 0) {
      barrier_expect(has_own, 2 * OWN_BYTES);
      load_head<ROWS>(k_tile, &rows, has_own, (n + kv) * SIZE, first);
      load_head<ROWS>(v_tile, &rows, has_own, (n + n_kv + kv) * SIZE, first);
    }
    Ring ring;
    for (int step = 0; step < n_steps; step++, ring.next(BACKWARD_STAGES)) {
      int head = kv * n_heads + step / per_head, row = first + step % per_head * STEP;
      u32 to = stages + ring.stage * 2 * TILE_BYTES, is_full = full + 8 * ring.stage;
      float l[2], d[2];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        int at = row + lane + 32 * i;
        // Rows beyond the last have no weight.
        l[i] = at < end ? lse[(i64)at * n + head] * LOG2E : INFINITY_F;
        d[i] = at < end ? delta[(i64)at * n + head] : 0.0f;
      }
      if (step >= BACKWARD_STAGES) barrier_wait(empty + 8 * ring.stage, ring.parity ^ 1);
      if (lane == 0) {
        barrier_expect(is_full, 2 * TILE_BYTES);
        load_head<STEP>(to, &steps, is_full, head * SIZE, row);
        load_head<STEP>(to + TILE_BYTES, &grads, is_full, head * SIZE, row);
      }
#pragma unroll
      for (int i = 0; i < 2; i++) lse_of[ring.stage][lane + 32 * i] = l[i], delta_of[ring.stage][lane + 32 * i] = d[i];
      barrier_arrive(is_full);
    }
    return;
  }
  more_registers<240>();
  int key = first + own + lane / 4;
  float c = scale * LOG2E, dk[SIZE / 2], dv[SIZE / 2], s[STEP / 2], dp[STEP / 2];
#pragma unroll
  for (int i = 0; i < SIZE / 2; i++) dk[i] = dv[i] = 0.0f;
  u32 p[STEP / 16][4], ds[STEP / 16][4];
  u32 k_own[PARTS][4], v_own[PARTS][4];
  barrier_wait(has_own, 0);
  if constexpr (SIZE == 64) {
#pragma unroll
    for (int k = 0; k < PARTS; k++) load_a<ROWS>(k_own[k], k_tile, own, k), load_a<ROWS>(v_own[k], v_tile, own, k);
  }
  // [64 keys, STEP] = keys or values · a tileᵀ of the other side: from registers where there are enough of them.
  auto multiply_own = [&](float* to, const u32 (*in_registers)[4], u32 tile, u32 other) {
#pragma unroll
    for (int k = 0; k < PARTS; k++) {
      if constexpr (SIZE == 64) {
        wgmma_rows(to, in_registers[k], across<STEP>(other, k), k);
      } else {
        wgmma_tile(to, across<ROWS>(tile + 64 * group * 128, k), across<STEP>(other, k), k);
      }
    }
  };
  Ring ring;
  for (int step = 0; step < n_steps; step++, ring.next(BACKWARD_STAGES)) {
    int row = first + step % per_head * STEP;
    u32 q = stages + ring.stage * 2 * TILE_BYTES, g = q + TILE_BYTES;
    barrier_wait(full + 8 * ring.stage, ring.parity);
    // Queries before all keys of the group see none of them.
    if (row + STEP > first + 64 * group) {
      wgmma_begin();
      multiply_own(s, k_own, k_tile, q);
      wgmma_commit();
      multiply_own(dp, v_own, v_tile, g);
      wgmma_commit();
      wgmma_wait<1>();
      bool is_diagonal = row < first + ROWS;
#pragma unroll
      for (int j = 0; j < STEP / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int query = 8 * j + 2 * (lane % 4) + (e & 1);
          float x = fast_exp2(fmaf(s[4 * j + e], c, -lse_of[ring.stage][query]));
          s[4 * j + e] = is_diagonal && row + query < key + e / 2 * 8 ? 0.0f : x;
        }
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) as_a(p[k], s + 8 * k);
      wgmma_wait<0>();
      wgmma_begin();
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) wgmma_sums(dv, p[k], down<STEP>(g, k), 1);
      wgmma_commit();
#pragma unroll
      for (int j = 0; j < STEP / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) s[4 * j + e] *= dp[4 * j + e] - delta_of[ring.stage][8 * j + 2 * (lane % 4) + (e & 1)];
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) as_a(ds[k], s + 8 * k);
      wgmma_begin();
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) wgmma_sums(dk, ds[k], down<STEP>(q, k), 1);
      wgmma_commit();
      wgmma_wait<0>();
    }
    if (lane == 0) barrier_arrive(empty + 8 * ring.stage);
  }
  float scales[2] = {scale, scale}, ones[2] = {1.0f, 1.0f};
  i64 stride = (i64)(n + 2 * n_kv) * SIZE;
  store_rows(dqkv + (n + kv) * SIZE, stride, dk, scales, key, end);
  store_rows(dqkv + (n + n_kv + kv) * SIZE, stride, dv, ones, key, end);
}

// Gradient of 128 query rows of one head, over the keys up to them. `own_grads` is of dout in boxes of 128 rows.
FLASH flash_backward_query(const __grid_constant__ TensorMap rows, const __grid_constant__ TensorMap steps,
                           const __grid_constant__ TensorMap own_grads, bf16* dqkv, const float* delta, const float* lse,
                           const u32* tiles, int n, int n_kv, float scale) {
  extern __shared__ unsigned char memory[];
  __shared__ __align__(8) u64 barriers[1 + 2 * BACKWARD_STAGES];
  u32 q_tile = first_tile(memory), g_tile = q_tile + OWN_BYTES, stages = g_tile + OWN_BYTES;
  u32 has_own = shared_address(barriers), full = has_own + 8, empty = full + 8 * BACKWARD_STAGES;
  Item item(tiles, blockIdx.x, n);
  PLACE_IN_BLOCK;
  int head = item.head, kv = head / (n / n_kv), first = item.first, start = item.start, end = item.end;
  int n_steps = (min(first + ROWS, end) - start + STEP - 1) / STEP;
  if (threadIdx.x == 0) {
    barrier_init(has_own, 1);
    for (int s = 0; s < BACKWARD_STAGES; s++) barrier_init(full + 8 * s, 1), barrier_init(empty + 8 * s, 8);
    barriers_visible();
  }
  __syncthreads();
  if (is_loader) {
    fewer_registers<24>();
    if (threadIdx.x == 256) {
      barrier_expect(has_own, 2 * OWN_BYTES);
      load_head<ROWS>(q_tile, &rows, has_own, head * SIZE, first);
      load_head<ROWS>(g_tile, &own_grads, has_own, head * SIZE, first);
      Ring ring;
      for (int step = 0; step < n_steps; step++, ring.next(BACKWARD_STAGES)) {
        u32 to = stages + ring.stage * 2 * TILE_BYTES, is_full = full + 8 * ring.stage;
        if (step >= BACKWARD_STAGES) barrier_wait(empty + 8 * ring.stage, ring.parity ^ 1);
        barrier_expect(is_full, 2 * TILE_BYTES);
        load_head<STEP>(to, &steps, is_full, (n + kv) * SIZE, start + step * STEP);
        load_head<STEP>(to + TILE_BYTES, &steps, is_full, (n + n_kv + kv) * SIZE, start + step * STEP);
      }
    }
    return;
  }
  more_registers<240>();
  int row = first + own + lane / 4;
  float c = scale * LOG2E, dq[SIZE / 2], s[STEP / 2], dp[STEP / 2], lse_row[2], delta_row[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    bool is_there = row + 8 * h < end;
    i64 at = (i64)(row + 8 * h) * n + head;
    lse_row[h] = is_there ? lse[at] * LOG2E : INFINITY_F;
    delta_row[h] = is_there ? delta[at] : 0.0f;
  }
  u32 q[PARTS][4], g[PARTS][4], ds[STEP / 16][4];
  barrier_wait(has_own, 0);
#pragma unroll
  for (int k = 0; k < PARTS; k++) load_a<ROWS>(q[k], q_tile, own, k), load_a<ROWS>(g[k], g_tile, own, k);
#pragma unroll
  for (int i = 0; i < SIZE / 2; i++) dq[i] = 0.0f;
  Ring ring;
  for (int step = 0; step < n_steps; step++, ring.next(BACKWARD_STAGES)) {
    int key = start + step * STEP;
    u32 keys = stages + ring.stage * 2 * TILE_BYTES, values = keys + TILE_BYTES;
    barrier_wait(full + 8 * ring.stage, ring.parity);
    // No row of the group sees keys behind its last one.
    if (key <= first + 64 * group + 63) {
      wgmma_begin();
#pragma unroll
      for (int k = 0; k < PARTS; k++) wgmma_rows(s, q[k], across<STEP>(keys, k), k);
      wgmma_commit();
#pragma unroll
      for (int k = 0; k < PARTS; k++) wgmma_rows(dp, g[k], across<STEP>(values, k), k);
      wgmma_commit();
      wgmma_wait<1>();
      bool is_diagonal = key + STEP - 1 > first + own;
#pragma unroll
      for (int j = 0; j < STEP / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          float x = fast_exp2(fmaf(s[4 * j + e], c, -lse_row[e / 2]));
          s[4 * j + e] = is_diagonal && key + 8 * j + 2 * (lane % 4) + (e & 1) > row + e / 2 * 8 ? 0.0f : x;
        }
      wgmma_wait<0>();
#pragma unroll
      for (int i = 0; i < STEP / 2; i++) s[i] *= dp[i] - delta_row[i / 2 % 2];
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) as_a(ds[k], s + 8 * k);
      wgmma_begin();
#pragma unroll
      for (int k = 0; k < STEP / 16; k++) wgmma_sums(dq, ds[k], down<STEP>(keys, k), 1);
      wgmma_commit();
      wgmma_wait<0>();
    }
    if (lane == 0) barrier_arrive(empty + 8 * ring.stage);
  }
  float scales[2] = {scale, scale};
  store_rows(dqkv + head * SIZE, (i64)(n + 2 * n_kv) * SIZE, dq, scales, row, end);
}
