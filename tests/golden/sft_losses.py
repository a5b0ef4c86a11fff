"""Reference values for supervised fine-tuning: loss and gradients of masked, weighted conversations on the small Llama of models/.

Each conversation is run alone and without padding, with labels of -100 where nothing is trained, in float64. The gradient of each
tensor is given by its norm and by its product with a fixed direction.

    python tests/golden/sft_losses.py > tests/golden/sft_losses.json
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM

# Turns of each conversation as (tokens, is trained), and the weight of its source.
CONVERSATIONS = [
    ([(5, False), (3, True), (4, False), (6, True)], 1.0),
    ([(7, False), (1, True)], 3.0),
    ([(2, False), (9, True), (1, False)], 1.0),
]


def direction(count):
    """(i * 37 mod 101) / 101 - 0.5: numbers that are the same everywhere."""
    return (torch.arange(count) * 37 % 101).double() / 101 - 0.5


path = Path(__file__).parent / "models" / "llama.safetensors"
with safe_open(path, "pt") as file:
    config = LlamaConfig(**json.loads(file.metadata()["config"]))
    weights = {name.removeprefix("weight."): file.get_tensor(name) for name in file.keys() if name.startswith("weight.")}
config._attn_implementation = "eager"
model = LlamaForCausalLM(config)
model.load_state_dict(weights, strict=False)
model = model.double().eval()

generator = torch.Generator().manual_seed(11)
conversations, total, weight_sum = [], 0.0, 0.0
for turns, weight in CONVERSATIONS:
    is_trained = [trained for count, trained in turns for _ in range(count)]
    ids = torch.randint(config.vocab_size, (len(is_trained),), generator=generator)
    labels = torch.where(torch.tensor(is_trained), ids, -100)
    logits = model(input_ids=ids[None]).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")
    total = total + weight * loss
    weight_sum += weight * sum(is_trained)
    conversations.append(dict(token_ids=ids.tolist(), is_trained=is_trained, weight=weight))
loss = total / weight_sum
loss.backward()
grads = {
    name: dict(norm=p.grad.norm().item(), product=(p.grad.flatten() @ direction(p.numel())).item()) for name, p in model.named_parameters()
}
print(json.dumps(dict(conversations=conversations, loss=loss.item(), grads=grads), indent=1))
