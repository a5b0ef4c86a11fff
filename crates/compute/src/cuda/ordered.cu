// Products with one order of additions for every element, whatever the number of rows: k ascending, 16 at a time, by the same
// instruction. Tiles of different sizes give the same bits, since an element's sum knows nothing of its neighbours.
//
// d [m, n] = a [m, k] w [n, k]ᵀ (+ addend) (+ bias). k is a multiple of 8, rows are aligned to 16 bytes. A block of 4 warps takes
// BM x BN elements, a warp WM x WN of them; parts of SIZE = 64 columns of k are on their way STAGES - 1 steps ahead.
#if CONST_1 == 0
#define BM 128
#define BN 128
#define WM 64
#define WN 64
#define STAGES 3
#define BLOCKS 2
#else
#define BM 64
#define BN 64
#define WM 32
#define WN 32
#define STAGES 4
#define BLOCKS 3
#endif
#define STAGE_BYTES ((BM + BN) * SIZE * 2)

// N rows of SIZE columns, 16 rows by the block at a time; `from` is where this thread's first 8 numbers lie, `row` its first row.
template <int N>
__device__ __forceinline__ void load_part(u32 to, const bf16* from, i64 stride, int row, int n_rows, bool is_column) {
#pragma unroll
  for (int j = 0; j < N / 16; j++) {
    bool is_there = is_column && row + 16 * j < n_rows;
    copy16(to + 16 * j * SIZE * 2, is_there ? from + 16 * j * stride : from, is_there);
  }
}

__device__ __forceinline__ float2 load_pair(const float* p) { return *(const float2*)p; }
__device__ __forceinline__ float2 load_pair(const bf16* p) {
  u32 x = *(const u32*)p;
  return make_float2(low_half(x), high_half(x));
}
__device__ __forceinline__ void store_pair(float* p, float x, float y) { *(float2*)p = make_float2(x, y); }
__device__ __forceinline__ void store_pair(bf16* p, float x, float y) { *(u32*)p = pack_bf16(x, y); }

template <typename D>
__device__ __forceinline__ void finish(D* d, const D* addend, const bf16* bias, float x, i64 at, int col) {
  if (addend) x += to_f32(addend[at]);
  if (bias) x += to_f32(bias[col]);
  d[at] = from_f32<D>(x);
}

template <typename D>
__device__ __forceinline__ void product(D* d, const D* addend, const bf16* bias, const bf16* a, const bf16* w, int m, int n, int k) {
  extern __shared__ __align__(128) unsigned char memory[];
  u32 shared = shared_address(memory);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int row0, col0;
  place_tile(row0, col0, m, n, BM, BN);
  int warp_row = warp / (BN / WN) * WM, warp_col = warp % (BN / WN) * WN;

  int r = threadIdx.x / 8, chunk = threadIdx.x % 8;
  u32 to = (r * CHUNKS + (chunk ^ (r & 7))) * 16;
  int a_row = row0 + r, w_row = col0 + r;
  // Rows beyond the last are not read: any address within the matrix will do.
  const bf16 *a_from = a + (i64)min(a_row, m - 1) * k, *w_from = w + (i64)min(w_row, n - 1) * k;
  int n_steps = (k + SIZE - 1) / SIZE;
  auto load_step = [&](int step) {
    u32 stage = shared + step % STAGES * STAGE_BYTES + to;
    int column = step * SIZE + chunk * 8;
    bool is_column = column < k;
    int at = is_column ? column : 0;
    load_part<BM>(stage, a_from + at, k, a_row, m, is_column);
    load_part<BN>(stage + BM * SIZE * 2, w_from + at, k, w_row, n, is_column);
  };

  wait_for_inputs();
#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < n_steps) load_step(s);
    copies_end();
  }
  float acc[WM / 16][WN / 8][4];
#pragma unroll
  for (int i = 0; i < WM / 16; i++)
#pragma unroll
    for (int j = 0; j < WN / 8; j++) acc[i][j][0] = acc[i][j][1] = acc[i][j][2] = acc[i][j][3] = 0.0f;

  for (int step = 0; step < n_steps; step++) {
    copies_wait<STAGES - 2>();
    // Also: all warps are done with the stage that is loaded next.
    __syncthreads();
    if (step + STAGES - 1 < n_steps) load_step(step + STAGES - 1);
    copies_end();
    u32 a_tile = shared + step % STAGES * STAGE_BYTES, w_tile = a_tile + BM * SIZE * 2;
    u32 fa[2][WM / 16][4], fw[2][WN / 16][4];
#pragma unroll
    for (int i = 0; i < WM / 16; i++) load_a(fa[0][i], a_tile, warp_row + 16 * i, 0);
#pragma unroll
    for (int j = 0; j < WN / 16; j++) load_b(fw[0][j], w_tile, warp_col + 16 * j, 0);
#pragma unroll
    for (int part = 0; part < SIZE / 16; part++) {
      if (part + 1 < SIZE / 16) {
#pragma unroll
        for (int i = 0; i < WM / 16; i++) load_a(fa[(part + 1) & 1][i], a_tile, warp_row + 16 * i, part + 1);
#pragma unroll
        for (int j = 0; j < WN / 16; j++) load_b(fw[(part + 1) & 1][j], w_tile, warp_col + 16 * j, part + 1);
      }
#pragma unroll
      for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 16; j++) {
          multiply(acc[i][2 * j], fa[part & 1][i], fw[part & 1][j]);
          multiply(acc[i][2 * j + 1], fa[part & 1][i], fw[part & 1][j] + 2);
        }
    }
  }

#pragma unroll
  for (int i = 0; i < WM / 16; i++)
#pragma unroll
    for (int j = 0; j < WN / 8; j++)
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int row = row0 + warp_row + 16 * i + lane / 4 + 8 * h, col = col0 + warp_col + 8 * j + 2 * (lane % 4);
        if (row >= m) continue;
        i64 at = (i64)row * n + col;
        float x = acc[i][j][2 * h], y = acc[i][j][2 * h + 1];
        if (n % 2 == 0) {
          if (col >= n) continue;
          if (addend) {
            float2 more = load_pair(addend + at);
            x += more.x, y += more.y;
          }
          if (bias) x += to_f32(bias[col]), y += to_f32(bias[col + 1]);
          store_pair(d + at, x, y);
        } else {
          if (col < n) finish(d, addend, bias, x, at, col);
          if (col + 1 < n) finish(d, addend, bias, y, at + 1, col + 1);
        }
      }
}

KERNEL_FOR(128, BLOCKS) product(bf16* d, const bf16* addend, const bf16* bias, const bf16* a, const bf16* w, int m, int n, int k) {
  product<bf16>(d, addend, bias, a, w, m, n, k);
}

KERNEL_FOR(128, BLOCKS) product_to_f32(float* d, const float* addend, const bf16* bias, const bf16* a, const bf16* w, int m, int n, int k) {
  product<float>(d, addend, bias, a, w, m, n, k);
}
