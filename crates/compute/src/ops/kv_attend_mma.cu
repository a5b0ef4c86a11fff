// Attention of one query row for each sequence over its pages, with tensor cores: bf16, head sizes 64 and 128, up to 8 query heads
// for each key head. A block of up to 4 warps takes one sequence, one key head with all CONST_1 query heads that share it, and
// `per_block` positions; a warp takes a page at a time, transposed, since the instructions have 16 rows and 8 columns:
// [16 positions, 8 heads] = k qᵀ, [SIZE, 8 heads] += vᵀ p.
//
// Operands come straight from memory, 16 bytes a lane. Sums over columns do not care about their order, so a lane's 8 neighbouring
// columns stand for the columns that the instruction would have it hold; which column of the result is which follows from that.
#define PAGE 16
#define GROUP CONST_1
#define MAX_WARPS 4
#define WIDTH (SIZE + 2)
#define SETS (SIZE / 64)

struct Page {
  uint4 k[2][2 * SETS];  // position 8 t + lane / 4, columns 8 (lane % 4 + 4 j)..
  uint4 v[4][SETS];      // positions 2 (lane % 4) + {0, 1, 8, 9}, columns 8 (lane / 4 + 8 set)..
};

__device__ __forceinline__ void fetch_keys(Page& page, const bf16* keys) {
  int r = threadIdx.x % 32 / 4, c = threadIdx.x % 4;
#pragma unroll
  for (int t = 0; t < 2; t++)
#pragma unroll
    for (int j = 0; j < 2 * SETS; j++) page.k[t][j] = *(const uint4*)(keys + (8 * t + r) * SIZE + 8 * (c + 4 * j));
}
__device__ __forceinline__ void fetch_values(Page& page, const bf16* values) {
  int r = threadIdx.x % 32 / 4, c = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int set = 0; set < SETS; set++)
      page.v[i][set] = *(const uint4*)(values + (2 * c + (i & 1) + 8 * (i / 2)) * SIZE + 8 * (r + 8 * set));
}

// Columns i.. of the first half of a head and of the second, turned by their angles as `rotate_append` does.
__device__ __forceinline__ void rotate8(uint4& first, uint4& second, const float* angles) {
  float a[8], b[8], cosines[8], sines[8];
  load8(angles, cosines);
  load8(angles + SIZE / 2, sines);
  load8((const bf16*)&first, a);
  load8((const bf16*)&second, b);
#pragma unroll
  for (int i = 0; i < 8; i++) rotate_pair(a[i], b[i], cosines[i], sines[i]);
  store8((bf16*)&first, a);
  store8((bf16*)&second, b);
}

// Of a tile of 8 x 8 numbers, two of a row in a lane, its transpose.
__device__ __forceinline__ u32 transpose8(u32 x) {
  u32 y;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(y) : "r"(x));
  return y;
}
__device__ __forceinline__ u32 halves(u32 a, u32 b, bool upper) { return __byte_perm(a, b, upper ? 0x7632 : 0x5410); }

