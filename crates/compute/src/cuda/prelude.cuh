// What every kernel file starts with. No header of the toolkit is included: none need be installed.
// After this text comes `typedef float real;` or `typedef bf16 real;`: weights and activations. Sums are float.
#define KERNEL extern "C" __global__ void
// At most this many threads, and at least this many blocks to be on a processor at once: bounds the registers.
#define KERNEL_FOR(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define INFINITY_F __int_as_float(0x7f800000)

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct bf16 {
  u16 bits;
};

__device__ __forceinline__ float to_f32(float x) { return x; }
__device__ __forceinline__ float to_f32(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

template <typename T>
__device__ __forceinline__ T from_f32(float x);
template <>
__device__ __forceinline__ float from_f32<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 from_f32<bf16>(float x) {
  bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}

// Two numbers in one word, the first in the lower half.
__device__ __forceinline__ u32 pack_bf16(float a, float b) {
  u32 y;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(b), "f"(a));
  return y;
}

__device__ __forceinline__ float low_half(u32 x) { return __uint_as_float(x << 16); }
__device__ __forceinline__ float high_half(u32 x) { return __uint_as_float(x & 0xffff0000u); }

// 8 consecutive numbers, from and to memory aligned to 16 bytes.
__device__ __forceinline__ void load8(const bf16* p, float* x) {
  uint4 v = *(const uint4*)p;
  u32 w[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    x[2 * i] = low_half(w[i]);
    x[2 * i + 1] = high_half(w[i]);
  }
}
__device__ __forceinline__ void load8(const float* p, float* x) {
  float4 a = ((const float4*)p)[0], b = ((const float4*)p)[1];
  x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w, x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}
__device__ __forceinline__ void store8(bf16* p, const float* x) {
  *(uint4*)p = make_uint4(pack_bf16(x[0], x[1]), pack_bf16(x[2], x[3]), pack_bf16(x[4], x[5]), pack_bf16(x[6], x[7]));
}
__device__ __forceinline__ void store8(float* p, const float* x) {
  ((float4*)p)[0] = make_float4(x[0], x[1], x[2], x[3]);
  ((float4*)p)[1] = make_float4(x[4], x[5], x[6], x[7]);
}

// 8 numbers as they lie in memory, to be taken apart later.
struct Raw {
  uint4 v[2];  // the second is for f32 only
};
__device__ __forceinline__ void fetch(Raw& raw, const bf16* p) { raw.v[0] = *(const uint4*)p; }
__device__ __forceinline__ void fetch(Raw& raw, const float* p) { raw.v[0] = ((const uint4*)p)[0], raw.v[1] = ((const uint4*)p)[1]; }
template <typename T>
__device__ __forceinline__ void expand(const Raw& raw, float* x) {
  const u32* w = (const u32*)raw.v;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (sizeof(T) == 2) {
      x[2 * i] = low_half(w[i]);
      x[2 * i + 1] = high_half(w[i]);
    } else {
      x[2 * i] = __uint_as_float(w[2 * i]);
      x[2 * i + 1] = __uint_as_float(w[2 * i + 1]);
    }
  }
}

// N consecutive numbers: 8 as one vector, 1 wherever it lies.
template <int N, typename T>
__device__ __forceinline__ void load(const T* p, float* x) {
  if constexpr (N == 8) {
    load8(p, x);
  } else {
    x[0] = to_f32(p[0]);
  }
}
template <int N, typename T>
__device__ __forceinline__ void store(T* p, const float* x) {
  if constexpr (N == 8) {
    store8(p, x);
  } else {
    p[0] = from_f32<T>(x[0]);
  }
}

// Kernels that are launched early (see `Kernel::early`) start when all blocks of the one before them have called this or ended.
__device__ __forceinline__ void launch_dependents() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
// What an early kernel reads that earlier kernels on the stream may still be writing, and everything it writes, comes after this.
__device__ __forceinline__ void wait_for_inputs() {
  launch_dependents();
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}

#define LOG2E 1.4426950408889634f
__device__ __forceinline__ float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// To about 1e-6 of its value, 4e-6 where x is -80: the exact functions take longer than the product that this may come after.
__device__ __forceinline__ float sigmoid(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(1.0f + fast_exp2(-LOG2E * x)));
  return y;
}

// Where the tile of a block lies in a result [m, n]. Eight rows of tiles are worked on together, so that they share what is in the L2
// cache.
__device__ __forceinline__ void place_tile(int& row, int& col, int m, int n, int rows, int cols) {
  const int together = 8;
  int n_row_tiles = (m + rows - 1) / rows, n_col_tiles = (n + cols - 1) / cols, per_group = together * n_col_tiles;
  int first = (int)blockIdx.x / per_group * together, in_group = (int)blockIdx.x % per_group;
  int n_in_group = min(n_row_tiles - first, together);
  row = (first + in_group % n_in_group) * rows, col = in_group / n_in_group * cols;
}

// Rotates a pair by an angle of this cosine and sine, with the same roundings in every kernel.
__device__ __forceinline__ void rotate_pair(float& a, float& b, float c, float s) {
  float x = fmaf(a, c, -__fmul_rn(b, s));
  b = fmaf(b, c, __fmul_rn(a, s));
  a = x;
}

// The two widths of a kernel that handles N numbers at a time.
#define WIDTHS(name, parameters, arguments)                 \
  KERNEL name##_8 parameters { name<8> arguments; }         \
  KERNEL name##_1 parameters { name<1> arguments; }

// Sums over rows in a fixed order: a block of 8 warps takes rows first..last of 32 N columns; f(row, column, x) gives N numbers
// of a row. The result lies in the block's row of `partial`, which `fold_columns` adds up.
template <int N, typename F>
__device__ __forceinline__ void sum_columns(float* partial, int first, int last, int cols, F f) {
  __shared__ float sums[8][32 * N];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int col = (blockIdx.x * 32 + lane) * N;
  float sum[N];
#pragma unroll
  for (int j = 0; j < N; j++) sum[j] = 0.0f;
  if (col < cols) {
    for (int row = first + warp; row < last; row += 8) {
      float x[N];
      f(row, col, x);
#pragma unroll
      for (int j = 0; j < N; j++) sum[j] += x[j];
    }
  }
#pragma unroll
  for (int j = 0; j < N; j++) sums[warp][lane * N + j] = sum[j];
  __syncthreads();
  for (int i = threadIdx.x; i < 32 * N; i += blockDim.x) {
    int c = blockIdx.x * 32 * N + i;
    if (c >= cols) continue;
    float total = 0.0f;
    for (int w = 0; w < 8; w++) total += sums[w][i];
    partial[(i64)blockIdx.y * cols + c] = total;
  }
}
