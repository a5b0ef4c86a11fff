"""Golden numbers of reward models: small random Llama, Qwen2 and Qwen3 sequence classifiers in transformers, and their losses.

Writes reward_models/NAME.safetensors beside this file (float32: weights, tokens, the score of each sequence, a loss, and its gradient
by every weight) and reward_losses.json (float64: the pairwise and the pointwise loss with their gradients). Versions are in README.md.

    python tests/golden/reward_models.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

SIZES = dict(
    hidden_size=24,
    intermediate_size=36,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=53,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
    num_labels=1,
    attn_implementation="eager",
    rope_parameters=dict(rope_type="default", rope_theta=10000.0),
)
MODELS = [
    ("llama", LlamaForSequenceClassification, LlamaConfig(**SIZES, rms_norm_eps=1e-5)),
    ("qwen2", Qwen2ForSequenceClassification, Qwen2Config(**SIZES, tie_word_embeddings=True)),
    ("qwen3", Qwen3ForSequenceClassification, Qwen3Config(**SIZES, head_dim=10)),
]
# Chosen and rejected of three pairs, one after the other.
LENGTHS = [17, 1, 9, 30, 2, 5]


def randomise(model, generator):
    """Weights large enough that attention is far from uniform; norms around 1, biases not 0."""
    for name, weight in model.named_parameters():
        deviation = 0.3 if "norm" in name or "bias" in name else 1.0 if "embed" in name else 2.0 / weight.shape[1] ** 0.5
        mean = 1.0 if "norm" in name else 0.0
        with torch.no_grad():
            weight.normal_(mean, deviation, generator=generator)


def model_numbers(seed, model_class, config):
    generator = torch.Generator().manual_seed(seed)
    model = model_class(config).float().eval()
    randomise(model, generator)
    weights = {f"weight.{name}": weight.detach().clone() for name, weight in model.named_parameters()}
    # Padding is id 0 and stands in no sequence: transformers scores the last token that is no padding.
    sequences = [torch.randint(1, config.vocab_size, (length,), generator=generator) for length in LENGTHS]
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=0)
    scores = model(input_ids=padded, attention_mask=(padded != 0).long()).logits[:, 0]
    chosen, rejected = scores[0::2], scores[1::2]
    loss = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    loss.backward()
    results = dict(
        tokens=torch.cat(sequences).int(),
        cu_seqlens=torch.tensor([0] + LENGTHS).cumsum(0).int(),
        scores=scores,
        loss=loss[None],
    )
    grads = {f"grad.{name}": weight.grad for name, weight in model.named_parameters()}
    return {name: x.detach().contiguous() for name, x in (results | weights | grads).items()}


def loss_numbers():
    """Scores from harmless to so large that a plain exponential overflows."""
    generator = torch.Generator().manual_seed(7)
    chosen = torch.cat([torch.randn(6, generator=generator, dtype=torch.float64), torch.tensor([40.0, -40.0, 1000.0, -1000.0, 0.0])])
    rejected = torch.cat([torch.randn(6, generator=generator, dtype=torch.float64), torch.tensor([-40.0, 40.0, -1000.0, 1000.0, 0.0])])
    chosen, rejected = (x.float().double().requires_grad_() for x in (chosen, rejected))
    margins = torch.rand(len(chosen), generator=generator, dtype=torch.float64).float().double()
    cases = []
    for name, margin in (("plain", torch.zeros_like(margins)), ("margin", margins)):
        loss = -torch.nn.functional.logsigmoid(chosen - rejected - margin).mean()
        d_chosen, d_rejected = torch.autograd.grad(loss, (chosen, rejected))
        cases.append(dict(name=name, margins=margin.tolist(), loss=loss.item(), d_chosen=d_chosen.tolist(), d_rejected=d_rejected.tolist()))
    labels = (torch.rand(len(chosen), generator=generator) < 0.5).double()
    pointwise = torch.nn.functional.binary_cross_entropy_with_logits(chosen, labels)
    (d_scores,) = torch.autograd.grad(pointwise, chosen)
    return dict(
        chosen=chosen.tolist(),
        rejected=rejected.tolist(),
        pairwise=cases,
        pointwise=dict(labels=[bool(x) for x in labels], loss=pointwise.item(), d_scores=d_scores.tolist()),
    )


here = Path(__file__).parent
folder = here / "reward_models"
folder.mkdir(exist_ok=True)
for seed, (name, model_class, config) in enumerate(MODELS):
    config.architectures = [model_class.__name__]
    tensors = model_numbers(seed, model_class, config)
    path = folder / f"{name}.safetensors"
    save_file(tensors, path, dict(config=json.dumps(config.to_dict())))
    print(path.name, path.stat().st_size, "bytes, loss", tensors["loss"].item())
(here / "reward_losses.json").write_text(json.dumps(loss_numbers(), indent=1) + "\n")
