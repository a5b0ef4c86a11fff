"""Golden numbers of SmolLM2-135M-Instruct: log-probabilities of a fixed text, its loss, and of the gradient by every weight the
norm and its products with pseudo-random directions. From the GGUF file, dequantised, in transformers, on the CPU.

The numbers are those of the model in float64 (rotation tables stay float32). Its gradients are ill-conditioned: transformers in
float32 is itself off by up to 1e-3 of the norm of a tensor, so that float32 numbers could not tell which of two implementations is
right. How far float32 is off is kept beside each gradient.

    python tests/golden/smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf > tests/golden/smollm2.json
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

TEXT = """A farmer keeps hens and goats. Together they have 50 heads and 140 feet. How many goats are there?
If all 50 animals were hens there would be 100 feet. There are 40 feet more, and each goat has two feet more than a hen.
So there are 40 / 2 = 20 goats, and 50 - 20 = 30 hens. Check: 20 * 4 + 30 * 2 = 140. The answer is 20."""
N_DIRECTIONS = 3


def split_mix(x):
    """SplitMix64 of each element."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def direction(n, which):
    """`n` numbers in [-1, 1): the upper 24 bits of SplitMix64 of index + which * 2**40."""
    index = np.arange(n, dtype=np.uint64) + np.uint64(which << 40)
    return (split_mix(index) >> np.uint64(40)).astype(np.float64) / 2**23 - 1


path = Path(sys.argv[1])
# `from_pretrained` wants accelerate for GGUF files; its parts do without.
config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name, attn_implementation="sdpa")
model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
weights = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model, torch_dtype=torch.float32)["tensors"]
missing, unexpected = model.load_state_dict(weights, strict=False)
assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
model.tie_weights()
assert model.lm_head.weight is model.model.embed_tokens.weight
tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
ids = torch.tensor(tokenizer.encode(TEXT))


def run(model):
    """Log-probabilities of the next tokens, and gradients of their mean by name."""
    model.zero_grad()
    logprobs = model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1).gather(1, ids[1:, None])[:, 0]
    (-logprobs.mean()).backward()
    grads = {name: weight.grad.double().numpy().reshape(-1) for name, weight in model.named_parameters()}
    return logprobs.detach().double().numpy(), grads


def norm_in_own_type(self, x):
    """Transformers' normalisation without its detour through float32."""
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


float_logprobs, float_grads = run(model)
LlamaRMSNorm.forward = norm_in_own_type
logprobs, grads = run(model.double())


def digits(x):
    """Nine digits, which name a 32-bit float exactly."""
    return [float(f"{x:.9g}") for x in x]


def relative_error(x, truth):
    return np.linalg.norm(x - truth) / np.linalg.norm(truth)


def entry(name, grad):
    products = [grad @ direction(grad.size, i) for i in range(N_DIRECTIONS)]
    return dict(
        norm=digits([np.linalg.norm(grad)])[0],
        products=digits(products),
        float32_error=float(f"{relative_error(float_grads[name], grad):.3g}"),
    )


every = [np.concatenate(list(g.values())) for g in (float_grads, grads)]
print(json.dumps(dict(
    file=path.name,
    tokens=ids.tolist(),
    logprobs=digits(logprobs),
    loss=float(-logprobs.mean()),
    float32_errors=dict(logprobs=relative_error(float_logprobs, logprobs), whole_gradient=relative_error(*every)),
    grads={name: entry(name, grad) for name, grad in grads.items()},
)).replace('}, "', '},\n"'))
