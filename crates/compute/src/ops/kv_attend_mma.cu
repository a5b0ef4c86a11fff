// Attention of one query row for each sequence over its pages, with tensor cores: bf16, head sizes 64 and 128, up to 8 query heads
// for each key head. A block of up to 4 warps takes one sequence, one key head with all CONST_1 query heads that share it, and SPLIT
// positions; a warp takes a page at a time: [8 heads, 16 positions] = q kᵀ, [8 heads, SIZE] += p v.
//
// Operands come straight from memory, 16 bytes a lane. Sums over columns do not care about their order, so a lane's 8 neighbouring
// columns stand for the columns that the instruction would have it hold; which column of the result is which follows from that.
#define PAGE 16
#define SPLIT 256
#define GROUP CONST_1
#define MAX_WARPS 4
#define WIDTH (SIZE + 2)
#define SETS (SIZE / 64)

struct Page {
  uint4 k[2][2 * SETS];  // position 8 t + lane / 4, columns 8 (lane % 4 + 4 j)..
  uint4 v[4][SETS];      // positions 2 (lane % 4) + {0, 1, 8, 9}, columns 8 (lane / 4 + 8 set)..
};

__device__ __forceinline__ void fetch_page(Page& page, const bf16* keys, const bf16* values, u32 number, int kv, int n_kv) {
  int r = threadIdx.x % 32 / 4, c = threadIdx.x % 4;
  i64 at = ((i64)number * n_kv + kv) * PAGE * SIZE;
#pragma unroll
  for (int t = 0; t < 2; t++)
#pragma unroll
    for (int j = 0; j < 2 * SETS; j++) page.k[t][j] = *(const uint4*)(keys + at + (8 * t + r) * SIZE + 8 * (c + 4 * j));
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int set = 0; set < SETS; set++)
      page.v[i][set] = *(const uint4*)(values + at + (2 * c + (i & 1) + 8 * (i / 2)) * SIZE + 8 * (r + 8 * set));
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

__device__ __forceinline__ u32 halves(u32 a, u32 b, bool upper) { return __byte_perm(a, b, upper ? 0x7632 : 0x5410); }

