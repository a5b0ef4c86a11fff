// Partial sums over rows of dy.
template <int N>
__device__ void bias(float* partial, const real* dy, int rows, int cols, int rows_per) {
  int first = blockIdx.y * rows_per;
  sum_columns<N>(partial, first, min(rows, first + rows_per), cols,
                 [&](int row, int col, float* out) { load<N>(dy + (i64)row * cols + col, out); });
}
WIDTHS(bias, (float* partial, const real* dy, int rows, int cols, int rows_per), (partial, dy, rows, cols, rows_per))
