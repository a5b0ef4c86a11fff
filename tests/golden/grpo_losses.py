"""Reference values for crates/train: losses of the GRPO family and their gradients by autograd, in float64.

Written from the formulas of the papers, not from the Rust code: tensors are padded [S, T], every term is built from differentiable
operations and stop-gradients, and the gradients come from torch.autograd.

    python tests/golden/grpo_losses.py > tests/golden/grpo_losses.json
"""

import json

import torch

LENGTHS = [4, 1, 6, 0, 3, 5]
GROUP_SIZE = 3
REWARDS = [1.0, 0.0, 0.25, 0.0, 1.5, 1.0]
BASE = {
    "ratio": "token", "objective": "clip", "clip_eps_low": 0.2, "clip_eps_high": 0.2, "dual_clip": None,
    "kl": "none", "kl_coef": 0.0, "normalisation": "per_sequence", "importance_cap": None, "advantage": "group_normalised",
}
CASES = {
    "grpo": {"kl": "k3", "kl_coef": 0.04},
    "r1": {"kl": "k3", "kl_coef": 0.001, "clip_eps_low": 10.0, "clip_eps_high": 10.0},
    "kl_k1": {"kl": "k1", "kl_coef": 0.5},
    "kl_k2": {"kl": "k2", "kl_coef": 0.5},
    "kl_k3": {"kl": "k3", "kl_coef": 0.5},
    "dr_grpo": {"normalisation": {"constant": {"length": 8}}, "advantage": "group_centred"},
    "dapo": {"normalisation": "token", "clip_eps_high": 0.28},
    "gspo": {"ratio": "sequence", "clip_eps_low": 3e-4, "clip_eps_high": 4e-4},
    "gspo_wide": {"ratio": "sequence", "clip_eps_low": 0.5, "clip_eps_high": 0.6, "kl": "k3", "kl_coef": 0.1},
    "cispo": {"objective": "cispo", "clip_eps_high": 0.5, "normalisation": "token"},
    "rloo": {"advantage": "leave_one_out", "normalisation": {"constant": {"length": 8}}},
    "reinforce_pp": {"advantage": "batch_normalised", "normalisation": "token"},
    "dual_clip": {"dual_clip": 1.5, "clip_eps_high": 0.28},
    "tis": {"importance_cap": 1.2, "normalisation": "token"},
    "tis_gspo": {"importance_cap": 1.2, "ratio": "sequence", "clip_eps_low": 0.5, "clip_eps_high": 0.6},
}


def advantages_of(kind, rewards):
    if kind == "batch_normalised":
        return (rewards - rewards.mean()) / (rewards.std() + 1e-6)
    groups = rewards.view(-1, GROUP_SIZE)
    mean = groups.mean(1, keepdim=True)
    if kind == "group_normalised":
        out = (groups - mean) / (groups.std(1, keepdim=True) + 1e-6)
    elif kind == "group_centred":
        out = groups - mean
    else:
        out = groups - (groups.sum(1, keepdim=True) - groups) / (GROUP_SIZE - 1)
    return out.reshape(-1)


def loss_of(c, policy, rollout, old, ref, mask, adv):
    lengths = mask.sum(1)
    adv = adv[:, None].expand_as(policy)
    log_ratio = (policy - old) * mask
    if c["ratio"] == "sequence":
        mean = log_ratio.sum(1) / lengths.clamp(min=1)
        log_ratio = mean[:, None].expand_as(policy)
    ratio = torch.exp(log_ratio)
    if c["objective"] == "cispo":
        per_token = -torch.clamp(ratio, max=1 + c["clip_eps_high"]).detach() * adv * policy
    else:
        surrogate = torch.minimum(ratio * adv, torch.clamp(ratio, 1 - c["clip_eps_low"], 1 + c["clip_eps_high"]) * adv)
        if c["dual_clip"] is not None:
            surrogate = torch.where(adv < 0, torch.maximum(surrogate, c["dual_clip"] * adv), surrogate)
        per_token = -surrogate
    if c["importance_cap"] is not None:
        per_token = per_token * torch.clamp(torch.exp(old - rollout), max=c["importance_cap"]).detach()
    log_r = ref - policy
    kl = {"none": lambda: 0.0 * log_r, "k1": lambda: -log_r, "k2": lambda: log_r**2 / 2, "k3": lambda: torch.exp(log_r) - log_r - 1}
    per_token = (per_token + c["kl_coef"] * kl[c["kl"]]()) * mask
    if c["normalisation"] == "token":
        return per_token.sum() / mask.sum()
    if c["normalisation"] == "per_sequence":
        return (per_token.sum(1) / lengths.clamp(min=1)).mean()
    return per_token.sum() / (len(LENGTHS) * c["normalisation"]["constant"]["length"])


def main():
    generator = torch.Generator().manual_seed(17)
    n_tokens = sum(LENGTHS)

    def near(base, spread):
        return (base + spread * torch.randn(n_tokens, generator=generator)).round(decimals=3)

    rollout = (-3 * torch.rand(n_tokens, generator=generator) - 0.5).round(decimals=3)
    old = near(rollout, 0.2)
    policy = near(old, 0.4)
    ref = near(policy, 0.3)
    flat = {"policy_logprobs": policy, "rollout_logprobs": rollout, "old_logprobs": old, "ref_logprobs": ref}
    # The Rust side reads float32, so the reference starts from the float32 values, widened.
    mask = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.float64)
    padded = {name: torch.zeros_like(mask) for name in flat}
    start = 0
    for i, n in enumerate(LENGTHS):
        mask[i, :n] = 1
        for name, values in flat.items():
            padded[name][i, :n] = values[start : start + n].double()
        start += n

    cases = []
    for name, changes in CASES.items():
        c = {**BASE, **changes}
        adv = advantages_of(c["advantage"], torch.tensor(REWARDS, dtype=torch.float64))
        leaf = padded["policy_logprobs"].clone().requires_grad_()
        loss = loss_of(c, leaf, padded["rollout_logprobs"], padded["old_logprobs"], padded["ref_logprobs"], mask, adv)
        loss.backward()
        gradient = leaf.grad[mask.bool()]
        cases.append({"name": name, "config": c, "advantages": adv.tolist(), "loss": loss.item(), "dlogprobs": gradient.tolist()})
    inputs = {name: [round(v, 3) for v in values.tolist()] for name, values in flat.items()}
    out = {"torch": torch.__version__.split("+")[0], "lengths": LENGTHS, "group_size": GROUP_SIZE, "rewards": REWARDS, **inputs}
    lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()]
    lines.append(' "cases": [\n  ' + ",\n  ".join(json.dumps(case) for case in cases) + "\n ]")
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
