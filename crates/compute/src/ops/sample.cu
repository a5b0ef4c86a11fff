// One block for each row of logits [rows, vocab].
struct Params {
  double uniform;
  float temperature, top_p, min_p;
  u32 top_k;
};

__device__ __forceinline__ double warp_scan(double x, int lane) {
  for (int d = 1; d < 32; d *= 2) {
    double y = __shfl_up_sync(0xffffffffu, x, d);
    if (lane >= d) x += y;
  }
  return x;
}

// Index in first..end at which the running sum of e^(l - max) passes `target`; the last positive one if rounding leaves none. By the
// block: each thread has a piece, and the one whose piece holds the index walks through it again.
__device__ int pick(const float* row, int first, int end, bool aligned, float scale, float max, double target) {
  __shared__ double of_warp[WARPS];
  __shared__ int passes, positive, token;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, size = (end - first + 4 * THREADS - 1) / (4 * THREADS) * 4;
  int start = first + threadIdx.x * size, stop = min(end, start + size);
  if (threadIdx.x == 0) passes = THREADS, positive = -1, token = first;
  double mine = 0.0;
  for (int i = start; i < stop; i += 4) {
    float4 v = logits4(row, i, end, aligned, scale);
    mine += (double)fast_exp(v.x - max) + fast_exp(v.y - max) + fast_exp(v.z - max) + fast_exp(v.w - max);
  }
  double upto = warp_scan(mine, lane);
  if (lane == 31) of_warp[warp] = upto;
  __syncthreads();
  for (int w = 0; w < warp; w++) upto += of_warp[w];
  if (mine > 0.0) {
    if (target < upto) atomicMin(&passes, threadIdx.x);
    atomicMax(&positive, threadIdx.x);
  }
  __syncthreads();
  if (threadIdx.x == (passes < THREADS ? passes : positive)) {
    double at = upto - mine;
    int last = start;
    for (int i = start; i < stop; i++) {
      float p = fast_exp(row[i] * scale - max);
      if (p > 0.0f) last = i;
      at += p;
      if (target < at) break;
    }
    token = last;
  }
  __syncthreads();
  return token;
}

// The first index of first..end at which a logit is `max`. By the block.
__device__ int first_of(const float* row, int first, int end, float max) {
  __shared__ int found;
  if (threadIdx.x == 0) found = end - 1;
  __syncthreads();
  for (int i = first + threadIdx.x; i < end && i < found; i += THREADS)
    if (row[i] >= max) atomicMin(&found, i);
  __syncthreads();
  return found;
}

