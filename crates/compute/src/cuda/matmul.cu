// d [m, n] = a [m, k] b [k, n] (+ addend) (+ bias): one thread for each element, k ascending.
template <typename D>
__device__ void multiply_any(D* d, const D* addend, const real* bias, const real* a, const real* b, int m, int n, int k,
                             int a_row, int a_col, int b_row, int b_col) {
  i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= (i64)m * n) return;
  i64 i = at / n, j = at % n;
  float sum = 0.0f;
  for (int l = 0; l < k; l++) sum = fmaf(to_f32(a[i * a_row + (i64)l * a_col]), to_f32(b[(i64)l * b_row + j * b_col]), sum);
  if (addend) sum += to_f32(addend[at]);
  if (bias) sum += to_f32(bias[j]);
  d[at] = from_f32<D>(sum);
}

KERNEL multiply(real* d, const real* addend, const real* bias, const real* a, const real* b, int m, int n, int k, int a_row,
                int a_col, int b_row, int b_col) {
  multiply_any<real>(d, addend, bias, a, b, m, n, k, a_row, a_col, b_row, b_col);
}

KERNEL multiply_to_f32(float* d, const float* addend, const real* bias, const real* a, const real* b, int m, int n, int k,
                       int a_row, int a_col, int b_row, int b_col) {
  multiply_any<float>(d, addend, bias, a, b, m, n, k, a_row, a_col, b_row, b_col);
}
