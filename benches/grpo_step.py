"""Time of GRPO steps of a model with random weights, end to end: sampling, grading, training.

    python benches/grpo_step.py --device cuda

Makes a Qwen2 model of the shape with a tokenizer of bytes and a file of questions in a temporary folder, runs a recipe of a few steps over
them, and prints the phases of each step from the run's own metrics. Nothing is right, so that every completion has its full length and no
step differs from another. Needs NumPy and a built `ruminate`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPES = {
    "small": dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=128, vocab_size=512),
    "qwen2.5-0.5b": dict(
        hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, intermediate_size=4864, vocab_size=151936
    ),
}


def tokenizer(n_vocab):
    """Bytes as GPT-2 writes them, then words that no text has, up to the size of the vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    vocab = {letters[byte]: byte for byte in range(256)}
    vocab |= {f"word{i}": i for i in range(256, n_vocab - 1)}
    end = {"id": n_vocab - 1, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": []}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level, "model": model,
    }


def tensors(shape):
    """Names and sizes of all weights."""
    d, f, head = shape["hidden_size"], shape["intermediate_size"], shape["hidden_size"] // shape["num_attention_heads"]
    kv = head * shape["num_key_value_heads"]
    yield "model.embed_tokens.weight", (shape["vocab_size"], d)
    yield "model.norm.weight", (d,)
    for layer in range(shape["num_hidden_layers"]):
        block = f"model.layers.{layer}."
        for name, size in [("self_attn.q_proj", (d, d)), ("self_attn.k_proj", (kv, d)), ("self_attn.v_proj", (kv, d)), ("self_attn.o_proj", (d, d)),
                           ("mlp.gate_proj", (f, d)), ("mlp.up_proj", (f, d)), ("mlp.down_proj", (d, f)),
                           ("input_layernorm", (d,)), ("post_attention_layernorm", (d,))]:
            yield f"{block}{name}.weight", size
            if name[-6] in "qkv" and name.startswith("self_attn"):
                yield f"{block}{name}.bias", (size[0],)


def write_model(folder, shape):
    """A folder as `transformers` writes it, in bf16."""
    folder.mkdir()
    config = dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", max_position_embeddings=4096, rms_norm_eps=1e-6, rope_theta=1e6,
                  tie_word_embeddings=True, torch_dtype="bfloat16", hidden_act="silu", eos_token_id=shape["vocab_size"] - 1, **shape)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(shape["vocab_size"])))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    # The same few million numbers again and again: how long a product takes does not depend on them.
    numbers = np.random.default_rng(1).standard_normal(3_000_017).astype(np.float32) * 0.02
    numbers = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    header, data, offset = {}, [], 0
    for name, size in tensors(shape):
        values = np.resize(np.uint16(0x3F80) if name.endswith("norm.weight") else numbers, size)
        header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
        data.append(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in data:
            values.tofile(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ruminate", default="target/release/ruminate")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--shape", choices=SHAPES, default="qwen2.5-0.5b")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--new-tokens", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting of the stage, such as microbatch_tokens=8192")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model", SHAPES[args.shape])
        # The template adds "User: " and "\nAssistant:".
        question = lambda i: f"{i:04} ".ljust(args.prompt_tokens - 17, "?")
        lines = [json.dumps({"question": question(i), "answer": "#### 7"}) for i in range(args.prompts * args.steps)]
        (folder / "questions.jsonl").write_text("\n".join(lines))
        (folder / "recipe.toml").write_text(f"""
name = "step"
[[stage]]
id = "base"
kind = "load"
path = "model"
[[stage]]
id = "rl"
kind = "grpo"
policy = "base"
preset = "r1-zero"
template = "tiny"
prompts = [{{ data = "questions.jsonl", form = "gsm8k", split = "all" }}]
kl = "none"
kl_coef = 0.0
steps = {args.steps}
prompts_per_step = {args.prompts}
group_size = {args.samples}
minibatches = 1
max_new_tokens = {args.new_tokens}
max_batch = {args.prompts * args.samples}
microbatch_tokens = 16384
save_every = 1000
reference_refresh_steps = false
""")
        sets = [part for setting in args.set for part in ("--set", f"rl.{setting}")]
        started = time.time()
        command = [Path(args.ruminate).resolve(), "run", "recipe.toml", "--device", args.device, "--out", "run", *sets]
        done = subprocess.run(command, cwd=folder, stdout=sys.stderr, stderr=sys.stderr)
        print(f"exit {done.returncode}, {time.time() - started:.1f} s in all")
        for line in map(json.loads, (folder / "run/rl/metrics.jsonl").read_text().splitlines()):
            # Older versions did not count the last.
            phases = {phase: line.get(f"seconds/{phase}", 0.0) for phase in ("rollout", "reward", "train", "record")}
            shown = ", ".join(f"{phase} {seconds:.3f}" for phase, seconds in phases.items())
            length = line["rl/response_length_mean"]
            print(f"step {line['step']}: {sum(phases.values()):.2f} s ({shown}), {length:.0f} tokens a response, mismatch {line['rl/mismatch_max']:.3f}")


if __name__ == "__main__":
    main()
