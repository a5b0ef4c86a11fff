// sums [cols] += the rows of partial [n, cols], in a fixed order.
KERNEL fold_columns(float* sums, const float* partial, int n, int cols) {
  __shared__ float parts[8][32];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, col = blockIdx.x * 32 + lane;
  float sum = 0.0f;
  if (col < cols)
    for (int i = warp; i < n; i += 8) sum += partial[(i64)i * cols + col];
  parts[warp][lane] = sum;
  __syncthreads();
  if (warp == 0 && col < cols) {
    float total = 0.0f;
    for (int w = 0; w < 8; w++) total += parts[w][lane];
    sums[col] += total;
  }
}