// partial [rows, n, n_splits, SIZE + 2]: unnormalised sums, largest score (in powers of two), sum of exponentials.
// With `table` [positions, SIZE], cosines and sines, queries and the key of the last position are not rotated yet, and it is not in
// the cache: the warp that has its page stores it. The other pages are from earlier steps, and the first of them are on their way
// before the projections are done: between two steps must lie a launch that is not early, a copy from the host or the border of a graph.
KERNEL_FOR(128, SIZE == 64 ? 4 : 3) attend(bf16* out, float* partial, const bf16* qkv, bf16* keys, bf16* values, const float* table, const u32* pages,
              const u32* lengths, int n_kv, int max_pages, int per_block, float scale) {
  __shared__ __align__(8) float parts[MAX_WARPS][GROUP][WIDTH];
  launch_dependents();
  if (!table) wait_for_inputs();
  int row = blockIdx.x, kv = blockIdx.y, split = blockIdx.z, n = n_kv * GROUP;
  int n_warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32, r = lane / 4, c = lane % 4;
  const u32* own = pages + (i64)row * max_pages;
  int first = split * per_block, at = first / PAGE + warp;
  // Lane i has the number of the warp's page i. Both loads at once: behind the last page of a sequence are numbers, too.
  u32 number = own[min(at + lane * n_warps, max_pages - 1)];
  int length = lengths[row], last = min(length, first + per_block);
  if (first >= length) return;
  int end = (last + PAGE - 1) / PAGE, newest = (length - 1) / PAGE;
  auto start_of = [&](u32 page) { return ((i64)page * n_kv + kv) * PAGE * SIZE; };
  i64 start = start_of(__shfl_sync(0xffffffffu, number, 0));
  Page page;
  if (at < end && !(table && at == newest)) fetch_keys(page, keys + start), fetch_values(page, values + start);
  const float* angles = table + (i64)(length - 1) * SIZE + 8 * c;
  if (table) wait_for_inputs();
  float scale2 = scale * LOG2E;
  const bf16* projected = qkv + (i64)row * (n + 2 * n_kv) * SIZE;
  const bf16* query = projected + (kv * GROUP + min(r, GROUP - 1)) * SIZE;
  uint4 q[2 * SETS];
  if (table && newest < end && warp == (newest - first / PAGE) % n_warps) {
    const bf16 *key = projected + (n + kv) * SIZE, *value = key + n_kv * SIZE;
    i64 newest_start = start_of(own[newest]), to = newest_start + (length - 1) % PAGE * SIZE;
    if (r == 0) {
#pragma unroll
      for (int j = 0; j < 2 * SETS; j++) q[j] = *(const uint4*)(key + 8 * (c + 4 * j));
#pragma unroll
      for (int j = 0; j < SETS; j++) rotate8(q[j], q[j + SETS], angles + 32 * j);
#pragma unroll
      for (int j = 0; j < 2 * SETS; j++) *(uint4*)(keys + to + 8 * (c + 4 * j)) = q[j];
    }
    if (c == 0) {
#pragma unroll
      for (int set = 0; set < SETS; set++) *(uint4*)(values + to + 8 * (r + 8 * set)) = *(const uint4*)(value + 8 * (r + 8 * set));
    }
    __syncwarp();
    if (at == newest) fetch_keys(page, keys + newest_start), fetch_values(page, values + newest_start);
  }
#pragma unroll
  for (int j = 0; j < 2 * SETS; j++) q[j] = *(const uint4*)(query + 8 * (c + 4 * j));
  if (table) {
#pragma unroll
    for (int j = 0; j < SETS; j++) rotate8(q[j], q[j + SETS], angles + 32 * j);
  }
  // Heads 2 c and 2 c + 1 in a lane.
  float o[SETS][4][4], m[2] = {-1e30f, -1e30f}, sum[2] = {0.0f, 0.0f};
#pragma unroll
  for (int set = 0; set < SETS; set++)
#pragma unroll
    for (int i = 0; i < 4; i++) o[set][i][0] = o[set][i][1] = o[set][i][2] = o[set][i][3] = 0.0f;

  for (int later = 1; at < end; at += n_warps, later++) {
    // The next page is read into the registers that this one no longer needs.
    bool has_later = at + n_warps < end;
    if (later % 32 == 0) number = own[min(at + (1 + lane) * n_warps, max_pages - 1)];
    start = start_of(__shfl_sync(0xffffffffu, number, later % 32));
    float s[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int j = 0; j < 2 * SETS; j++) {
      uint4 upper = page.k[0][j], lower = page.k[1][j];
      u32 a[4] = {upper.x, lower.x, upper.y, lower.y}, a_q[2] = {q[j].x, q[j].y};
      u32 b[4] = {upper.z, lower.z, upper.w, lower.w}, b_q[2] = {q[j].z, q[j].w};
      multiply(s, a, a_q);
      multiply(s, b, b_q);
    }
    if (has_later) fetch_keys(page, keys + start);
    if ((at + 1) * PAGE > last) {
      // Positions behind the last hold what others left there.
      if (at * PAGE + r >= last) s[0] = s[1] = -INFINITY_F;
      if (at * PAGE + 8 + r >= last) s[2] = s[3] = -INFINITY_F;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (at * PAGE + 2 * c + (i & 1) + 8 * (i / 2) < last) continue;
#pragma unroll
        for (int set = 0; set < SETS; set++) page.v[i][set] = make_uint4(0, 0, 0, 0);
      }
    }
    float keep[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float largest = fmaxf(m[h], fmaxf(s[h], s[2 + h]));
      for (int d = 4; d < 32; d *= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, d));
      keep[h] = fast_exp2((m[h] - largest) * scale2);
      float shift = largest * scale2;
      m[h] = largest;
      s[h] = fast_exp2(fmaf(s[h], scale2, -shift)), s[2 + h] = fast_exp2(fmaf(s[2 + h], scale2, -shift));
      sum[h] = sum[h] * keep[h] + s[h] + s[2 + h];
    }
    u32 p[2] = {transpose8(pack_bf16(s[0], s[1])), transpose8(pack_bf16(s[2], s[3]))};
#pragma unroll
    for (int set = 0; set < SETS; set++) {
      const u32 *a = (const u32*)&page.v[0][set], *b = (const u32*)&page.v[1][set], *d = (const u32*)&page.v[2][set],
                *e = (const u32*)&page.v[3][set];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        u32 v[4] = {halves(a[i], b[i], false), halves(a[i], b[i], true), halves(d[i], e[i], false), halves(d[i], e[i], true)};
        o[set][i][0] *= keep[0], o[set][i][1] *= keep[1], o[set][i][2] *= keep[0], o[set][i][3] *= keep[1];
        multiply(o[set][i], v, p);
      }
    }
    if (has_later) fetch_values(page, values + start);
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    for (int d = 4; d < 32; d *= 2) sum[h] += __shfl_xor_sync(0xffffffffu, sum[h], d);
    int g = 2 * c + h;
    if (g >= GROUP) continue;
#pragma unroll
    for (int set = 0; set < SETS; set++)
#pragma unroll
      for (int i = 0; i < 4; i++) *(float2*)(parts[warp][g] + 64 * set + 8 * r + 2 * i) = make_float2(o[set][i][h], o[set][i][2 + h]);
    if (r == 0) parts[warp][g][SIZE] = m[h] * scale2, parts[warp][g][SIZE + 1] = sum[h];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < GROUP * SIZE; i += blockDim.x) {
    int g = i / SIZE, d = i % SIZE;
    float largest = -1e30f * scale2, total = 0.0f, value = 0.0f;
    for (int w = 0; w < n_warps; w++) largest = fmaxf(largest, parts[w][g][SIZE]);
    for (int w = 0; w < n_warps; w++) {
      float weight = fast_exp2(parts[w][g][SIZE] - largest);
      total += weight * parts[w][g][SIZE + 1];
      value += weight * parts[w][g][d];
    }
    i64 item = (i64)row * n + kv * GROUP + g;
    if (gridDim.z == 1) {
      out[item * SIZE + d] = from_f32<bf16>(value / total);
    } else {
      float* to = partial + (item * gridDim.z + split) * WIDTH;
      to[d] = value;
      if (d == 0) to[SIZE] = largest, to[SIZE + 1] = total;
    }
  }
}
