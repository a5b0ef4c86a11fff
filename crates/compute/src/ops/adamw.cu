// working is null where weights are all there are, as in f32.
KERNEL adamw(float* w, real* working, float* m, float* v, const float* g, i64 n, float beta1, float beta2, float eps, float grad_scale,
             float step_size, float inv_root, float keep) {
  auto update = [&](float& wi, float& mi, float& vi, float gi) {
    float grad = gi * grad_scale;
    mi = beta1 * mi + (1.0f - beta1) * grad;
    vi = beta2 * vi + (1.0f - beta2) * grad * grad;
    wi = wi * keep - step_size * mi / (sqrtf(vi) * inv_root + eps);
  };
  i64 first = (i64)blockIdx.x * blockDim.x + threadIdx.x, step = (i64)gridDim.x * blockDim.x;
  // Buffers begin at whole vectors. Neighbouring threads take neighbouring vectors of each, none two in a row.
  for (i64 i = first; i < n / 4; i += step) {
    float4 wi = ((float4*)w)[i], mi = ((float4*)m)[i], vi = ((float4*)v)[i], gi = ((const float4*)g)[i];
    update(wi.x, mi.x, vi.x, gi.x), update(wi.y, mi.y, vi.y, gi.y), update(wi.z, mi.z, vi.z, gi.z), update(wi.w, mi.w, vi.w, gi.w);
    ((float4*)w)[i] = wi, ((float4*)m)[i] = mi, ((float4*)v)[i] = vi;
    if (sizeof(real) == 2 && working) ((uint2*)working)[i] = make_uint2(pack_bf16(wi.x, wi.y), pack_bf16(wi.z, wi.w));
  }
  for (i64 i = n / 4 * 4 + first; i < n; i += step) {
    update(w[i], m[i], v[i], g[i]);
    if (sizeof(real) == 2 && working) working[i] = from_f32<real>(w[i]);
  }
}
