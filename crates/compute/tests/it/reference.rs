//! The operations in f64, loop by loop from the formulas. Matrices are row-major slices.

use std::ops::Range;

use ruminate_compute::ops::attention::Heads;

/// `x [m, k] · wᵀ + b`, w `[n, k]`.
pub(crate) fn linear(x: &[f64], w: &[f64], bias: Option<&[f64]>, k: usize, n: usize) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks(k) {
        for j in 0..n {
            y.push(bias.map_or(0.0, |b| b[j]) + (0..k).map(|i| x[i] * w[j * k + i]).sum::<f64>());
        }
    }
    y
}

/// `dy [m, n] · w [n, k]`.
pub(crate) fn linear_backward_input(dy: &[f64], w: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut dx = Vec::new();
    for dy in dy.chunks(n) {
        for i in 0..k {
            dx.push((0..n).map(|j| dy[j] * w[j * k + i]).sum::<f64>());
        }
    }
    dx
}

/// `dyᵀ · x`, `[n, k]`.
pub(crate) fn linear_backward_weight(dy: &[f64], x: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut dw = vec![0.0; n * k];
    for (dy, x) in dy.chunks(n).zip(x.chunks(k)) {
        for j in 0..n {
            for i in 0..k {
                dw[j * k + i] += dy[j] * x[i];
            }
        }
    }
    dw
}

/// Sum over the rows.
pub(crate) fn column_sums(dy: &[f64], n: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n];
    for row in dy.chunks(n) {
        sums.iter_mut().zip(row).for_each(|(s, x)| *s += x);
    }
    sums
}

fn inverse_rms(x: &[f64], eps: f64) -> f64 {
    1.0 / (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64 + eps).sqrt()
}

/// Normalised rows and the inverse of each root mean square.
pub(crate) fn rms_norm(x: &[f64], w: &[f64], eps: f64) -> (Vec<f64>, Vec<f64>) {
    let inverses: Vec<f64> = x.chunks(w.len()).map(|x| inverse_rms(x, eps)).collect();
    let y = x.chunks(w.len()).zip(&inverses).flat_map(|(x, r)| x.iter().zip(w).map(move |(x, w)| x * r * w)).collect();
    (y, inverses)
}

/// `(dx, dw)`. With `r = (mean(x²) + ε)^(-1/2)`, `∂r/∂x_j = -r³ x_j / D`.
pub(crate) fn rms_norm_backward(dy: &[f64], x: &[f64], w: &[f64], eps: f64) -> (Vec<f64>, Vec<f64>) {
    let d = w.len();
    let (mut dx, mut dw) = (Vec::new(), vec![0.0; d]);
    for (dy, x) in dy.chunks(d).zip(x.chunks(d)) {
        let r = inverse_rms(x, eps);
        let dr: f64 = (0..d).map(|i| dy[i] * w[i] * x[i]).sum();
        for j in 0..d {
            dx.push(dy[j] * w[j] * r + dr * (-r.powi(3) * x[j] / d as f64));
            dw[j] += dy[j] * x[j] * r;
        }
    }
    (dx, dw)
}

/// The parts of a fused row: columns of query head h, of key head k, of value head k.
pub(crate) fn query(heads: Heads, h: usize) -> Range<usize> {
    h * heads.size..(h + 1) * heads.size
}
pub(crate) fn key(heads: Heads, k: usize) -> Range<usize> {
    query(heads, heads.n + k)
}
pub(crate) fn value(heads: Heads, k: usize) -> Range<usize> {
    query(heads, heads.n + heads.n_kv + k)
}

/// `(out, inv_rms [T, H + K])`.
pub(crate) fn qk_norm(qkv: &[f64], q_weight: &[f64], k_weight: &[f64], heads: Heads, eps: f64) -> (Vec<f64>, Vec<f64>) {
    let (mut out, mut inverses) = (qkv.to_vec(), Vec::new());
    for row in out.chunks_mut(heads.qkv_cols()) {
        for head in 0..heads.n + heads.n_kv {
            let w = if head < heads.n { q_weight } else { k_weight };
            let (y, r) = rms_norm(&row[query(heads, head)], w, eps);
            row[query(heads, head)].copy_from_slice(&y);
            inverses.extend(r);
        }
    }
    (out, inverses)
}

