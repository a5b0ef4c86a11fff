// One block for each row, 8 numbers for each thread. x [rows, cols] += the parts [n_parts, rows, cols], added up in their order;
// y = x / rms(x) w, from x as it is stored.
KERNEL residual_join(real* x, real* y, float* inv_rms, const float* parts, const real* w, int n_parts, int cols, float eps) {
  __shared__ float sums[32];
  int i = threadIdx.x * 8;
  i64 at = (i64)blockIdx.x * cols + i, apart = (i64)gridDim.x * cols;
  float v[8] = {}, u[8] = {};
  // Gains are weights: they do not come from the kernel before.
  if (i < cols) load8(w + i, u);
  wait_for_inputs();
  if (i < cols) {
    float total[8] = {};
    load8(x + at, v);
#pragma unroll 4
    for (int p = 0; p < n_parts; p++) {
      float part[8];
      load8(parts + p * apart + at, part);
#pragma unroll
      for (int j = 0; j < 8; j++) total[j] += part[j];
    }
#pragma unroll
    for (int j = 0; j < 8; j++) v[j] = to_f32(from_f32<real>(v[j] + total[j]));
    store8(x + at, v);
  }
  float sum = 0.0f;
#pragma unroll
  for (int j = 0; j < 8; j++) sum = fmaf(v[j], v[j], sum);
  float r = 1.0f / sqrtf(block_sum(sum, sums) / cols + eps);
#pragma unroll
  for (int j = 0; j < 8; j++) v[j] = v[j] * r * u[j];
  if (i < cols) store8(y + at, v);
  if (i == 0) inv_rms[blockIdx.x] = r;
}
