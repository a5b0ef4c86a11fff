// d [m, n] = a [m, k] w [n, k]ᵀ (+ addend) (+ bias), k ascending, 16 at a time, by the same instruction whatever the tile: unless k
// is cut into parts, an element's bits do not depend on how many rows there are. n and k are multiples of 8, matrices aligned to 16 bytes.
//
// A block takes BM rows and BN columns: one or two warpgroups, each with TILES times 64 rows, and one warp that has the copy engine
// load tiles ahead. Weights do not come from an earlier kernel, so the first of them are on their way before that has finished.
#define BN CONST_0
#define BM CONST_1
#define GROUPS (BM == 64 ? 1 : 2)
#define TILES (BM / (64 * GROUPS))
// A tile whose sums need more registers than threads get to begin with: the loading warpgroup gives some of its own away.
#define IS_LARGE (TILES * BN > 176)
#define LOADERS (IS_LARGE ? 128 : 32)
// Columns of k in one stage: BOXES times those of a tile in shared memory. Waiting for a stage costs as much as 64 columns of
// a small tile.
#define BOXES (BM + BN <= 192 ? 2 : 1)
#define STEP (64 * BOXES)
#define TILE_BYTES (64 * 64 * 2)
#define A_BYTES (BM * STEP * 2)
#define W_BYTES (BN * STEP * 2)
#define STAGE_BYTES (A_BYTES + W_BYTES)
#define MAX_STAGES 16

// Results in bf16. What is added to them is loaded while the products run, where there are registers for it; a bias is a weight, and
// on its way before the kernel before has finished.
#define IS_EARLY (TILES * BN <= 96)
struct Plain {
  bf16* d;
  const bf16 *addend, *bias;
  int m, n;
  u32 early[2][IS_EARLY ? BN / 8 : 1], early_bias[IS_EARLY ? BN / 8 : 1];

  __device__ __forceinline__ int n_there(int row, int col0) const { return row < m ? n - col0 : 0; }
  __device__ __forceinline__ u32 bias_at(int j, int col0) const {
    return 8 * j < n - col0 ? *(const u32*)(bias + col0 + 8 * j + 2 * (threadIdx.x % 4)) : 0;
  }
  __device__ __forceinline__ void before(int col0) {
    if constexpr (IS_EARLY) {
      if (!bias) return;
#pragma unroll
      for (int j = 0; j < BN / 8; j++) early_bias[j] = bias_at(j, col0);
    }
  }
  __device__ __forceinline__ void begin(int row, int col0) {
    if constexpr (IS_EARLY) {
      if (!addend) return;
#pragma unroll
      for (int h = 0; h < 2; h++) load_row<BN>(early[h], addend + (i64)(row + 8 * h) * n + col0, n_there(row + 8 * h, col0));
    }
  }
  // Two rows of a lane, 8 apart, 2 columns of every 8.
  __device__ __forceinline__ void end(const float* acc, int row, int col0) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int there = n_there(row + 8 * h, col0);
      i64 at = (i64)(row + 8 * h) * n + col0;
      u32 w[BN / 8], late[IS_EARLY ? 1 : BN / 8];
      if constexpr (!IS_EARLY) {
        if (addend) load_row<BN>(late, addend + at, there);
      }
#pragma unroll
      for (int j = 0; j < BN / 8; j++) {
        float x = acc[4 * j + 2 * h], y = acc[4 * j + 2 * h + 1];
        if (addend) {
          u32 more = IS_EARLY ? early[h][IS_EARLY ? j : 0] : late[IS_EARLY ? 0 : j];
          x += low_half(more), y += high_half(more);
        }
        if (bias) {
          u32 b = IS_EARLY ? early_bias[IS_EARLY ? j : 0] : bias_at(j, col0);
          x += low_half(b), y += high_half(b);
        }
        w[j] = pack_bf16(x, y);
      }
      store_row<BN>(d + at, w, there);
    }
  }
};

// Results that nothing is added to.
struct Alone {
  __device__ __forceinline__ void before(int) {}
  __device__ __forceinline__ void begin(int, int) {}
};

struct ToF32 : Alone {
  float* d;
  int m, n;

  __device__ __forceinline__ void end(const float* acc, int row, int col0) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      if (row + 8 * h >= m) continue;
#pragma unroll
      for (int j = 0; j < BN / 8; j++) {
        int col = col0 + 8 * j + 2 * (threadIdx.x % 4);
        if (col < n) *(float2*)(d + (i64)(row + 8 * h) * n + col) = make_float2(acc[4 * j + 2 * h], acc[4 * j + 2 * h + 1]);
      }
    }
  }
};

// Gates lie in the first half of the tile's columns, what they let through in the second; both are rounded as if they had been
// stored. `n` is the number of gates.
struct Activated : Alone {
  bf16* d;
  int m, n;

  __device__ __forceinline__ void end(const float* acc, int row, int col0) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      u32 w[BN / 16];
#pragma unroll
      for (int j = 0; j < BN / 16; j++) {
        const float *gates = acc + 4 * j + 2 * h, *ups = gates + BN / 4;
        u32 gate = pack_bf16(gates[0], gates[1]), up = pack_bf16(ups[0], ups[1]);
        float x = low_half(gate), y = high_half(gate);
        w[j] = pack_bf16(x * sigmoid(x) * low_half(up), y * sigmoid(y) * high_half(up));
      }
      store_row<BN / 2>(d + (i64)(row + 8 * h) * n + col0, w, row + 8 * h < m ? n - col0 : 0);
    }
  }
};