/// `(dqkv, dq_weight, dk_weight)`.
pub(crate) fn qk_norm_backward(
    dout: &[f64],
    qkv: &[f64],
    q_weight: &[f64],
    k_weight: &[f64],
    heads: Heads,
    eps: f64,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut dqkv, mut dq, mut dk) = (dout.to_vec(), vec![0.0; heads.size], vec![0.0; heads.size]);
    for (drow, row) in dqkv.chunks_mut(heads.qkv_cols()).zip(qkv.chunks(heads.qkv_cols())) {
        for head in 0..heads.n + heads.n_kv {
            let (w, dw) = if head < heads.n { (q_weight, &mut dq) } else { (k_weight, &mut dk) };
            let (dx, dw_here) = rms_norm_backward(&drow[query(heads, head)], &row[query(heads, head)], w, eps);
            drow[query(heads, head)].copy_from_slice(&dx);
            dw.iter_mut().zip(dw_here).for_each(|(a, b)| *a += b);
        }
    }
    (dqkv, dq, dk)
}

/// Each pair `(x_i, x_{i + S/2})` of the query and key heads times the 2 x 2 rotation `[[c, -s], [s, c]]`, or its transpose.
pub(crate) fn rope(qkv: &[f64], table: &[f64], positions: &[u32], heads: Heads, transposed: bool) -> Vec<f64> {
    let (mut out, half) = (qkv.to_vec(), heads.size / 2);
    for (row, &position) in out.chunks_mut(heads.qkv_cols()).zip(positions) {
        for head in 0..heads.n + heads.n_kv {
            for i in 0..half {
                let (c, s) = (table[position as usize * heads.size + i], table[position as usize * heads.size + half + i]);
                let s = if transposed { -s } else { s };
                let (a, b) = (head * heads.size + i, head * heads.size + half + i);
                (row[a], row[b]) = (c * row[a] - s * row[b], s * row[a] + c * row[b]);
            }
        }
    }
    out
}

/// Cosines then sines of `position · base^(-2i/S)` for each position, `[n, S]`.
pub(crate) fn rope_table(n: usize, size: usize, base: f64) -> Vec<f64> {
    let angle = |p: usize, i: usize| p as f64 * base.powf(-2.0 * i as f64 / size as f64);
    let half = size / 2;
    (0..n).flat_map(|p| (0..size).map(move |i| if i < half { angle(p, i).cos() } else { angle(p, i - half).sin() })).collect()
}

/// Probabilities and log-sum-exp of query head `h` at row `i` over rows `start..=i`.
fn attention_row(qkv: &[f64], start: usize, i: usize, h: usize, heads: Heads) -> (Vec<f64>, f64) {
    let (cols, kv) = (heads.qkv_cols(), h / (heads.n / heads.n_kv));
    let q = &qkv[i * cols..][query(heads, h)];
    let scores: Vec<f64> = (start..=i).map(|j| dot(q, &qkv[j * cols..][key(heads, kv)]) / (heads.size as f64).sqrt()).collect();
    let lse = log_sum_exp(&scores);
    (scores.iter().map(|s| (s - lse).exp()).collect(), lse)
}

/// `(out [T, H S], lse [T, H])`; sequences given by their borders.
pub(crate) fn attention(qkv: &[f64], borders: &[u32], heads: Heads) -> (Vec<f64>, Vec<f64>) {
    let (cols, group) = (heads.qkv_cols(), heads.n / heads.n_kv);
    let (mut out, mut lses) = (Vec::new(), Vec::new());
    for rows in borders.windows(2) {
        let (start, end) = (rows[0] as usize, rows[1] as usize);
        for i in start..end {
            for h in 0..heads.n {
                let (p, lse) = attention_row(qkv, start, i, h, heads);
                lses.push(lse);
                let values = |d: usize| (start..=i).map(move |j| qkv[j * cols..][value(heads, h / group)][d]);
                out.extend((0..heads.size).map(|d| p.iter().zip(values(d)).map(|(p, v)| p * v).sum::<f64>()));
            }
        }
    }
    (out, lses)
}

