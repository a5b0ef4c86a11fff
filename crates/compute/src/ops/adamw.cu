// working is null where weights are all there are.
KERNEL adamw(float* w, real* working, float* m, float* v, const float* g, i64 n, float beta1, float beta2, float eps, float grad_scale,
             float step_size, float inv_root, float keep) {
  auto update = [&](float& wi, float& mi, float& vi, float gi) {
    float grad = gi * grad_scale;
    mi = beta1 * mi + (1.0f - beta1) * grad;
    vi = beta2 * vi + (1.0f - beta2) * grad * grad;
    wi = wi * keep - step_size * mi / (sqrtf(vi) * inv_root + eps);
  };
  i64 first = (i64)blockIdx.x * blockDim.x + threadIdx.x, step = (i64)gridDim.x * blockDim.x;
  // Buffers begin at whole vectors.
  for (i64 i = first; i < n / 8; i += step) {
    float wi[8], mi[8], vi[8], gi[8];
    load8(w + 8 * i, wi);
    load8(m + 8 * i, mi);
    load8(v + 8 * i, vi);
    load8(g + 8 * i, gi);
#pragma unroll
    for (int j = 0; j < 8; j++) update(wi[j], mi[j], vi[j], gi[j]);
    store8(w + 8 * i, wi);
    store8(m + 8 * i, mi);
    store8(v + 8 * i, vi);
    if (working) store8(working + 8 * i, wi);
  }
  for (i64 i = n / 8 * 8 + first; i < n; i += step) {
    update(w[i], m[i], v[i], g[i]);
    if (working) working[i] = from_f32<real>(w[i]);
  }
}
