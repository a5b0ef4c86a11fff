// Products by warpgroups, fed by bulk copies: compute capability 9.0 only.
// Tiles in shared memory are [rows][64] bf16, rows of 128 bytes in the swizzle of the copy engine (chunk c of row r lies at
// c ^ (r % 8)), aligned to 1024 bytes. The instructions themselves come before this text, see `wgmma.rs`.

// A matrix as the copy engine sees it, made by the driver.
struct __align__(64) TensorMap {
  u64 words[16];
};

// Barriers of 8 bytes in shared memory, which count arrivals and bytes.
__device__ __forceinline__ void barrier_init(u32 barrier, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count));
}
__device__ __forceinline__ void barriers_visible() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ __forceinline__ void barrier_expect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ void barrier_arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
__device__ __forceinline__ void barrier_wait(u32 barrier, u32 parity) {
  asm volatile(
      "{\n.reg .pred p;\n"
      "again:\nmbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n@p bra done;\nbra again;\ndone:\n}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// The stages of a ring, one after the other, whose tiles are full or empty in turns.
struct Ring {
  int stage = 0, parity = 0;
  __device__ __forceinline__ void next(int n_stages) {
    if (++stage == n_stages) stage = 0, parity ^= 1;
  }
};

// Where tiles begin in a block's dynamic memory.
__device__ __forceinline__ u32 first_tile(const unsigned char* memory) { return (shared_address(memory) + 1023) & ~1023u; }

// A box of the matrix to shared memory: the map says its size; what lies beyond the matrix is zero.
__device__ __forceinline__ void bulk_load(u32 to, const TensorMap* map, u32 barrier, int column, int row) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(to),
               "l"(map), "r"(barrier), "r"(column), "r"(row)
               : "memory");
}

// The map itself, which lies with the kernel's arguments.
__device__ __forceinline__ void prefetch_map(const TensorMap* map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }

// Descriptor of a tile: groups of 8 rows are 1024 bytes apart, rows lie in the 128-byte swizzle. Columns 16 k.. are 2 k further.
__device__ __forceinline__ u64 tile_descriptor(u32 tile) { return (u64)(tile >> 4 & 0x3fff) | (u64)64 << 32 | (u64)1 << 62; }

__device__ __forceinline__ void wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
// Registers of every thread of a warpgroup, up or down.
template <int N>
__device__ __forceinline__ void more_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
__device__ __forceinline__ void fewer_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

// Of two words, the lower lane of a pair keeps the first and gets its neighbour's first, the upper one the seconds.
__device__ __forceinline__ void exchange(u32& first, u32& second, int distance) {
  bool is_upper = threadIdx.x & distance;
  u32 got = __shfl_xor_sync(0xffffffffu, is_upper ? first : second, distance);
  (is_upper ? first : second) = got;
}
// Lane c of a quad gives word k to lane k, and has word c of all four; its own inverse.
__device__ __forceinline__ void transpose_quad(u32* w) {
  exchange(w[0], w[1], 1), exchange(w[2], w[3], 1);
  exchange(w[0], w[2], 2), exchange(w[1], w[3], 2);
}

// 2 columns of every 8 of a row as lanes hold results, COLS columns from `p` on, `n` of them there: 16 bytes a lane where four
// lanes have enough of them.
template <int COLS>
__device__ __forceinline__ void load_row(u32* w, const bf16* p, int n) {
  int c = threadIdx.x % 4;
#pragma unroll
  for (int g = 0; g < COLS / 32; g++) {
    uint4 x = 32 * g + 8 * c < n ? *(const uint4*)(p + 32 * g + 8 * c) : make_uint4(0, 0, 0, 0);
    w[4 * g] = x.x, w[4 * g + 1] = x.y, w[4 * g + 2] = x.z, w[4 * g + 3] = x.w;
    transpose_quad(w + 4 * g);
  }
#pragma unroll
  for (int j = COLS / 32 * 4; j < COLS / 8; j++) w[j] = 8 * j < n ? *(const u32*)(p + 8 * j + 2 * c) : 0;
}
template <int COLS>
__device__ __forceinline__ void store_row(bf16* p, u32* w, int n) {
  int c = threadIdx.x % 4;
#pragma unroll
  for (int g = 0; g < COLS / 32; g++) {
    transpose_quad(w + 4 * g);
    if (32 * g + 8 * c < n) *(uint4*)(p + 32 * g + 8 * c) = make_uint4(w[4 * g], w[4 * g + 1], w[4 * g + 2], w[4 * g + 3]);
  }
#pragma unroll
  for (int j = COLS / 32 * 4; j < COLS / 8; j++)
    if (8 * j < n) *(u32*)(p + 8 * j + 2 * c) = w[j];
}
