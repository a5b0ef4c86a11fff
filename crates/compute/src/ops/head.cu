// One block for each row of logits [rows, vocab].
KERNEL head_forward(float* logprobs, float* entropies, float* lse, const float* logits, const u32* targets, int vocab, float scale) {
  __shared__ Sums of_warp[WARPS];
  i64 row = blockIdx.x;
  const float* l = logits + row * vocab;
  Sums s = row_sums<true>(l, vocab, scale, of_warp);
  if (threadIdx.x == 0) {
    float total = log_sum_exp(s);
    lse[row] = total;
    logprobs[row] = logprob_of(l[targets[row]], scale, total);
    entropies[row] = total - s.weighted / s.sum;
  }
}

// Logits become their gradient, dlogprob scale (1[v = target] - p), in place: rows stay where they are, numbers become `real`.
KERNEL head_backward(float* logits, const float* dlogprobs, const float* lse, const u32* targets, int vocab, float scale) {
  i64 row = blockIdx.x;
  float* l = logits + row * vocab;
  real* out = (real*)l;
  float factor = dlogprobs[row] * scale, total = lse[row];
  int target = targets[row];
  bool aligned = vocab % 4 == 0;
  // What is written lies before what is still to be read, or was read before the barrier.
  for (int start = 0; start < vocab; start += 4 * THREADS) {
    int i = start + 4 * threadIdx.x;
    float4 v = logits4(l, i, vocab, aligned, scale);
    __syncthreads();
    float d[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int j = 0; j < 4; j++) d[j] = -factor * fast_exp(d[j] - total) + (i + j == target ? factor : 0.0f);
    if (sizeof(real) == 2 && aligned && i + 4 <= vocab) {
      *(uint2*)(out + i) = make_uint2(pack_bf16(d[0], d[1]), pack_bf16(d[2], d[3]));
    } else {
#pragma unroll
      for (int j = 0; j < 4; j++)
        if (i + j < vocab) out[i + j] = from_f32<real>(d[j]);
    }
  }
}
