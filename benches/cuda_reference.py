"""What one GPU can do, and what `ruminate bench` measures, in PyTorch on it: bf16, SDPA.

    python benches/cuda_reference.py [--only train|decode] [--shapes smollm2-135m qwen2.5-0.5b] [--compile]
        [--sequences 16] [--tokens 1024] [--batch 256] [--prompt 64] [--new 128]

A training step ends in clipping and fused AdamW; weights and optimizer state are bf16 (Ruminate keeps f32 masters and moments).
Decoding has a static cache and replays one CUDA graph for each token. Qwen's biases are left out.
"""

import argparse
import dataclasses
import time

import torch
import torch_reference
from torch_reference import SHAPES, Model, Shape

SHAPES["smollm2-360m"] = Shape(960, 32, 15, 5, 64, 2560, 49_152, 100_000.0)
SHAPES["qwen2.5-0.5b"] = Shape(896, 24, 14, 2, 64, 4864, 151_936, 1_000_000.0)
SHAPES["qwen2.5-1.5b"] = Shape(1536, 28, 12, 2, 128, 8960, 151_936, 1_000_000.0)


def seconds_of(work, seconds=1.0):
    """Median time of one call, after two that are not counted."""
    for _ in range(2):
        work()
    times, since = [], time.perf_counter()
    while not times or time.perf_counter() - since < seconds:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return sorted(times)[len(times) // 2]


def ceilings():
    a, b = torch.randn(8192, 8192, device="cuda").bfloat16(), torch.randn(8192, 8192, device="cuda").bfloat16()
    rate = 2 * 8192**3 / seconds_of(lambda: a @ b, 0.5)
    x = torch.randn(1 << 29, device="cuda")
    y = torch.empty_like(x)
    bandwidth = 2 * x.nbytes / seconds_of(lambda: y.copy_(x), 0.5)
    print(f"{torch.cuda.get_device_name()}: bf16 product {rate / 1e12:.0f} TFLOP/s, copy {bandwidth / 1e12:.2f} TB/s", flush=True)


def train(name, sequences, tokens, compiled):
    torch.manual_seed(0)
    torch.cuda.reset_peak_memory_stats()
    shape = SHAPES[name]
    model = Model(dataclasses.replace(shape)).cuda().bfloat16()
    cos, sin = torch_reference.rope_table(shape, tokens)
    model.cos, model.sin = cos.cuda().bfloat16(), sin.cuda().bfloat16()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids = torch.randint(shape.vocab, (sequences, tokens + 1), device="cuda")
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    loss = torch.compile(model) if compiled else model

    def step():
        loss(inputs, targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    speed = sequences * tokens / seconds_of(step, 2.0)
    peak = torch.cuda.max_memory_allocated() / 2**30
    print(f"PyTorch {torch.__version__} {'compiled' if compiled else 'eager'}, {name}, {sequences} x {tokens}: {speed:,.0f} tokens/s, {peak:.1f} GiB", flush=True)


def decode(name, batch, prompt, new):
    torch.manual_seed(0)
    torch.cuda.reset_peak_memory_stats()
    shape, total = SHAPES[name], prompt + new
    model = Model(shape).cuda().bfloat16()
    cos, sin = torch_reference.rope_table(shape, total)
    model.cos, model.sin = cos.cuda().bfloat16(), sin.cuda().bfloat16()
    cache = (batch, shape.kv_heads, total, shape.head_dim)
    caches = [tuple(torch.zeros(cache, device="cuda", dtype=torch.bfloat16) for _ in range(2)) for _ in range(shape.layers)]
    prompts = torch.randint(shape.vocab, (batch, prompt), device="cuda")
    ids, position = prompts[:, -1:].clone(), torch.full((1,), prompt - 1, device="cuda")
    tokens = torch.zeros(batch, total, device="cuda", dtype=torch.long)
    logprobs = torch.zeros(batch, total, device="cuda", dtype=torch.bfloat16)

    def step():
        next_ids, next_logprobs = model.step(ids, caches, position, masked=True)
        ids.copy_(next_ids)
        tokens.index_copy_(1, position, next_ids)
        logprobs.index_copy_(1, position, next_logprobs)
        position.add_(1)

    def begin():
        ids.copy_(prompts[:, -1:])
        position.fill_(prompt - 1)

    def generate():
        begin()
        model.prefill(prompts, caches)
        for _ in range(new):
            graph.replay()

    with torch.inference_mode(), torch.device("cuda"):
        # Once outside of the recording, which allows no first calls.
        with torch.cuda.stream(torch.cuda.Stream()):
            step()
        torch.cuda.synchronize()
        begin()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        speed = batch * new / seconds_of(generate)
    peak = torch.cuda.max_memory_allocated() / 2**30
    print(f"PyTorch {torch.__version__} graph loop, {name}, {batch} x ({prompt} + {new}): {speed:,.0f} tokens/s, {peak:.1f} GiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["train", "decode"])
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=["smollm2-135m", "qwen2.5-0.5b"])
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--compile", action="store_true", help="also with torch.compile, in training")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--new", type=int, default=128)
    arguments = parser.parse_args()
    ceilings()
    for name in arguments.shapes:
        if arguments.only != "decode":
            for compiled in [False, True] if arguments.compile else [False]:
                train(name, arguments.sequences, arguments.tokens, compiled)
        if arguments.only != "train":
            decode(name, arguments.batch, arguments.prompt, arguments.new)


if __name__ == "__main__":
    main()