// `n_cols` of the result belong to a tile, whose weights are HALVES boxes of BN / HALVES rows, n rows from each other. Where the grid
// has several rows, each multiplies its part of k.
template <int HALVES, typename F>
__device__ __forceinline__ void product(const TensorMap* a, const TensorMap* w, int m, int n, int k, int n_stages, F finish) {
  extern __shared__ unsigned char memory[];
  __shared__ __align__(8) u64 full[MAX_STAGES], empty[MAX_STAGES];
  const int n_cols = BN / HALVES;
  u32 tiles = first_tile(memory), fulls = shared_address(full), empties = shared_address(empty);
  int row0, col0;
  place_tile(row0, col0, m, n, BM, n_cols);
  int all_steps = (k + STEP - 1) / STEP, step0 = all_steps * blockIdx.y / gridDim.y;
  int n_steps = all_steps * (blockIdx.y + 1) / gridDim.y - step0, warp = threadIdx.x / 32;
  if (threadIdx.x == 0) {
    for (int s = 0; s < n_stages; s++) barrier_init(fulls + 8 * s, 1), barrier_init(empties + 8 * s, 4 * GROUPS);
    barriers_visible();
  }
  __syncthreads();
  launch_dependents();

  if (warp >= 4 * GROUPS) {
    if constexpr (IS_LARGE) fewer_registers<40>();
    if (threadIdx.x == 128 * GROUPS) {
      prefetch_map(w), prefetch_map(a);
      auto load_w = [&](int step, int s) {
        u32 to = tiles + s * STAGE_BYTES + A_BYTES;
        barrier_expect(fulls + 8 * s, STAGE_BYTES);
#pragma unroll
        for (int i = 0; i < BOXES; i++)
#pragma unroll
          for (int p = 0; p < HALVES; p++)
            bulk_load(to + (i * BN + p * n_cols) * 128, w, fulls + 8 * s, (step0 + step) * STEP + 64 * i, col0 + p * n);
      };
      auto load_a = [&](int step, int s) {
#pragma unroll
        for (int i = 0; i < BOXES; i++)
          bulk_load(tiles + s * STAGE_BYTES + i * BM * 128, a, fulls + 8 * s, (step0 + step) * STEP + 64 * i, row0);
      };
      int first = min(n_stages, n_steps);
      for (int s = 0; s < first; s++) load_w(s, s);
      wait_for_inputs();
      for (int s = 0; s < first; s++) load_a(s, s);
      Ring ring;
      for (int step = first; step < n_steps; step++, ring.next(n_stages)) {
        barrier_wait(empties + 8 * ring.stage, ring.parity);
        load_w(step, ring.stage);
        load_a(step, ring.stage);
      }
    }
    return;
  }
  if constexpr (IS_LARGE) more_registers<232>();
  float acc[TILES][BN / 2];
  int group = warp / 4, row = row0 + 64 * group * TILES + 16 * (warp % 4) + threadIdx.x % 32 / 4;
  finish.before(col0);
  wait_for_inputs();
  finish.begin(row, col0);
  Ring ring;
#pragma unroll 1
  for (int step = 0; step < n_steps; step++, ring.next(n_stages)) {
    barrier_wait(fulls + 8 * ring.stage, ring.parity);
    u32 stage = tiles + ring.stage * STAGE_BYTES;
    u64 at_a = tile_descriptor(stage + group * TILES * TILE_BYTES), at_w = tile_descriptor(stage + A_BYTES);
    wgmma_begin();
#pragma unroll
    for (int i = 0; i < BOXES; i++)
#pragma unroll
      for (int part = 0; part < 4; part++)
#pragma unroll
        for (int t = 0; t < TILES; t++)
          wgmma(acc[t], at_a + i * BM * 8 + t * (TILE_BYTES / 16) + 2 * part, at_w + i * BN * 8 + 2 * part, step | i | part);
    wgmma_commit();
    // The products of the step before are done, and its tiles free.
    wgmma_wait<1>();
    if (step > 0 && threadIdx.x % 32 == 0) barrier_arrive(empties + 8 * (ring.stage == 0 ? n_stages - 1 : ring.stage - 1));
  }
  wgmma_wait<0>();
#pragma unroll
  for (int t = 0; t < TILES; t++) finish.end(acc[t], row + 64 * t, col0);
}

#define PRODUCT KERNEL_FOR(128 * GROUPS + LOADERS, 1)

PRODUCT product(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap w, bf16* d, const bf16* addend, const bf16* bias, int m,
                int n, int k, int n_stages) {
  product<1>(&a, &w, m, n, k, n_stages, Plain{d, addend, bias, m, n});
}

// Of each part of k a result of its own, one after the other.
PRODUCT product_to_f32(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap w, float* d, int m, int n, int k, int n_stages) {
  product<1>(&a, &w, m, n, k, n_stages, ToF32{{}, d + (i64)blockIdx.y * m * n, m, n});
}

#if BN % 16 == 0
// w [2 n, k]: gates, then what they let through. d [m, n].
PRODUCT product_activated(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap w, bf16* d, int m, int n, int k, int n_stages) {
  product<2>(&a, &w, m, n, k, n_stages, Activated{{}, d, m, n});
}
#endif