// Integers in the order of the floats.
__device__ __forceinline__ u32 order(float x) {
  u32 bits = __float_as_uint(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

struct Mass {
  double mass;
  u32 count;
};

// Logits of tokens: all of a row, or some of them, scaled already.
struct Tokens {
  const float* logits;
  const int* ids;  // null for all
  int n;
  float scale;

  __device__ __forceinline__ float at(int i) const { return logits[i] * scale; }
  __device__ __forceinline__ int id(int i) const { return ids ? ids[i] : i; }
};

// Mass and number of the tokens whose logit has at least this place in the order. By the block.
__device__ Mass mass_from(const Tokens& tokens, float max, u32 least, Mass* of_warp) {
  double mass = 0.0;
  u32 count = 0;
  for (int i = threadIdx.x; i < tokens.n; i += THREADS) {
    float l = tokens.at(i);
    if (order(l) >= least) mass += expf(l - max), count++;
  }
  for (int d = 16; d > 0; d /= 2) {
    mass += __shfl_xor_sync(0xffffffffu, mass, d);
    count += __shfl_xor_sync(0xffffffffu, count, d);
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = {mass, count};
  __syncthreads();
  Mass total = {0.0, 0};
  for (int w = 0; w < WARPS; w++) total.mass += of_warp[w].mass, total.count += of_warp[w].count;
  return total;
}

// The highest place below `upper` that holds a token. By the block.
__device__ u32 place_below(const Tokens& tokens, u32 upper) {
  __shared__ u32 place;
  __syncthreads();
  if (threadIdx.x == 0) place = 0;
  __syncthreads();
  u32 mine = 0;
  for (int i = threadIdx.x; i < tokens.n; i += THREADS) {
    u32 at = order(tokens.at(i));
    if (at < upper && at > mine) mine = at;
  }
  for (int d = 16; d > 0; d /= 2) mine = max(mine, __shfl_xor_sync(0xffffffffu, mine, d));
  if (threadIdx.x % 32 == 0) atomicMax(&place, mine);
  __syncthreads();
  return place;
}

// The highest place that leaves at least `mass` (more than, if strict) and at least `count` tokens: a bisection of all places,
// which ends as soon as one token lies between its bounds.
__device__ u32 highest(const Tokens& tokens, float max, u32 lower, double mass, bool strict, u32 count, Mass* of_warp) {
  u32 upper = 0xffffffffu, above = 0, from = tokens.n;  // `above` tokens have at least `upper`, `from` at least `lower`
  while (upper - lower > 1 && from - above > 1) {
    u32 middle = lower + (upper - lower) / 2;
    Mass m = mass_from(tokens, max, middle, of_warp);
    if ((strict ? m.mass > mass : m.mass >= mass) && m.count >= count) {
      lower = middle, from = m.count;
    } else {
      upper = middle, above = m.count;
    }
  }
  return from - above == 1 ? ::max(lower, place_below(tokens, upper)) : lower;
}

// Most tokens that are looked at apart from the others, and how far below the largest logit they may lie: the furthest of these steps.
#define FEW 2048
#define STEPS 8
__device__ __forceinline__ float below(int step) { return step < 6 ? 2.0f * (step + 1) : step == 6 ? 16.0f : 24.0f; }

// Those tokens of a row that truncation, by top-k first if `is_top_k`, can keep, if they are few, or else all: bisections then need not
// read the whole row every time. `total` becomes the mass of all tokens. By the block.
__device__ Tokens candidates(const Tokens& all, float max, const Params& p, bool is_top_k, double& total, Mass* of_warp) {
  __shared__ float logits[FEW];
  __shared__ int ids[FEW], of_step[STEPS], ends[WARPS];
  __shared__ float mass_of_step[WARPS][STEPS];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, counts[STEPS] = {};
  float masses[STEPS] = {};
  double mass = 0.0;
  if (threadIdx.x < STEPS) of_step[threadIdx.x] = 0;
  for (int i = threadIdx.x; i < all.n; i += THREADS) {
    float l = all.at(i), e = expf(l - max);
    mass += e;
#pragma unroll
    for (int step = 0; step < STEPS; step++)
      if (l >= max - below(step)) counts[step]++, masses[step] += e;
  }
  for (int d = 16; d > 0; d /= 2) mass += __shfl_xor_sync(0xffffffffu, mass, d);
  __syncthreads();
  if (lane == 0) of_warp[warp] = {mass, 0};
  for (int step = 0; step < STEPS; step++) {
    int count = counts[step];
    float sum = masses[step];
    for (int d = 16; d > 0; d /= 2) count += __shfl_xor_sync(0xffffffffu, count, d), sum += __shfl_xor_sync(0xffffffffu, sum, d);
    if (lane == 0) atomicAdd(&of_step[step], count), mass_of_step[warp][step] = sum;
  }
  __syncthreads();
  total = 0.0;
  for (int w = 0; w < WARPS; w++) total += of_warp[w].mass;
  int step = STEPS - 1;
  while (step >= 0 && of_step[step] > FEW) step--;
  if (step < 0) return all;
  double kept = 0.0;
  for (int w = 0; w < WARPS; w++) kept += mass_of_step[w][step];
  // What the first truncation keeps lies among them; the others only keep less. Sums in f32 are good to far better than the margin.
  bool enough = is_top_k         ? of_step[step] >= p.top_k
                : p.top_p < 1.0f ? kept * (1.0 - 1e-4) >= p.top_p * total
                                 : expf(-below(step)) * 1.001f <= p.min_p;
  if (!enough) return all;
  // Where each thread's begin, so that their order is always the same.
  int mine = counts[0], before;
#pragma unroll
  for (int s = 1; s < STEPS; s++)
    if (s == step) mine = counts[s];
  before = mine;
  for (int d = 1; d < 32; d *= 2) {
    int y = __shfl_up_sync(0xffffffffu, before, d);
    if (lane >= d) before += y;
  }
  if (lane == 31) ends[warp] = before;
  __syncthreads();
  before -= mine;
  for (int w = 0; w < warp; w++) before += ends[w];
  float least = max - below(step);
  for (int i = threadIdx.x; i < all.n; i += THREADS) {
    float l = all.at(i);
    if (l >= least) logits[before] = l, ids[before] = i, before++;
  }
  __syncthreads();
  return {logits, ids, of_step[step], 1.0f};
}

// Draws among the tokens that top-k, top-p and min-p keep (and those that tie with the last of them), the most probable first.
__device__ int draw_kept(const Tokens& all, Sums s, Params p, double uniform, Mass* of_warp) {
  __shared__ int found;
  double total;
  bool is_top_k = p.top_k > 0 && p.top_k < all.n;
  Tokens tokens = candidates(all, s.max, p, is_top_k, total, of_warp);
  u32 least = 0;
  if (is_top_k) least = highest(tokens, s.max, 0, 0.0, false, p.top_k, of_warp);
  if (p.top_p < 1.0f) {
    double kept = is_top_k ? mass_from(tokens, s.max, least, of_warp).mass : total;
    least = highest(tokens, s.max, least, kept * p.top_p, false, 1, of_warp);
  }
  if (p.min_p > 0.0f) {
    // The lowest place whose probability is at least min_p of the largest.
    u32 lower = 0, upper = order(s.max);
    while (lower < upper) {
      u32 middle = lower + (upper - lower) / 2;
      u32 bits = middle & 0x80000000u ? middle & 0x7fffffffu : ~middle;
      float l = __uint_as_float(bits);
      // Bits of no number lie below all others.
      if (l == l && expf(l - s.max) >= p.min_p) {
        upper = middle;
      } else {
        lower = middle + 1;
      }
    }
    least = max(least, upper);
  }
  double kept = mass_from(tokens, s.max, least, of_warp).mass, target = uniform * kept;
  u32 place = highest(tokens, s.max, least, target, true, 1, of_warp);
  Mass above = mass_from(tokens, s.max, place + 1, of_warp), upto = mass_from(tokens, s.max, place, of_warp);
  u32 ties = upto.count - above.count;
  u32 which = ties < 2 ? 0 : min(ties - 1, (u32)((target - above.mass) / ((upto.mass - above.mass) / ties)));
  int id = -1;
  for (u32 n = 0; n <= which; n++) {
    __syncthreads();
    if (threadIdx.x == 0) found = 0x7fffffff;
    __syncthreads();
    // All tokens lie in the order of their ids, candidates do not.
    for (int i = threadIdx.x + (tokens.ids ? 0 : id + 1); i < tokens.n; i += THREADS) {
      if (tokens.id(i) <= id || order(tokens.at(i)) != place) continue;
      atomicMin(&found, tokens.id(i));
      if (!tokens.ids) break;
    }
    __syncthreads();
    id = found;
  }
  return id < all.n ? id : 0;
}

// uniforms is null, or [steps, stride] of which row *step is used; so are all_tokens and all_logprobs.
KERNEL sample(u32* tokens, float* logprobs, u32* all_tokens, float* all_logprobs, const float* logits, const Params* params, const double* uniforms, const u32* step,
              int stride, int vocab) {
  __shared__ Sums of_warp[WARPS];
  __shared__ Mass masses[WARPS];
  wait_for_inputs();
  i64 row = blockIdx.x;
  const float* l = logits + row * vocab;
  Params p = params[row];
  double uniform = uniforms ? uniforms[(i64)*step * stride + row] : p.uniform;
  bool greedy = !(p.temperature > 0.0f);
  float scale = greedy ? 1.0f : 1.0f / p.temperature;
  Sums s = row_sums<false>(l, vocab, scale, of_warp);
  int size = segment(vocab), token = 0;
  if (!(s.sum == s.sum)) {
    token = 0;  // NaN: the caller sees it in the log-probability
  } else if (!greedy && (p.top_k > 0 || p.top_p < 1.0f || p.min_p > 0.0f)) {
    token = draw_kept({l, nullptr, vocab, scale}, s, p, uniform, masses);
  } else {
    // Masses of the segments relative to the largest logit of all.
    __shared__ double of_segment[WARPS];
    if (threadIdx.x < WARPS) {
      Sums part = of_warp[threadIdx.x];
      of_segment[threadIdx.x] = part.sum > 0.0f ? part.sum * exp((double)part.max - s.max) : 0.0;
    }
    __syncthreads();
    int w = 0;
    double rest = 1e300;
    if (greedy) {
      while (w + 1 < WARPS && of_warp[w].max < s.max) w++;
    } else {
      double total = 0.0, before = 0.0;
      for (int i = 0; i < WARPS; i++) total += of_segment[i];
      double target = uniform * total;
      for (int i = 0; i < WARPS; i++) {
        double next = before + of_segment[i];
        if (next > before) w = i;
        if (target < next) {
          rest = (target - before) / of_segment[i] * of_warp[i].sum;
          break;
        }
        before = next;
      }
    }
    int first = w * size, end = min(vocab, first + size);
    token = greedy ? first_of(l, first, end, s.max) : pick(l, first, end, vocab % 4 == 0, scale, of_warp[w].max, rest);
  }
  if (threadIdx.x == 0) {
    float logprob = logprob_of(l[token], scale, log_sum_exp(s));
    tokens[row] = token;
    logprobs[row] = logprob;
    if (all_tokens) {
      all_tokens[(i64)*step * stride + row] = token;
      all_logprobs[(i64)*step * stride + row] = logprob;
    }
  }
}
