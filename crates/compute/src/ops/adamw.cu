// working is null where weights are all there are.
KERNEL adamw(float* w, real* working, float* m, float* v, const float* g, i64 n, float beta1, float beta2, float eps, float grad_scale,
             float step_size, float inv_root, float keep) {
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
    float grad = g[i] * grad_scale;
    float mi = beta1 * m[i] + (1.0f - beta1) * grad;
    float vi = beta2 * v[i] + (1.0f - beta2) * grad * grad;
    float wi = w[i] * keep - step_size * mi / (sqrtf(vi) * inv_root + eps);
    m[i] = mi, v[i] = vi, w[i] = wi;
    if (working) working[i] = from_f32<real>(wi);
  }
}
