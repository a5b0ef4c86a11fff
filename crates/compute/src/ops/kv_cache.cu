// A page is [n_kv][PAGE][size], for keys and for values alike.
#define PAGE 16

__device__ __forceinline__ i64 page_at(u32 page, int head, int offset, int n_kv, int size) {
  return (((i64)page * n_kv + head) * PAGE + offset) * size;
}

template <int N>
__device__ void append(real* keys, real* values, const real* qkv, const u32* slots, int rows, int n, int n_kv, int size) {
  int per_head = size / N;
  i64 item = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (i64)rows * n_kv * per_head) return;
  int i = item % per_head * N, head = item / per_head % n_kv;
  i64 row = item / ((i64)per_head * n_kv), to = page_at(slots[row] / PAGE, head, slots[row] % PAGE, n_kv, size) + i;
  const real* k = qkv + (row * (n + 2 * n_kv) + n + head) * size + i;
  float x[N];
  load<N>(k, x);
  store<N>(keys + to, x);
  load<N>(k + n_kv * size, x);
  store<N>(values + to, x);
}
WIDTHS(append, (real* keys, real* values, const real* qkv, const u32* slots, int rows, int n, int n_kv, int size),
       (keys, values, qkv, slots, rows, n, n_kv, size))

// Rotates queries and keys in place, N pairs (i, i + size / 2) at a time, and stores keys and values.
template <int N>
__device__ void rotate_append(real* qkv, real* keys, real* values, const float* table, const u32* positions, const u32* slots, int rows,
                              int n, int n_kv, int size) {
  int half = size / 2, per_head = half / N, n_heads = n + 2 * n_kv;
  i64 item = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (i64)rows * n_heads * per_head) return;
  wait_for_inputs();
  int i = item % per_head * N, head = item / per_head % n_heads;
  i64 row = item / ((i64)per_head * n_heads);
  real* p = qkv + (row * n_heads + head) * size + i;
  float a[N], b[N];
  load<N>(p, a);
  load<N>(p + half, b);
  if (head < n + n_kv) {
    const float* t = table + (i64)positions[row] * size + i;
    float c[N], s[N];
    load<N>(t, c);
    load<N>(t + half, s);
#pragma unroll
    for (int j = 0; j < N; j++) rotate_pair(a[j], b[j], c[j], s[j]);
    store<N>(p, a);
    store<N>(p + half, b);
    if (head < n) return;
  }
  bool is_key = head < n + n_kv;
  real* to = (is_key ? keys : values) + page_at(slots[row] / PAGE, head - n - (is_key ? 0 : n_kv), slots[row] % PAGE, n_kv, size) + i;
  store<N>(to, a);
  store<N>(to + half, b);
}
WIDTHS(rotate_append,
       (real* qkv, real* keys, real* values, const float* table, const u32* positions, const u32* slots, int rows, int n, int n_kv, int size),
       (qkv, keys, values, table, positions, slots, rows, n, n_kv, size))

// Copies a page in all layers: blockIdx.y is the layer.
KERNEL copy_page(real* keys, real* values, u32 from, u32 to, int n_pages, int len) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= len) return;
  i64 layer = (i64)blockIdx.y * n_pages;
  keys[(layer + to) * len + i] = keys[(layer + from) * len + i];
  values[(layer + to) * len + i] = values[(layer + from) * len + i];
}

// The next position of each sequence, and where it lies.
KERNEL advance(u32* positions, u32* slots, u32* lengths, u32* step, const u32* pages, int rows, int max_pages, int limit) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  wait_for_inputs();
  if (row == 0) *step += 1;
  if (row >= rows) return;
  u32 position = min(positions[row] + 1, (u32)limit - 1);
  positions[row] = position;
  lengths[row] = position + 1;
  slots[row] = pages[row * max_pages + position / PAGE] * PAGE + position % PAGE;
}

// Any head size: one warp for each row and query head.
KERNEL attend_any(real* out, const real* qkv, const real* keys, const real* values, const u32* pages, const u32* lengths, int rows,
                  int n, int n_kv, int size, int max_pages, float scale) {
  i64 item = (i64)blockIdx.x * 4 + threadIdx.x / 32;
  if (item >= (i64)rows * n) return;
  int row = item / n, head = item % n, kv = head / (n / n_kv);
  const u32* own = pages + (i64)row * max_pages;
  attend_row(out + item * size, qkv + ((i64)row * (n + 2 * n_kv) + head) * size, lengths[row], size, scale,
             [&](int j, const real*& k, const real*& v) {
               i64 at = page_at(own[j / PAGE], kv, j % PAGE, n_kv, size);
               k = keys + at, v = values + at;
             });
}
