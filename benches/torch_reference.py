"""The same work in PyTorch, on the CPU, written as well as we know how.

Decoder-only transformer (RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied head), f32.
Attention is `scaled_dot_product_attention`, the optimizer fused AdamW; `compiled` wraps the model in `torch.compile`.
"""

import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    theta: float


SHAPES = {
    "tiny": Shape(128, 4, 4, 4, 32, 384, 96, 10_000.0),
    "smollm2-135m": Shape(576, 30, 9, 3, 64, 1536, 49_152, 100_000.0),
}


def rope_table(shape, positions):
    frequency = shape.theta ** (-torch.arange(0, shape.head_dim, 2) / shape.head_dim)
    angle = torch.arange(positions)[:, None] * frequency
    angle = torch.cat([angle, angle], dim=-1)  # [P, S]
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        s = shape
        self.input_norm = nn.RMSNorm(s.hidden, eps=1e-5)
        self.qkv = nn.Linear(s.hidden, (s.heads + 2 * s.kv_heads) * s.head_dim, bias=False)
        self.o = nn.Linear(s.heads * s.head_dim, s.hidden, bias=False)
        self.post_norm = nn.RMSNorm(s.hidden, eps=1e-5)
        self.gate_up = nn.Linear(s.hidden, 2 * s.ffn, bias=False)
        self.down = nn.Linear(s.ffn, s.hidden, bias=False)

    def split(self, x, cos, sin):
        s = self.shape
        qkv = self.qkv(self.input_norm(x)).unflatten(-1, (-1, s.head_dim)).transpose(1, 2)  # [B, H + 2K, T, S]
        q, k, v = qkv.split([s.heads, s.kv_heads, s.kv_heads], dim=1)
        return rotate(q, cos, sin), rotate(k, cos, sin), v

    def feed_forward(self, x):
        gate, up = self.gate_up(self.post_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)

    def forward(self, x, cos, sin):
        q, k, v = self.split(x, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.shape.heads != self.shape.kv_heads)
        return self.feed_forward(x + self.o(y.transpose(1, 2).flatten(2)))

    def decode(self, x, cos, sin, keys, values, position, mask):
        """One token of each sequence, x [B, 1, D]. Without a mask the cache is cut to its filled part."""
        q, k, v = self.split(x, cos, sin)
        keys.index_copy_(2, position, k)
        values.index_copy_(2, position, v)
        if mask is None:
            n = cut_length(position)
            keys, values = keys[:, :, :n], values[:, :, :n]
        y = F.scaled_dot_product_attention(
            q, keys, values, attn_mask=mask, enable_gqa=self.shape.heads != self.shape.kv_heads
        )
        return self.feed_forward(x + self.o(y.transpose(1, 2).flatten(2)))


def cut_length(position):
    return int(position) + 1


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab, shape.hidden)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=1e-5)
        cos, sin = rope_table(shape, 1024)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def logits(self, x):
        return F.linear(self.norm(x), self.embed.weight)

    def forward(self, ids, targets):
        n = ids.shape[1]
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, self.cos[:n], self.sin[:n])
        return F.cross_entropy(self.logits(x).flatten(0, 1), targets.flatten())

    def prefill(self, ids, caches):
        """Fills the caches from prompts [B, P]; the last token is left to the first decode step."""
        n = ids.shape[1] - 1
        cos, sin = self.cos[:n], self.sin[:n]
        x = self.embed(ids[:, :n])
        for block, (keys, values) in zip(self.blocks, caches):
            q, k, v = block.split(x, cos, sin)
            keys[:, :, :n], values[:, :, :n] = k, v
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.shape.heads != self.shape.kv_heads)
            x = block.feed_forward(x + block.o(y.transpose(1, 2).flatten(2)))

    def step(self, ids, caches, position, masked):
        """The next token of each sequence [B, 1] and its log-probability [B, 1]."""
        x = self.embed(ids)
        cos, sin = self.cos[position], self.sin[position]
        mask = None
        if masked:
            mask = (torch.arange(caches[0][0].shape[2]) <= position)[None, None, None, :]
        for block, (keys, values) in zip(self.blocks, caches):
            x = block.decode(x, cos, sin, keys, values, position, mask)
        logprobs = F.log_softmax(self.logits(x[:, -1]), dim=-1)
        ids = torch.multinomial(logprobs.exp(), 1)
        return ids, logprobs.gather(1, ids)


class TrainStep:
    """Forward, full cross-entropy, backward, gradient clipping, AdamW."""

    def __init__(self, name, sequences, tokens, compiled):
        torch.manual_seed(0)
        self.model = Model(SHAPES[name])
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        ids = torch.randint(SHAPES[name].vocab, (sequences, tokens + 1))
        self.ids, self.targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
        self.loss = torch.compile(self.model) if compiled else self.model
        self.n_tokens = sequences * tokens

    def __call__(self):
        loss = self.loss(self.ids, self.targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        return loss.item()


class Decode:
    """Sampling with a static key/value cache, prefill included."""

    def __init__(self, name, batch, prompt, new, compiled):
        torch.manual_seed(0)
        shape = SHAPES[name]
        self.model = Model(shape).eval().requires_grad_(False)
        size = (batch, shape.kv_heads, prompt + new, shape.head_dim)
        self.caches = [(torch.zeros(size), torch.zeros(size)) for _ in range(shape.layers)]
        self.ids = torch.randint(shape.vocab, (batch, prompt))
        self.prompt, self.new, self.n_tokens = prompt, new, batch * new
        # A compiled step needs fixed shapes: it attends to the whole cache under a mask.
        self.masked = compiled
        self.step = torch.compile(self.model.step, dynamic=False) if compiled else self.model.step

    @torch.no_grad()
    def __call__(self):
        self.model.prefill(self.ids, self.caches)
        ids, sampled, logprobs = self.ids[:, -1:], [], []
        for i in range(self.new):
            position = torch.tensor([self.prompt - 1 + i])
            ids, logprob = self.step(ids, self.caches, position, self.masked)
            sampled.append(ids)
            logprobs.append(logprob)
        return torch.cat(sampled, 1), torch.cat(logprobs, 1)


def throughput(work, seconds):
    """Tokens per second of the median call within `seconds` (at least one call)."""
    times, started = [], time.perf_counter()
    while not times or time.perf_counter() - started < seconds:
        since = time.perf_counter()
        work()
        times.append(time.perf_counter() - since)
    return work.n_tokens / sorted(times)[len(times) // 2]
