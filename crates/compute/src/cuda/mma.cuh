// Tensor-core products of 16 x 16 and 16 x 8 tiles of bf16, and shared memory laid out for them.
// A tile in shared memory is [rows][SIZE] in chunks of 8 numbers; chunk c of row r lies at c ^ (r % 8), so that 8 rows of one
// column of chunks lie in different banks.
#define SIZE CONST_0
#define CHUNKS (SIZE / 8)

__device__ __forceinline__ u32 shared_at(u32 tile, int row, int chunk) { return tile + (row * CHUNKS + (chunk ^ (row & 7))) * 16; }

// 16 bytes from global to shared memory in the background, or zeros.
__device__ __forceinline__ void copy16(u32 to, const void* from, bool is_there) {
  int bytes = is_there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes));
}
__device__ __forceinline__ void copies_end() { asm volatile("cp.async.commit_group;"); }
// Waits until at most N of the groups of copies are still on their way.
template <int N>
__device__ __forceinline__ void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N));
}

// ROWS rows of a matrix from row `first` on, zeros from row `end` on.
template <int ROWS, int N_THREADS>
__device__ __forceinline__ void load_tile(u32 tile, const bf16* base, i64 stride, int first, int end) {
#pragma unroll
  for (int i = threadIdx.x; i < ROWS * CHUNKS; i += N_THREADS) {
    int row = i / CHUNKS, chunk = i % CHUNKS;
    bool is_there = first + row < end;
    copy16(shared_at(tile, row, chunk), base + (i64)(is_there ? first + row : first) * stride + chunk * 8, is_there);
  }
}

__device__ __forceinline__ void load4(u32* r, u32 at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at));
}
__device__ __forceinline__ void load4_transposed(u32* r, u32 at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at));
}

// First operand [16, 16]: rows row.., columns 16 k...
__device__ __forceinline__ void load_a(u32* a, u32 tile, int row, int k) {
  int lane = threadIdx.x % 32, id = lane / 8;
  load4(a, shared_at(tile, row + (id & 1) * 8 + lane % 8, 2 * k + id / 2));
}
// Second operands of two products with 8 columns each, of b[k][n] = tile[n][k]: rows n.. of the tile, columns 16 k...
__device__ __forceinline__ void load_b(u32* b, u32 tile, int n, int k) {
  int lane = threadIdx.x % 32, id = lane / 8;
  load4(b, shared_at(tile, n + (id / 2) * 8 + lane % 8, 2 * k + (id & 1)));
}
// The same of b[k][n] = tile[k][n]: rows k.. of the tile, columns 16 n...
__device__ __forceinline__ void load_b_rows(u32* b, u32 tile, int k, int n) {
  int lane = threadIdx.x % 32, id = lane / 8;
  load4_transposed(b, shared_at(tile, k + (id & 1) * 8 + lane % 8, 2 * n + id / 2));
}

// d [16, 8] += a [16, 16] b [16, 8]. A lane holds columns 2 (lane % 4) + {0, 1} of rows lane / 4 and lane / 4 + 8.
__device__ __forceinline__ void multiply(float* d, const u32* a, const u32* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Two results side by side as a first operand.
__device__ __forceinline__ void as_a(u32* a, const float* left, const float* right) {
  a[0] = pack_bf16(left[0], left[1]), a[1] = pack_bf16(left[2], left[3]);
  a[2] = pack_bf16(right[0], right[1]), a[3] = pack_bf16(right[2], right[3]);
}
