"""A real inference server for tests: llama.cpp with a tiny model that is built here, in well under a second.

    with serving(tmp_path) as server:
        ...  # server.url speaks OpenAI's API

The model knows one thing: `splendid` raises the score that it gives, `gibberish` lowers it. Its first channel is constant and
holds a bias for each token, its second marks these two words, and one attention head, which averages over the prompt, copies
the mark into the third, which shifts the digits 1 to 5. A process of its own serves it:

    python tests/llama.py model.gguf
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WIDTH, HEADS, LONGEST = 64, 4, 32_768
GAIN = 60.0
WORDS = [
    "the",
    "a",
    "an",
    "of",
    "to",
    "in",
    "is",
    "it",
    "and",
    "that",
    "for",
    "answer",
    "question",
    "good",
    "bad",
    "yes",
    "no",
    "because",
    "this",
    "with",
    "are",
]
MARKED = {"splendid": 1.0, "gibberish": -1.0}
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"


def build(path: Path, seed: int = 0) -> Path:
    """Write the model as GGUF."""
    import gguf

    random = np.random.default_rng(seed)
    kind = gguf.TokenType
    specials = [("<unk>", kind.UNKNOWN), ("<s>", kind.CONTROL), ("</s>", kind.CONTROL)]
    byte_tokens = [(f"<0x{k:02X}>", kind.BYTE) for k in range(256)]
    characters = [("\u2581", kind.NORMAL), *((chr(k), kind.NORMAL) for k in range(33, 127))]
    words = [(f"\u2581{word}", kind.NORMAL) for word in WORDS]
    tokens = [*specials, *byte_tokens, *characters, *words, *((word, kind.USER_DEFINED) for word in MARKED)]
    names = [name for name, _ in tokens]
    size = len(names)

    def rows(count: int) -> np.ndarray:
        return (random.standard_normal((count, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)

    embedding = 8 * rows(size)
    embedding[:, 0], embedding[:, 1], embedding[:, 2] = 4, 0, 0
    output = 1.5 * rows(size)
    output[:, 1] = output[:, 2] = 0
    bias = np.zeros(size)
    bias[: len(specials) + len(byte_tokens)] = -9
    bias[names.index("</s>")], bias[names.index("\u2581")], bias[names.index('"')] = -2, -5, 5
    bias[[names.index(f"\u2581{word}") for word in WORDS]] = 4
    for word, mark in MARKED.items():
        embedding[names.index(word), 1], bias[names.index(word)] = 6 * mark, -9
    output[:, 0] = bias / 3
    for digit in range(1, 6):
        row = names.index(str(digit))
        output[row] = 0
        output[row, 0], output[row, 2] = (-0.6 * (digit - 3) ** 2 - 14) / 3, 1.2 * (digit - 3)
    square = np.zeros((WIDTH, WIDTH), np.float32)
    value, mixed = square.copy(), square.copy()
    value[0, 1], mixed[2, 0] = 1, GAIN

    made = gguf.GGUFWriter(str(path), "llama")
    made.add_context_length(LONGEST)
    made.add_embedding_length(WIDTH)
    made.add_block_count(1)
    made.add_feed_forward_length(WIDTH)
    made.add_head_count(HEADS)
    made.add_head_count_kv(HEADS)
    made.add_rope_dimension_count(WIDTH // HEADS)
    made.add_layer_norm_rms_eps(1e-5)
    made.add_tokenizer_model("llama")
    made.add_tokenizer_pre("default")
    made.add_token_list(names)
    made.add_token_scores([0.0] * size)
    made.add_token_types([int(kind) for _, kind in tokens])
    made.add_bos_token_id(1)
    made.add_eos_token_id(2)
    made.add_unk_token_id(0)
    made.add_add_bos_token(True)  # noqa: FBT003 (the package's own signature)
    made.add_add_space_prefix(False)  # noqa: FBT003
    made.add_chat_template(TEMPLATE)
    ones = np.ones(WIDTH, np.float32)
    tensors = {
        "token_embd": embedding, "output": output, "output_norm": ones, "blk.0.attn_norm": ones, "blk.0.ffn_norm": ones,
        "blk.0.attn_q": square, "blk.0.attn_k": square, "blk.0.attn_v": value, "blk.0.attn_output": mixed,
        "blk.0.ffn_gate": square, "blk.0.ffn_up": square, "blk.0.ffn_down": square,
    }  # fmt: skip
    for name, tensor in tensors.items():
        made.add_tensor(f"{name}.weight", np.ascontiguousarray(tensor, np.float32))
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()
    return path


@dataclass(frozen=True)
class Server:
    """Where it listens."""

    url: str
    """The base URL of OpenAI's API."""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Build the model and serve it from a process of its own.

    Raises:
        RuntimeError: the process died before it listened; its last words are told.
    """
    model = build(folder / "tiny.gguf")
    with (folder / "llama.log").open("wb") as log:
        child = subprocess.Popen([sys.executable, __file__, str(model)], stdout=subprocess.PIPE, stderr=log)
    try:
        address = child.stdout.readline().decode().strip() if child.stdout else ""
        if not address:
            child.wait(10)
            said = (folder / "llama.log").read_text(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"llama.cpp ended with {child.returncode}: {' | '.join(said)}")
        yield Server(f"{address}/v1")
    finally:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def main(model: str) -> None:
    """Serve a model until killed; the address is the first line of standard output."""
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.n_ctx, wanted.n_parallel, wanted.port, wanted.hostnames = 65_536, 4, 0, ["127.0.0.1"]
    wanted.warmup, wanted.n_gpu_layers, wanted.offline, wanted.ui = False, 0, True, False
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(sys.argv[1])