// partial [rows, n, n_splits, SIZE + 2]: unnormalised sums, largest score (in powers of two), sum of exponentials.
// With `table` [positions, SIZE], cosines and sines, queries and the key of the last position are not rotated yet, and it is not in
// the cache: the warp that has its page stores it. The other pages are from earlier steps, and the first of them are on their way
// before the projections are done: between two steps must lie a launch that is not early, a copy from the host or the border of a graph.
KERNEL_FOR(128, SIZE == 64 ? 4 : 2) attend(bf16* out, float* partial, const bf16* qkv, bf16* keys, bf16* values, const float* table, const u32* pages,
              const u32* lengths, int n_kv, int max_pages, float scale) {
  __shared__ float parts[MAX_WARPS][GROUP][WIDTH];
  launch_dependents();
  if (!table) wait_for_inputs();
  int row = blockIdx.x, kv = blockIdx.y, split = blockIdx.z, n = n_kv * GROUP;
  int n_warps = blockDim.x / 32, warp = threadIdx.x / 32, r = threadIdx.x % 32 / 4, c = threadIdx.x % 4;
  int length = lengths[row], first = split * SPLIT, last = min(length, first + SPLIT);
  if (first >= length) return;
  const u32* own = pages + (i64)row * max_pages;
  int end = (last + PAGE - 1) / PAGE, at = first / PAGE + warp, newest = (length - 1) / PAGE;
  Page next;
  if (at < end && !(table && at == newest)) fetch_page(next, keys, values, own[at], kv, n_kv);
  const float* angles = table + (i64)(length - 1) * SIZE + 8 * c;
  if (table) wait_for_inputs();
  float scale2 = scale * LOG2E;
  u32 q[4 * SETS][4];
  const bf16* projected = qkv + (i64)row * (n + 2 * n_kv) * SIZE;
  const bf16* query = projected + (kv * GROUP + min(r, GROUP - 1)) * SIZE;
  uint4 x[2 * SETS];
  if (table && newest < end && warp == (newest - first / PAGE) % n_warps) {
    const bf16 *key = projected + (n + kv) * SIZE, *value = key + n_kv * SIZE;
    i64 to = (((i64)own[newest] * n_kv + kv) * PAGE + (length - 1) % PAGE) * SIZE;
    if (r == 0) {
#pragma unroll
      for (int j = 0; j < 2 * SETS; j++) x[j] = *(const uint4*)(key + 8 * (c + 4 * j));
#pragma unroll
      for (int j = 0; j < SETS; j++) rotate8(x[j], x[j + SETS], angles + 32 * j);
#pragma unroll
      for (int j = 0; j < 2 * SETS; j++) *(uint4*)(keys + to + 8 * (c + 4 * j)) = x[j];
    }
    if (c == 0) {
#pragma unroll
      for (int set = 0; set < SETS; set++) *(uint4*)(values + to + 8 * (r + 8 * set)) = *(const uint4*)(value + 8 * (r + 8 * set));
    }
    __syncwarp();
    if (at == newest) fetch_page(next, keys, values, own[at], kv, n_kv);
  }
#pragma unroll
  for (int j = 0; j < 2 * SETS; j++) x[j] = *(const uint4*)(query + 8 * (c + 4 * j));
  if (table) {
#pragma unroll
    for (int j = 0; j < SETS; j++) rotate8(x[j], x[j + SETS], angles + 32 * j);
  }
#pragma unroll
  for (int j = 0; j < 2 * SETS; j++) {
    q[2 * j][0] = x[j].x, q[2 * j][2] = x[j].y, q[2 * j + 1][0] = x[j].z, q[2 * j + 1][2] = x[j].w;
    q[2 * j][1] = q[2 * j][3] = q[2 * j + 1][1] = q[2 * j + 1][3] = 0;
  }
  float o[SETS][8][4], m = -1e30f, sum = 0.0f;
#pragma unroll
  for (int set = 0; set < SETS; set++)
#pragma unroll
    for (int i = 0; i < 8; i++) o[set][i][0] = o[set][i][1] = o[set][i][2] = o[set][i][3] = 0.0f;

  for (; at < end; at += n_warps) {
    Page page = next;
    if (at + n_warps < end) fetch_page(next, keys, values, own[at + n_warps], kv, n_kv);
    float s[2][4];
#pragma unroll
    for (int t = 0; t < 2; t++) {
      s[t][0] = s[t][1] = s[t][2] = s[t][3] = 0.0f;
#pragma unroll
      for (int j = 0; j < 2 * SETS; j++) {
        u32 b[4] = {page.k[t][j].x, page.k[t][j].y, page.k[t][j].z, page.k[t][j].w};
        multiply(s[t], q[2 * j], b);
        multiply(s[t], q[2 * j + 1], b + 2);
      }
    }
    if ((at + 1) * PAGE > last) {
      // Positions behind the last hold what others left there.
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (at * PAGE + 2 * c + (i & 1) + 8 * (i / 2) < last) continue;
        s[i / 2][i & 1] = -INFINITY_F;
#pragma unroll
        for (int set = 0; set < SETS; set++) page.v[i][set] = make_uint4(0, 0, 0, 0);
      }
    }
    float largest = fmaxf(m, fmaxf(fmaxf(s[0][0], s[0][1]), fmaxf(s[1][0], s[1][1])));
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
    float keep = fast_exp2((m - largest) * scale2), shift = largest * scale2;
    m = largest;
    sum *= keep;
#pragma unroll
    for (int t = 0; t < 2; t++)
#pragma unroll
      for (int e = 0; e < 2; e++) sum += s[t][e] = fast_exp2(fmaf(s[t][e], scale2, -shift));
    u32 p[4] = {pack_bf16(s[0][0], s[0][1]), 0, pack_bf16(s[1][0], s[1][1]), 0};
#pragma unroll
    for (int set = 0; set < SETS; set++) {
      const u32 *a = (const u32*)&page.v[0][set], *b = (const u32*)&page.v[1][set], *d = (const u32*)&page.v[2][set],
                *e = (const u32*)&page.v[3][set];
#pragma unroll
      for (int i = 0; i < 8; i++) {
        u32 v[2] = {halves(a[i / 2], b[i / 2], i & 1), halves(d[i / 2], e[i / 2], i & 1)};
        o[set][i][0] *= keep, o[set][i][1] *= keep;
        multiply(o[set][i], p, v);
      }
    }
  }
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  sum += __shfl_xor_sync(0xffffffffu, sum, 2);
  if (r < GROUP) {
#pragma unroll
    for (int set = 0; set < SETS; set++)
#pragma unroll
      for (int i = 0; i < 8; i++)
#pragma unroll
        for (int e = 0; e < 2; e++) parts[warp][r][8 * (2 * c + e + 8 * set) + i] = o[set][i][e];
    if (c == 0) parts[warp][r][SIZE] = m * scale2, parts[warp][r][SIZE + 1] = sum;
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