/// dqkv. `∂o/∂v_j = p_j`, `∂loss/∂s_j = p_j (do · v_j − Σ_l p_l do · v_l)`, `s_j = q · k_j / √S`.
pub(crate) fn attention_backward(dout: &[f64], qkv: &[f64], borders: &[u32], heads: Heads) -> Vec<f64> {
    let (cols, size, group) = (heads.qkv_cols(), heads.size, heads.n / heads.n_kv);
    let mut dqkv = vec![0.0; qkv.len()];
    for rows in borders.windows(2) {
        let (start, end) = (rows[0] as usize, rows[1] as usize);
        for i in start..end {
            for h in 0..heads.n {
                let (p, _) = attention_row(qkv, start, i, h, heads);
                let dout = &dout[(i * heads.n + h) * size..][..size];
                let dp: Vec<f64> = (start..=i).map(|j| dot(dout, &qkv[j * cols..][value(heads, h / group)])).collect();
                let mean = dot(&p, &dp);
                for j in start..=i {
                    let ds = p[j - start] * (dp[j - start] - mean) / (size as f64).sqrt();
                    for (d, dout) in dout.iter().enumerate() {
                        let (q, k, v) = (query(heads, h).start + d, key(heads, h / group).start + d, value(heads, h / group).start + d);
                        dqkv[i * cols + q] += ds * qkv[j * cols + k];
                        dqkv[j * cols + k] += ds * qkv[i * cols + q];
                        dqkv[j * cols + v] += p[j - start] * dout;
                    }
                }
            }
        }
    }
    dqkv
}

/// `g σ(g) u` from rows of g then u, `[T, 2F]`.
pub(crate) fn swiglu(gate_up: &[f64], f: usize) -> Vec<f64> {
    gate_up.chunks(2 * f).flat_map(|row| (0..f).map(|i| row[i] / (1.0 + (-row[i]).exp()) * row[f + i])).collect()
}

/// d`gate_up`. `d(g σ)/dg = σ + g σ (1 − σ)`.
pub(crate) fn swiglu_backward(dy: &[f64], gate_up: &[f64], f: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for (row, dy) in gate_up.chunks(2 * f).zip(dy.chunks(f)) {
        let sigmoid = |i: usize| 1.0 / (1.0 + (-row[i]).exp());
        out.extend((0..f).map(|i| dy[i] * row[f + i] * (sigmoid(i) + row[i] * sigmoid(i) * (1.0 - sigmoid(i)))));
        out.extend((0..f).map(|i| dy[i] * row[i] * sigmoid(i)));
    }
    out
}

/// Results of the head for each row.
pub(crate) struct Head {
    pub logprobs: Vec<f64>,
    pub entropies: Vec<f64>,
    pub lse: Vec<f64>,
}

/// `l = hidden · wᵀ / temperature`; log-probability of the target, `−Σ p ln p`, `ln Σ e^l`.
pub(crate) fn head(hidden: &[f64], w: &[f64], targets: &[u32], d: usize, temperature: f64) -> Head {
    let mut result = Head { logprobs: Vec::new(), entropies: Vec::new(), lse: Vec::new() };
    for (hidden, &target) in hidden.chunks(d).zip(targets) {
        let logits: Vec<f64> = linear(hidden, w, None, d, w.len() / d).iter().map(|l| l / temperature).collect();
        let lse = log_sum_exp(&logits);
        result.lse.push(lse);
        result.logprobs.push(logits[target as usize] - lse);
        result.entropies.push(-logits.iter().map(|l| (l - lse).exp() * (l - lse)).sum::<f64>());
    }
    result
}

/// `(dhidden, dw)`. `∂logprob/∂l_v = 1[v = target] − p_v`.
pub(crate) fn head_backward(
    dlogprobs: &[f64],
    hidden: &[f64],
    w: &[f64],
    targets: &[u32],
    d: usize,
    temperature: f64,
) -> (Vec<f64>, Vec<f64>) {
    let vocab = w.len() / d;
    let mut dlogits = Vec::new();
    for ((hidden, &target), g) in hidden.chunks(d).zip(targets).zip(dlogprobs) {
        let p = probabilities(hidden, w, d, temperature);
        dlogits.extend(p.iter().enumerate().map(|(v, p)| g * (f64::from(v == target as usize) - p) / temperature));
    }
    (linear_backward_input(&dlogits, w, d, vocab), linear_backward_weight(&dlogits, hidden, d, vocab))
}

/// `softmax(hidden · wᵀ / temperature)` of one row.
pub(crate) fn probabilities(hidden: &[f64], w: &[f64], d: usize, temperature: f64) -> Vec<f64> {
    let logits: Vec<f64> = linear(hidden, w, None, d, w.len() / d).iter().map(|l| l / temperature).collect();
    let lse = log_sum_exp(&logits);
    logits.iter().map(|l| (l - lse).exp()).collect()
}

pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn log_sum_exp(x: &[f64]) -> f64 {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}
