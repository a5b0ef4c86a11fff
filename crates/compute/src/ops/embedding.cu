// One block for each position: the first one that holds a token adds the gradients of all that do, in order of position.
KERNEL embedding_backward(float* dtable, const real* dout, const u32* tokens, int n, int cols) {
  __shared__ int earlier;
  __shared__ u32 matches[4];
  int at = blockIdx.x;
  u32 token = tokens[at];
  if (threadIdx.x == 0) earlier = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < at; i += blockDim.x)
    if (tokens[i] == token) earlier = 1;
  __syncthreads();
  if (earlier) return;
  float* row = dtable + (i64)token * cols;
  for (int start = at; start < n; start += 128) {
    int i = start + threadIdx.x;
    u32 match = __ballot_sync(0xffffffffu, i < n && tokens[i] == token);
    if (threadIdx.x % 32 == 0) matches[threadIdx.x / 32] = match;
    __syncthreads();
    for (int w = 0; w < 4; w++)
      for (u32 m = matches[w]; m; m &= m - 1) {
        const real* x = dout + (i64)(start + w * 32 + __ffs(m) - 1) * cols;
        for (int c = threadIdx.x; c < cols; c += 128) row[c] += to_f32(x[c]);
      }
    __syncthreads();
  }
}
