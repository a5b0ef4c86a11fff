"""Golden numbers of whole models: small random Llama, Qwen2 and Qwen3 models in transformers, float32 on the CPU.

Writes models/NAME.safetensors beside this file: weights, tokens, log-probabilities of the next tokens, logits of some rows,
a loss, and its gradient by every weight. Versions are in README.md.

    python tests/golden/models.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

SIZES = dict(
    hidden_size=32,
    intermediate_size=44,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=67,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    attn_implementation="eager",
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=10000.0,
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)
PLAIN = dict(rope_type="default", rope_theta=10000.0)
# Name, class, configuration, temperature of the log-probabilities.
MODELS = [
    ("llama", LlamaForCausalLM, LlamaConfig(**SIZES, rope_parameters=PLAIN, rms_norm_eps=1e-5, tie_word_embeddings=True), 1.0),
    ("llama3", LlamaForCausalLM, LlamaConfig(**SIZES, rope_parameters=LLAMA3, rms_norm_eps=1e-5, tie_word_embeddings=False), 0.7),
    ("qwen2", Qwen2ForCausalLM, Qwen2Config(**SIZES, rope_parameters=PLAIN, tie_word_embeddings=True), 1.0),
    ("qwen3", Qwen3ForCausalLM, Qwen3Config(**SIZES, head_dim=12, rope_parameters=PLAIN, tie_word_embeddings=True), 1.3),
]
# Lengths of the sequences that are packed into one batch, and how many tokens of each are a prompt, whose tokens are not trained.
LENGTHS = [17, 1, 40, 2]
PROMPTS = [5, 1, 1, 1]


def randomise(model, generator):
    """Weights large enough that attention is far from uniform; norms around 1, biases not 0."""
    for name, weight in model.named_parameters():
        deviation = 0.3 if "norm" in name or "bias" in name else 1.0 if "embed" in name else 2.0 / weight.shape[1] ** 0.5
        mean = 1.0 if "norm" in name else 0.0
        with torch.no_grad():
            weight.normal_(mean, deviation, generator=generator)


def golden(seed, model_class, config, temperature):
    generator = torch.Generator().manual_seed(seed)
    model = model_class(config).float().eval()
    randomise(model, generator)
    weights = {f"weight.{name}": weight.detach().clone() for name, weight in model.named_parameters()}

    tokens, rows, logprobs, logits = [], [], [], []
    for length, prompt in zip(LENGTHS, PROMPTS, strict=True):
        ids = torch.randint(config.vocab_size, (length,), generator=generator)
        first = sum(len(t) for t in tokens)
        tokens.append(ids)
        if length > prompt:
            # Row t predicts token t + 1.
            out = model(input_ids=ids[None]).logits[0, prompt - 1 : -1]
            logits.append(out)
            logprobs.append((out / temperature).log_softmax(-1).gather(1, ids[prompt:, None])[:, 0])
            rows.append(torch.arange(first + prompt - 1, first + length - 1))
    tokens, rows, logprobs, logits = (torch.cat(x) for x in (tokens, rows, logprobs, logits))
    # Any loss is a weighted sum of log-probabilities as far as its gradient goes; weights of both signs, as in GRPO.
    dlogprobs = torch.randn(len(rows), generator=generator) / len(rows)
    loss = (dlogprobs * logprobs).sum()
    loss.backward()
    results = dict(
        tokens=tokens.int(),
        cu_seqlens=torch.tensor([0] + LENGTHS).cumsum(0).int(),
        rows=rows.int(),
        targets=tokens[rows + 1].int(),
        dlogprobs=dlogprobs,
        logprobs=logprobs,
        lse=(logits / temperature).logsumexp(-1),
        logits=logits,
        loss=loss[None],
    )
    grads = {f"grad.{name}": weight.grad for name, weight in model.named_parameters()}
    return {name: x.detach().contiguous() for name, x in (results | weights | grads).items()}


folder = Path(__file__).parent / "models"
folder.mkdir(exist_ok=True)
for seed, (name, model_class, config, temperature) in enumerate(MODELS):
    tensors = golden(seed, model_class, config, temperature)
    metadata = dict(config=json.dumps(config.to_dict()), temperature=str(temperature))
    path = folder / f"{name}.safetensors"
    save_file(tensors, path, metadata)
    print(path.name, path.stat().st_size, "bytes, loss", tensors["loss"].item())
