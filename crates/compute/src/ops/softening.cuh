// One step of the softmax over keys, for a lane's two rows of a product of 16 rows and BN keys: scores become exponentials, and
// what was summed before is scaled to the new maximum. Training, prefill and decoding share it; every operation that a compiler
// might fuse in one kernel and not in another is spelled out, so that all of them have the same bits.
template <int N_SCORES, int N_SUMS>
__device__ __forceinline__ void soften(float (&s)[N_SCORES][4], float (&m)[2], float (&sum)[2], float (&o)[N_SUMS][4], float c) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float largest = m[h];
#pragma unroll
    for (int j = 0; j < N_SCORES; j++) largest = fmaxf(largest, fmaxf(s[j][2 * h], s[j][2 * h + 1]));
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
    float keep = fast_exp2(__fmul_rn(__fsub_rn(m[h], largest), c)), shift = __fmul_rn(largest, c), total = __fmul_rn(sum[h], keep);
    m[h] = largest;
#pragma unroll
    for (int i = 0; i < N_SUMS; i++) o[i][2 * h] = __fmul_rn(o[i][2 * h], keep), o[i][2 * h + 1] = __fmul_rn(o[i][2 * h + 1], keep);
#pragma unroll
    for (int j = 0; j < N_SCORES; j++)
#pragma unroll
      for (int e = 2 * h; e < 2 * h + 2; e++) {
        s[j][e] = fast_exp2(fmaf(s[j][e], c, -shift));
        total = __fadd_rn(total, s[j][e]);
      }
    sum[h] = total;
  }
}
